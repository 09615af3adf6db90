"""The sealed record, suite 1: AES-256-GCM (NIST SP 800-38D) with everything that names its place authenticated.

A value is padded first, with 0x80 and zeros (ISO/IEC 7816-4), up to the next power of two from 64 bytes to 64 KiB, and
above to the next sixteenth of the power of two below, 6.25 % at most: many lengths look alike. What is padded is cut.

One chunk is ``0x47 | version 0x01 | suite 0x01 | dek_id u32 | nonce 12 | ciphertext | tag 16``, 35 bytes more than
what is in it. Anything longer than 1 MiB is a run of chunks, each of exactly 1 MiB but the last; the chunk's number and
their count are authenticated, so chunks can be neither dropped, repeated nor reordered.

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
SMALLEST, KNEE = 64, 1 << 16
"""Bytes: properties, segment numbers and verifiers are all shorter; above the knee doubling would cost too much."""
_FULL = CHUNK + OVERHEAD
_MARK = b"\x80"
_CLOSED = "a sealed value does not open in its place"

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


def padded(plain: int) -> int:
    """How many bytes so many become inside the encryption: at least one more."""
    needed = plain + len(_MARK)
    if needed <= KNEE:
        return max(SMALLEST, 1 << (needed - 1).bit_length())
    step = 1 << needed.bit_length() - 5
    return -(-needed // step) * step


def messages(plain: int) -> int:
    """How many messages, one a chunk, so many bytes are sealed as."""
    return -(-padded(plain) // CHUNK)


def seal(key: bytes, dek_id: int, place: Place, plaintext: bytes, random: Random) -> Sealed:
    """Seal ``plaintext`` for ``place`` under a 32-byte column key."""
    cipher = AESGCM(key)
    header = HEADER.pack(MAGIC, VERSION, SUITE, dek_id)
    pieces = _pieces(plaintext)
    out = bytearray()
    for index, piece in enumerate(pieces):
        nonce = random(NONCE)
        out += header + nonce
        out += cipher.encrypt(nonce, piece, associated_data(place, dek_id, index, len(pieces)))
    return Sealed(bytes(out))


def _pieces(plaintext: bytes) -> list[memoryview]:
    """The chunks of what is padded; of the plaintext only what is beyond its last whole chunk is copied."""
    whole, size = len(plaintext) // CHUNK * CHUNK, len(plaintext)
    ending = bytearray(padded(size) - whole)
    ending[: size - whole] = memoryview(plaintext)[whole:]
    ending[size - whole : size - whole + 1] = _MARK
    begun = [memoryview(plaintext)[at : at + CHUNK] for at in range(0, whole, CHUNK)]
    return begun + [memoryview(ending)[at : at + CHUNK] for at in range(0, len(ending), CHUNK)]


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
    rest is there unaltered is noticed by whoever opens it. Padding is taken off where the last chunk is in the prefix;
    without it, only the bytes that were asked of :func:`prefix_bytes` are sure to be the value's.

    Raises:
        SealBroken: as :func:`open_`; also where the prefix ends inside a chunk, the value has another length, or its
            padding is none of ours.
    """
    dek_id = dek_id_of(prefix)
    cipher, chunks = AESGCM(key), -(-whole // _FULL)
    out, view = bytearray(), memoryview(prefix.ciphertext)
    starts = range(0, len(view), _FULL)
    for index, start in enumerate(starts):
        piece = view[start : start + _FULL]
        if len(piece) < OVERHEAD or dek_id_of(Sealed(bytes(piece[:OVERHEAD]))) != dek_id:
            raise SealBroken(_CLOSED)
        nonce = piece[HEADER.size : HEADER.size + NONCE]
        body = piece[HEADER.size + NONCE :]
        try:
            out += cipher.decrypt(nonce, body, associated_data(place, dek_id, index, chunks))
        except InvalidTag:
            raise SealBroken(_CLOSED) from None
    if len(starts) == chunks:
        del out[_end(out) :]
    return bytes(out)


def _end(opened: bytearray) -> int:
    """Where the padding of a whole value begins."""
    end = opened.rfind(_MARK)
    if end < 0 or opened.count(0, end) != len(opened) - end - 1:
        raise SealBroken(_CLOSED)
    return end
