"""What the tests of models share: places, keys, and a reader of sealed records that knows only their description."""

import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM

from models.kek import Kek, LocalKek
from models.sealed import Place

PLACE = Place("acme", "grants", "token", "row-1", 3)
MIB = 1 << 20


class Monotonic:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def kek(key: bytes = b"k" * 32, version: int = 1) -> LocalKek:
    """A key-encryption key of one version."""
    return LocalKek("env:TEST", {version: key}, version, os.urandom)


class Interrupted:
    """A key-encryption key during whose next unwrapping something happens, once."""

    def __init__(self, kek: Kek) -> None:
        self._kek = kek
        self.meanwhile: Callable[[], object] | None = None

    def describe(self) -> str:
        return self._kek.describe()

    @property
    def primary(self) -> int:
        return self._kek.primary

    def holds(self, version: int) -> bool:
        return self._kek.holds(version)

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        return self._kek.wrap(data_key, context, version)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        now, self.meanwhile = self.meanwhile, None
        if now is not None:
            now()
        return self._kek.unwrap(version, wrapped, context)


def hkdf(key: bytes, info: str, length: int) -> bytes:
    """HKDF-SHA256 of RFC 5869 for one block of output, without salt."""
    extracted = hmac.digest(bytes(32), key, hashlib.sha256)
    return hmac.digest(extracted, info.encode() + b"\1", hashlib.sha256)[:length]


def independent_open(key: bytes, place: Place, record: bytes) -> bytes:
    """Opens a sealed record, written from the description of the format and sharing no code with it."""
    full = MIB + 35
    chunks = [record[start : start + full] for start in range(0, len(record), full)]
    plain = b""
    for number, chunk in enumerate(chunks):
        assert chunk[:3] == b"\x47\x01\x01"
        dek = int.from_bytes(chunk[3:7], "big")
        names = [place.customer_id, place.table, place.column, place.row]
        words = ["1", *names, *(str(n) for n in (dek, place.generation, number, len(chunks)))]
        bound = b"gasf/1" + b"".join(len(w.encode()).to_bytes(2, "big") + w.encode() for w in words)
        opener = Cipher(AES256(key), GCM(chunk[7:19], chunk[-16:])).decryptor()
        opener.authenticate_additional_data(bound)
        plain += opener.update(chunk[19:-16]) + opener.finalize()
    value, mark, padding = plain.rpartition(b"\x80")
    assert mark
    assert not padding.strip(b"\0")
    return value
