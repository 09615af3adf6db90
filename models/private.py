"""Folders and files that only their owner may read, whatever the umask is: it can take bits away, never add them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def make_folder(folder: Path) -> None:
    """Make every missing folder of the path; what is there already keeps its mode."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(FOLDER, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file where there is none; where none can be made, whoever opens it next says why."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))


def write_new(path: Path, content: bytes, beside: Path) -> None:
    """Write a new file durably and whole: it is there with all its content or not at all, also after a power cut.

    Args:
        path: where; its folder exists.
        content: all of it.
        beside: where it is written first, in the same folder; nothing is left there.

    Raises:
        FileExistsError: ``path`` exists; it is left as it is.
        OSError: it could not be written.
    """
    with _written(beside, content):
        path.hardlink_to(beside)  # unlike a rename, never over a file that is there
    _sync_folder(path.parent)


def replace(path: Path, content: bytes, beside: Path) -> None:
    """Write a file anew, durably: it has its old content or all of the new one, also after a power cut.

    The old content is overwritten where it lies. (A disk may keep copies that no program reaches.) Arguments and
    errors are those of :func:`write_new`, but that the file is there.
    """
    with path.open("r+b") as old:
        with _written(beside, content):
            beside.rename(path)
            _sync_folder(path.parent)
        old.write(bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())


def remove_unfinished(path: Path, prefix: str) -> None:
    """Take away what a killed process had begun to write beside ``path``: the files there whose names begin so.

    Each is overwritten first, unless it is the finished file itself under a second name.
    """
    for one in path.parent.iterdir():
        if one.name.startswith(prefix):
            with one.open("r+b") as file:
                facts = os.fstat(file.fileno())
                if facts.st_nlink == 1:
                    file.write(bytes(facts.st_size))
                    file.flush()
                    os.fsync(file.fileno())
            one.unlink()


@contextmanager
def _written(beside: Path, content: bytes) -> Iterator[None]:
    """The content in a file beside its place; whatever is left of that is taken away."""
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield
    finally:
        beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
