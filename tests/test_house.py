"""The house stands as it was drawn: its rooms, its one downward line, its size, and its silence about machines."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("ga_sync", "oauth", "jobs", "models")
ROOMS = {*CODE, ".ci", "alembic", "docs", "tests"}
# What tools and running programs leave behind; none of it is in the repository.
LEFTOVERS = {".git", ".venv", "build", "dist", "htmlcov", "var", "__pycache__"}
LONGEST_MODULE = 300
# A longer module stands here with the reason why it is not two: {"room/module.py": "reason"}.
LONGER: dict[str, str] = {
    "ga_sync/bootstrap.py": "the one module that names every concrete class: its length is how many there are",
}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
# Homes and mounts of somebody's machine. An address such as https://host/home/page is none.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:root|home|work|mnt|Users|opt/pypi|opt/wheels)/\w")


def repository_files(git: str | None = shutil.which("git")) -> Iterator[Path]:
    """Every text that belongs to the project: what git knows or would add; without git, what is not a leftover."""
    if git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        files = [ROOT / name for name in listed if name]
    else:
        files = [path for path in ROOT.rglob("*") if not is_leftover(path)]
    return (path for path in files if path.is_file())


def is_leftover(path: Path) -> bool:
    return any(part in LEFTOVERS or part.endswith("_cache") for part in path.relative_to(ROOT).parts)


def words(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


def modules() -> list[Path]:
    return [path for room in CODE for path in sorted((ROOT / room).rglob("*.py"))]


def test_there_is_no_room_that_was_not_drawn() -> None:
    rooms = {path.relative_to(ROOT).parts[0] for path in repository_files() if path.parent != ROOT}
    assert rooms - ROOMS == set()


def test_imports_go_down_one_line() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_MODULE
    }
    assert long.keys() - LONGER.keys() == set(), long


def test_every_exception_to_the_length_is_still_needed_and_has_a_reason() -> None:
    for name, reason in LONGER.items():
        assert reason
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > LONGEST_MODULE


def test_every_module_is_named_for_what_it_does() -> None:
    files = (path for path in repository_files() if path.suffix == ".py")
    assert [path for path in files if NAMES_THAT_SAY_NOTHING & set(words(path))] == []


def test_nothing_names_a_path_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in repository_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("see /ro" + "ot/notes", True),
        ('"/ho' + 'me/anna/x"', True),
        ("file:/wo" + "rk/main", False),
        ("https://example.com/home/page", False),
        ("/opt/ga-sync/bin/pip", False),
        ("../home/page", False),
    ],
)
def test_a_machines_path_is_told_from_an_address(text: str, is_one: bool) -> None:  # noqa: FBT001
    assert bool(MACHINE_PATH.search(text)) is is_one


def test_without_git_the_project_is_what_is_no_leftover() -> None:
    assert set(repository_files()) <= set(repository_files(git=None))


def test_leftovers_of_tools_are_no_part_of_the_project() -> None:
    assert is_leftover(ROOT / ".ruff_cache" / "x")
    assert is_leftover(ROOT / "ga_sync" / "__pycache__" / "cli.pyc")
    assert not is_leftover(ROOT / "ga_sync" / "py.typed")
