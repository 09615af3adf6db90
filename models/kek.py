"""Key-encryption keys: they wrap data keys and never touch data.

``file:PATH`` (a JSON file of mode 0600), ``env:NAME`` (base64 of 32 bytes in an environment variable).
"""

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import KekUnusable, KeyringExists
from models.private import make_folder, write_new
from models.record import NONCE

KEY_BYTES = 32
Random = Callable[[int], bytes]


class Kek(Protocol):
    """A key-encryption key with versions."""

    def describe(self) -> str:
        """Where the key lives, for ``doctor`` and ``keyring status``; never the key."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> tuple[int, bytes]:
        """Wrap under the primary version: (version, wrapped)."""
        ...

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Raises KekUnusable when the version is absent, or the key or the context is another one."""
        ...


class LocalKek:
    """AES-256-GCM wrapping under keys held in this process; the context is authenticated."""

    def __init__(self, where: str, keys: Mapping[int, bytes], primary: int, random: Random) -> None:
        self._where, self._keys, self._primary, self._random = where, dict(keys), primary, random

    def describe(self) -> str:
        """Where the key lives."""
        return self._where

    def wrap(self, data_key: bytes, context: bytes) -> tuple[int, bytes]:
        """Wrap under the primary version."""
        nonce = self._random(NONCE)
        return self._primary, nonce + AESGCM(self._keys[self._primary]).encrypt(nonce, data_key, context)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Open a wrapped data key."""
        key = self._keys.get(version)
        if key is None:
            raise KekUnusable(f"{self._where} does not hold version {version} of the key-encryption key")
        try:
            return AESGCM(key).decrypt(wrapped[:NONCE], wrapped[NONCE:], context)
        except InvalidTag:
            raise KekUnusable(
                f"{self._where} is not the key-encryption key of this keyring: set GA_SYNC_KEK to the one that was "
                "in use when the keyring was made"
            ) from None


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KekUnusable(f"{where} does not hold base64") from None
    if len(key) != KEY_BYTES:
        raise KekUnusable(f"{where} must hold {KEY_BYTES} bytes in base64, not {len(key)}")
    return key


def read_env(name: str, environ: Mapping[str, str], random: Random) -> LocalKek:
    """The key in the environment variable ``name``."""
    where = f"env:{name}"
    if not environ.get(name):
        raise KekUnusable(f"the environment variable {name} is empty: put base64 of 32 random bytes into it")
    return LocalKek(where, {1: _decode(environ[name], where)}, 1, random)


def read_file(path: Path, random: Random, user: Callable[[], int] = os.geteuid) -> LocalKek:
    """The key file at ``path``.

    Args:
        path: a JSON file in UTF-8: ``{"format": 1, "primary": 1, "keys": {"1": base64 of 32 bytes}}``.
        random: where nonces come from.
        user: the number of the user that must own the file.

    Raises:
        KekUnusable: absent, malformed, of another user, or others than its owner may touch it.
    """
    where = f"file:{path}"
    content = _read_private(path, where, user)
    try:
        body = json.loads(content.decode("utf-8"))
        keys = {int(version): _decode(key, where) for version, key in body["keys"].items()}
        primary = int(body["primary"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KekUnusable(f"{where} is not a key file: restore it from its copy") from None
    if primary not in keys:
        raise KekUnusable(f"{where} names a primary key that it does not hold")
    return LocalKek(where, keys, primary, random)


def _read_private(path: Path, where: str, user: Callable[[], int]) -> bytes:
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            content = file.read()
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
    body = {"format": 1, "primary": 1, "keys": {"1": base64.b64encode(random(KEY_BYTES)).decode()}}
    make_folder(path.parent)
    try:
        write_new(path, json.dumps(body).encode(), path.with_name(f".{path.name}.{random(8).hex()}"))
    except FileExistsError:
        raise KeyringExists(f"{path} exists and is never overwritten") from None
