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


def read_file(path: Path, random: Random) -> LocalKek:
    """The key file at ``path``; refused where others than its owner may read it."""
    where = f"file:{path}"
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KekUnusable(f"{where} cannot be read ({error.strerror}): run `ga-sync keyring init`") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KekUnusable(f"{where} may be read by others: chmod 600 it")
    try:
        body = json.loads(text)
        keys = {int(version): _decode(key, where) for version, key in body["keys"].items()}
        primary = int(body["primary"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KekUnusable(f"{where} is not a key file: restore it from its copy") from None
    if primary not in keys:
        raise KekUnusable(f"{where} names a primary key that it does not hold")
    return LocalKek(where, keys, primary, random)


def create_file(path: Path, random: Random) -> None:
    """Write a new key file of mode 0600, durably; never over an existing one."""
    body = {"format": 1, "primary": 1, "keys": {"1": base64.b64encode(random(KEY_BYTES)).decode()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyringExists(f"{path} exists and is never overwritten") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
