"""Key-encryption keys: they wrap data keys and never touch data. Here: keys that are held in this process.

``file:PATH`` is :mod:`models.kek_file`, ``env:NAME`` is here, ``awskms:KEY_ARN`` is :mod:`models.kms`;
:mod:`models.kek_chain` opens what a setting names. Every version of a key has a number, which stands beside what it
wrapped: a file counts its versions, the others take a number from the key itself.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import KekUnusable
from models.record import NONCE

KEY_BYTES = 32
_COUNTED = 1 << 16
Random = Callable[[int], bytes]


class Kek(Protocol):
    """A key-encryption key with versions."""

    def describe(self) -> str:
        """Where the key lives, for ``doctor`` and ``keyring status``; never the key."""
        ...

    @property
    def primary(self) -> int:
        """The version to wrap under, where the keyring names none."""
        ...

    def holds(self, version: int) -> bool:
        """Whether it can wrap and unwrap under a version; looks again where the version is new to it."""
        ...

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        """Wrap under a version, or under the primary one: (version, wrapped). Raises KekUnusable."""
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

    @property
    def primary(self) -> int:
        """The version to wrap under."""
        return self._primary

    @property
    def versions(self) -> list[int]:
        """Every version, oldest first."""
        return sorted(self._keys)

    def holds(self, version: int) -> bool:
        """Whether this version is here."""
        return version in self._keys

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        """Wrap under a version. Raises KekUnusable where it is absent."""
        chosen = self._primary if version is None else version
        nonce = self._random(NONCE)
        return chosen, nonce + AESGCM(self._key(chosen)).encrypt(nonce, data_key, context)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Open a wrapped data key."""
        try:
            return AESGCM(self._key(version)).decrypt(wrapped[:NONCE], wrapped[NONCE:], context)
        except InvalidTag:
            raise KekUnusable(
                f"{self._where} is not the key-encryption key of this keyring: set GA_SYNC_KEK to the one that was "
                "in use when the keyring was made"
            ) from None

    def _key(self, version: int) -> bytes:
        key = self._keys.get(version)
        if key is None:
            raise KekUnusable(
                f"{self._where} does not hold version {version} of the key-encryption key: set GA_SYNC_KEK to the key "
                "that is in use, or restore it from its copy"
            )
        return key


def decode_key(text: str, where: str) -> bytes:
    """A key of 32 bytes in base64. Raises KekUnusable."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KekUnusable(f"{where} does not hold base64") from None
    if len(key) != KEY_BYTES:
        raise KekUnusable(f"{where} must hold {KEY_BYTES} bytes in base64, not {len(key)}")
    return key


def number_of(identity: bytes) -> int:
    """The version number of a key that counts none: 31 bits of SHA-256 over its identity; above all counted ones."""
    hashed = int.from_bytes(hashlib.sha256(b"ga-sync key version|" + identity).digest()[:4], "big")
    return _COUNTED + hashed % ((1 << 31) - _COUNTED)


def read_env(name: str, environ: Mapping[str, str], random: Random) -> LocalKek:
    """The key in the environment variable ``name``: base64 of 32 bytes. Raises KekUnusable."""
    where = f"env:{name}"
    if not environ.get(name):
        raise KekUnusable(f"the environment variable {name} is empty: put base64 of 32 random bytes into it")
    key = decode_key(environ[name], where)
    return LocalKek(where, {number_of(key): key}, number_of(key), random)
