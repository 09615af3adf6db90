"""Build the site of the documents: ``python -m tests.site FOLDER`` makes FOLDER/site."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.site.reference import ROOT, document, reference

FRONT = ("README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "compose.yaml", "Dockerfile", ".env.example")


def assemble(folder: Path) -> None:
    """Lay the pages out as they lie in the repository, with the reference beside them."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    ignored = shutil.ignore_patterns("zensical.toml", "__pycache__")
    shutil.copytree(ROOT / "docs", source / "docs", ignore=ignored)
    for name in FRONT:
        shutil.copy(ROOT / name, source / name)
    page = reference(document(), (ROOT / "docs" / "http.md").read_text("utf-8"))
    (source / "docs" / "reference.md").write_text(page, "utf-8")
    shutil.copy(ROOT / "docs" / "zensical.toml", folder / "zensical.toml")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Make the site; a link that leads nowhere fails it."""
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main(arguments: list[str]) -> int:
    """Build it where it is wanted; 0 where it stands."""
    folder = Path(arguments[0])
    assemble(folder)
    done = build(folder)
    sys.stdout.write(done.stdout + done.stderr if done.returncode else f"{folder / 'site' / 'index.html'}\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
