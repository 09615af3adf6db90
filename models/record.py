"""The sealed record, suite 1: AES-256-GCM (NIST SP 800-38D) with everything that names its place authenticated.

One chunk is ``0x47 | version 0x01 | suite 0x01 | dek_id u32 | nonce 12 | ciphertext | tag 16``, 35 bytes more than
its plaintext. A value longer than 1 MiB is a run of chunks, each of exactly 1 MiB of plaintext but the last; the
chunk's number and their count are authenticated, so chunks can be neither dropped, repeated nor reordered.

Associated data: ``"gasf/1" ‖ LP(suite) ‖ LP(customer) ‖ LP(table) ‖ LP(column) ‖ LP(row) ‖ LP(dek_id) ‖
LP(generation) ‖ LP(chunk_i) ‖ LP(chunk_n)``; LP is a 2-byte big-endian length followed by the bytes, numbers are
ASCII decimal. The key is ``HKDF-SHA256(data key, info="enc|table|column")``.
"""

import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import SealBroken
from models.sealed import Place, Sealed

MAGIC, VERSION, SUITE = 0x47, 0x01, 0x01
CHUNK = 1 << 20
NONCE = 12
HEADER = struct.Struct(">BBBI")
OVERHEAD = HEADER.size + NONCE + 16
_FULL = CHUNK + OVERHEAD

Random = Callable[[int], bytes]


def _lp(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def associated_data(place: Place, dek_id: int, chunk: int, chunks: int) -> bytes:
    """The bytes that bind one chunk to its place."""
    parts = (
        str(SUITE),
        place.customer_id,
        place.table,
        place.column,
        place.row,
        str(dek_id),
        str(place.generation),
        str(chunk),
        str(chunks),
    )
    return b"gasf/1" + b"".join(_lp(part.encode()) for part in parts)


def seal(key: bytes, dek_id: int, place: Place, plaintext: bytes, random: Random) -> Sealed:
    """Seal ``plaintext`` for ``place`` under a 32-byte column key."""
    cipher = AESGCM(key)
    header = HEADER.pack(MAGIC, VERSION, SUITE, dek_id)
    view = memoryview(plaintext)
    chunks = max(1, -(-len(view) // CHUNK))
    out = bytearray()
    for index in range(chunks):
        nonce = random(NONCE)
        part = view[index * CHUNK : (index + 1) * CHUNK]
        out += header + nonce + cipher.encrypt(nonce, part, associated_data(place, dek_id, index, chunks))
    return Sealed(bytes(out))


def dek_id_of(sealed: Sealed) -> int:
    """Which data key sealed this.

    Raises:
        SealBroken: the header is not one of ours (a newer suite fails closed).
    """
    data = sealed.ciphertext
    if len(data) < OVERHEAD:
        raise SealBroken("a sealed value is too short to be whole")
    magic, version, suite, dek_id = HEADER.unpack_from(data)
    if (magic, version, suite) != (MAGIC, VERSION, SUITE):
        raise SealBroken("a sealed value has a format this version does not know")
    return int(dek_id)


def open_(key: bytes, place: Place, sealed: Sealed) -> bytes:
    """Open what :func:`seal` made, in the same place.

    Raises:
        SealBroken: altered, truncated, extended, reordered, moved, or under another key: always the same words.
    """
    return open_prefix(key, place, sealed, len(sealed.ciphertext))


def prefix_bytes(plain: int) -> int:
    """How many bytes at the beginning of a sealed value are the chunks that hold so much of its plaintext."""
    return -(-plain // CHUNK) * _FULL


def open_prefix(key: bytes, place: Place, prefix: Sealed, whole: int) -> bytes:
    """Open the chunks at the beginning of a value of ``whole`` sealed bytes, and nothing of the others.

    No byte comes out that was not authenticated: each chunk by itself, with its place, its number and the count of all,
    which ``whole`` must agree with. So what comes out is the true beginning of what was sealed here, and whether the
    rest is there unaltered is noticed by whoever opens it.

    Raises:
        SealBroken: as :func:`open_`; also where the prefix ends inside a chunk, or the value has another length.
    """
    dek_id = dek_id_of(prefix)
    cipher, chunks = AESGCM(key), -(-whole // _FULL)
    view = memoryview(prefix.ciphertext)
    out = bytearray()
    for index, start in enumerate(range(0, len(view), _FULL)):
        piece = view[start : start + _FULL]
        if len(piece) < OVERHEAD or dek_id_of(Sealed(bytes(piece[:OVERHEAD]))) != dek_id:
            raise SealBroken("a sealed value does not open in its place")
        nonce = piece[HEADER.size : HEADER.size + NONCE]
        body = piece[HEADER.size + NONCE :]
        try:
            out += cipher.decrypt(nonce, body, associated_data(place, dek_id, index, chunks))
        except InvalidTag:
            raise SealBroken("a sealed value does not open in its place") from None
    return bytes(out)
