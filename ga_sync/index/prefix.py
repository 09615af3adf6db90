"""The beginning of a sealed value, opened without the rest of it.

A value is sealed in chunks that name their number and their count (`models.record`), so the first of them can be
opened, and is authenticated, alone: that a later one is missing or altered is noticed when that one is opened.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models import record
from models.errors import SealBroken
from models.keyring import Sealer
from models.sealed import Place, Sealed

_FULL = record.CHUNK + record.OVERHEAD


def sealed_bytes(plain: int) -> int:
    """Give how many bytes at the beginning of a sealed value hold so many of its plaintext."""
    return -(-plain // record.CHUNK) * _FULL


def open_prefix(sealer: Sealer, place: Place, prefix: bytes, whole: int) -> bytes:
    """Open the chunks at the beginning of a value.

    Args:
        sealer: Of the value's owner.
        place: Where the value belongs.
        prefix: What `sealed_bytes` asked for, or all of a shorter value.
        whole: How many bytes the sealed value has altogether.

    Raises:
        SealBroken: altered, moved, cut, or under another key.
    """
    cipher = AESGCM(sealer.key(f"enc|{place.table}|{place.column}"))
    chunks = -(-whole // _FULL)
    plain = bytearray()
    for number, start in enumerate(range(0, len(prefix), _FULL)):
        piece = prefix[start : start + _FULL]
        bound = record.associated_data(place, record.dek_id_of(Sealed(piece)), number, chunks)
        body = record.HEADER.size + record.NONCE
        try:
            plain += cipher.decrypt(piece[record.HEADER.size : body], piece[body:], bound)
        except InvalidTag:
            raise SealBroken("a sealed value does not open in its place") from None
    return bytes(plain)
