"""``file:PATH``: key-encryption keys in a JSON file of mode 0600, counted from 1.

``{"format": 1, "primary": 1, "keys": {"1": base64 of 32 bytes}}``. A new version is written beside the old ones before
anything is wrapped under it; running processes read the file again when they meet a version that they do not know.
"""

import base64
import fcntl
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.errors import KekUnusable, KeyringExists
from models.kek import KEY_BYTES, LocalKek, Random, decode_key
from models.private import make_folder, remove_unfinished, replace, write_new


class FileKek:
    """The key file at ``path``, as it was when it was last read."""

    def __init__(self, path: Path, random: Random, user: Callable[[], int]) -> None:
        self._path, self._random, self._user = path, random, user
        self._lock = threading.Lock()
        self._held = self._read()

    def describe(self) -> str:
        """Where the key lives."""
        return self._held.describe()

    @property
    def primary(self) -> int:
        """The version that the file names primary."""
        return self._held.primary

    @property
    def versions(self) -> list[int]:
        """Every version, oldest first."""
        return self._held.versions

    def holds(self, version: int) -> bool:
        """Whether the file has this version; it is read again where it had not."""
        return self._with(version).holds(version)

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        """Wrap under a version. Raises KekUnusable where the file has none such."""
        held = self._held if version is None else self._with(version)
        return held.wrap(data_key, context, version)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Open a wrapped data key. Raises KekUnusable."""
        return self._with(version).unwrap(version, wrapped, context)

    def _with(self, version: int) -> LocalKek:
        if not self._held.holds(version):
            with self._lock:
                self._held = self._read()
        return self._held

    def _read(self) -> LocalKek:
        where = f"file:{self._path}"
        keys, primary = _parsed(_read_private(self._path, where, self._user), where)
        return LocalKek(where, keys, primary, self._random)

    def after(self, version: int) -> int:
        """A version that is newer than this one: made beside the others, durably, where there is none yet.

        Raises:
            KekUnusable: the file cannot be read.
            OSError: it could not be written; it is as it was.
        """
        with self._changing() as (keys, primary):
            newest = max(keys)
            if newest <= version:
                newest = version + 1
                self._write({**keys, newest: self._random(KEY_BYTES)}, primary)
        return newest

    def keep_only(self, version: int) -> list[int]:
        """Destroy every other version; which they were. Raises as :meth:`after`."""
        with self._changing() as (keys, primary):
            if version not in keys:
                raise KekUnusable(
                    f"{self.describe()} does not hold version {version}: restore it from its copy"
                )
            gone = sorted(keys.keys() - {version})
            if gone or primary != version:
                self._write({version: keys[version]}, version)
        return gone

    @contextmanager
    def _changing(self) -> Iterator[tuple[dict[int, bytes], int]]:
        """The file's content, while nobody else changes it; it is read again afterwards."""
        where = f"file:{self._path}"
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            remove_unfinished(self._path, f".{self._path.name}.")  # it holds keys that are to be destroyed
            yield _parsed(_read_private(self._path, where, self._user), where)
        finally:
            os.close(folder)
        with self._lock:
            self._held = self._read()

    def _write(self, keys: Mapping[int, bytes], primary: int) -> None:
        replace(self._path, _body(keys, primary), self._beside())

    def _beside(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{self._random(8).hex()}")


def read_file(path: Path, random: Random, user: Callable[[], int] = os.geteuid) -> FileKek:
    """The key file at ``path``.

    Args:
        path: a JSON file in UTF-8, see above.
        random: where nonces and new keys come from.
        user: the number of the user that must own the file.

    Raises:
        KekUnusable: absent, malformed, of another user, or others than its owner may touch it.
    """
    return FileKek(path, random, user)


def _parsed(content: bytes, where: str) -> tuple[dict[int, bytes], int]:
    try:
        body = json.loads(content.decode("utf-8"))
        keys = {int(version): decode_key(key, where) for version, key in body["keys"].items()}
        primary = int(body["primary"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KekUnusable(f"{where} is not a key file: restore it from its copy") from None
    if primary not in keys:
        raise KekUnusable(f"{where} names a primary key that it does not hold")
    return keys, primary


def _body(keys: Mapping[int, bytes], primary: int) -> bytes:
    encoded = {str(version): base64.b64encode(key).decode() for version, key in sorted(keys.items())}
    return json.dumps({"format": 1, "primary": primary, "keys": encoded}).encode()


def _read_private(path: Path, where: str, user: Callable[[], int]) -> bytes:
    try:
        while True:
            with path.open("rb") as file:
                facts, content = os.fstat(file.fileno()), file.read()
            if path.stat().st_ino == facts.st_ino:  # else it was replaced, and overwritten, while it was read
                break
    except OSError as error:
        raise KekUnusable(f"{where} cannot be read ({error.strerror}): run `ga-sync keyring init`") from None
    if facts.st_uid != user():
        raise KekUnusable(f"{where} belongs to another user: chown it to the one that runs ga-sync")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise KekUnusable(f"{where} may be read by others: chmod 600 it")
    return content


def create_file(path: Path, random: Random) -> None:
    """Write a new key file of mode 0600, durably and whole or not at all.

    Raises:
        KeyringExists: there is one; it is never overwritten.
        OSError: it could not be written, and nothing is left of it.
    """
    make_folder(path.parent)
    try:
        write_new(path, _body({1: random(KEY_BYTES)}, 1), path.with_name(f".{path.name}.{random(8).hex()}"))
    except FileExistsError:
        raise KeyringExists(f"{path} exists and is never overwritten") from None
