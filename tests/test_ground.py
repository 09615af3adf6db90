"""The ground everything stands on: what is installed, how it is built, and the floor under the tests."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("requirements.lock", "requirements-dev.lock")
}
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
GROUPS: dict[str, list[Any]] = PROJECT["dependency-groups"]
BUILD = [entry for entry in GROUPS["build"] if isinstance(entry, str)]
DEVELOPMENT = [entry for entry in GROUPS["dev"] if isinstance(entry, str)]


def name_of(requirement: str) -> str:
    """The package's name as the lock files spell it: `psycopg[binary]>=3.2` is `psycopg`."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def entries(lock: str) -> list[str]:
    """Each pinned package with its hashes."""
    return re.split(r"\n(?=[a-z0-9])", lock.strip())


def pins(lock: str) -> list[str]:
    """The packages that a lock pins to one version with at least one hash; one may stand there once a platform."""
    wanted = re.compile(
        r"([a-z0-9._-]+)(?:\[[a-z,]+\])?==\S+(?: ; [^\n]+?)? \\\n +--hash=sha256:[0-9a-f]{64}"
    )
    return [found[1] for entry in entries(lock) if (found := wanted.match(entry))]


# --- what is installed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("requirement", RUNTIME + BUILD)
def test_what_runs_and_builds_is_locked_with_hashes(requirement: str) -> None:
    assert name_of(requirement) in pins(LOCKS["requirements.lock"])


@pytest.mark.parametrize("requirement", RUNTIME + BUILD + DEVELOPMENT)
def test_what_tests_is_locked_with_hashes(requirement: str) -> None:
    assert name_of(requirement) in pins(LOCKS["requirements-dev.lock"])


def test_an_extra_that_is_asked_for_is_locked_as_an_extra() -> None:
    """Pip 23 takes the newest `coverage` for `coverage[toml]` where only `coverage` is pinned, and then refuses it."""
    extras = [re.split(r"[>=<;]", one)[0] for one in RUNTIME + DEVELOPMENT if "[" in one]
    assert [one for one in extras if f"\n{one}==" not in LOCKS["requirements-dev.lock"]] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_has_a_hash(lock: str) -> None:
    assert len(entries(LOCKS[lock])) == len(pins(LOCKS[lock]))


def test_both_locks_agree_on_every_version() -> None:
    run, develop = (
        {tuple(entry.split(" ", 1)[0].split("==")) for entry in entries(LOCKS[name])} for name in LOCKS
    )
    assert run - develop == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(lock: str) -> None:
    assert re.findall(r".*(?:://|--(?:index|extra-index|find-links)).*", LOCKS[lock]) == []


@pytest.mark.parametrize("requirement", RUNTIME + BUILD + DEVELOPMENT)
def test_every_package_has_its_reason(requirement: str) -> None:
    written = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {re.escape(name_of(requirement))} \| \S.+ \| \S.+ \|$", written, re.MULTILINE)


def test_no_reason_is_left_of_a_package_that_went() -> None:
    written = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([a-z0-9-]+) \|", written, re.MULTILINE)) - {"package"}
    assert rows == {name_of(requirement) for requirement in RUNTIME + BUILD + DEVELOPMENT}


# --- how it is built and started -------------------------------------------------------------------------


def test_the_migrations_folder_does_not_hide_the_library_of_its_name() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel, built from the tree without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_holds_the_rooms_and_their_types(wheel: set[str]) -> None:
    for room in ("ga_sync", "oauth", "jobs", "models"):
        assert {f"{room}/__init__.py", f"{room}/py.typed"} <= wheel


def test_the_wheel_holds_no_tests_and_nothing_that_hides_a_library(wheel: set[str]) -> None:
    tops = {name.split("/", 1)[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ga_sync", "oauth", "jobs", "models"}


@pytest.mark.skipif(not (ROOT / "alembic" / "env.py").exists(), reason="there is no migration yet")
def test_the_wheel_holds_the_migrations(wheel: set[str]) -> None:
    versions = (ROOT / "alembic" / "versions").glob("*.py")
    assert {"ga_sync/migrations/env.py"} | {
        f"ga_sync/migrations/versions/{path.name}" for path in versions
    } <= wheel


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("target", ["demo", "test", "lint", "format", "types", "lock", "clean"])
def test_make_knows_every_target_of_the_docs(target: str, tmp_path: Path) -> None:
    command = ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_says_what_to_install_where_there_is_no_python(tmp_path: Path) -> None:
    command = ["make", "demo", f"VENV={tmp_path / 'venv'}", "PYTHON=/nowhere/python3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No Python 3.11 or newer among: /nowhere/python3. Install one" in done.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_says_what_to_install_where_python_has_no_venv(tmp_path: Path) -> None:
    bare = tmp_path / "python3"
    bare.write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; *) exit 0 ;; esac\n', encoding="utf-8")
    bare.chmod(0o755)
    command = ["make", "demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={bare}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{bare} has no venv. Install it (Debian, Ubuntu: apt install python3-venv)" in done.stdout


# --- the floor under the tests ---------------------------------------------------------------------------


def floor(report: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """What the gate answers to a coverage report."""
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "floor.py", *arguments],
        input=json.dumps(report),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def coverage_report(covered: int, files: dict[str, list[int]]) -> dict[str, Any]:
    """A report of 200 branches, with the lines of each file that never ran."""
    return {
        "totals": {"num_branches": 200, "covered_branches": covered},
        "files": {name: {"missing_lines": lines} for name, lines in files.items()},
    }


def test_enough_branches_are_enough() -> None:
    assert floor(coverage_report(190, {}), "95") == (0, "branches tried: 95.00 % (at least 95 %)\n")


def test_one_branch_too_few_is_refused() -> None:
    assert floor(coverage_report(189, {}), "95") == (1, "branches tried: 94.50 % (at least 95 %)\n")


def test_an_except_that_no_test_enters_is_refused_and_shown(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "try:\n    go()\nexcept ValueError:\n    stop()\nexcept OSError:\n    wait()\n", encoding="utf-8"
    )
    code, said = floor(coverage_report(200, {str(module): [6]}), "95")
    assert code == 1
    assert said.splitlines()[1:] == [f"no test enters this except: {module}:6"]


def test_a_run_that_measured_no_branches_is_refused() -> None:
    code, said = floor({"totals": {}, "files": {}}, "95")
    assert code == 1
    assert "measured no branches" in said


@pytest.mark.parametrize("arguments", [[], ["much"], ["95", "0"]])
def test_the_gate_without_a_percentage_is_bad_usage(arguments: list[str]) -> None:
    assert floor(coverage_report(200, {}), *arguments)[0] == 2


def test_a_project_without_branches_has_tried_them_all() -> None:
    spec = importlib.util.spec_from_file_location("floor", ROOT / ".ci" / "floor.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.branch_percent({"num_branches": 0, "covered_branches": 0}) == 100.0
