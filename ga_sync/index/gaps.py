"""The set of a day's members of one segment, as few bytes.

A roaring bitmap takes two bytes a member where they are sparse, and two to twenty bits where they are dense: it is made
to be intersected, not to be kept. Kept are the gaps between members, which are small numbers of very uneven frequency,
under a Huffman code (the Huffman-only strategy of zlib, raw DEFLATE, RFC 1951). Members that are spread evenly, as the
order by a keyed hash spreads them, cannot take less than the entropy of their rate, and this is near it.

A byte below 255 is a gap: so many positions that are no member, then one that is. 255 is as many without a member.
Where the gaps save little the roaring bitmap is kept, because it is read twenty times faster.
"""

import zlib

import numpy as np
from pyroaring import BitMap

from ga_sync.index.errors import DamagedDay
from ga_sync.index.sets import numbers, set_of

ROARING, _GAPS = b"\x00", b"\x01"
_SKIP = 255
_WORTH = 0.75
"""Gaps are kept where they take at most so much of what the roaring bitmap takes."""
_RAW = -15
"""DEFLATE without a header, with a window of 2^15 bytes."""


def write(members: BitMap) -> bytes:
    """Write a set with members as bytes."""
    roaring = members.serialize()
    code = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, zlib.Z_HUFFMAN_ONLY)
    gaps = code.compress(_gaps(members)) + code.flush()
    return _GAPS + gaps if len(gaps) <= _WORTH * len(roaring) else ROARING + roaring


def _gaps(members: BitMap) -> bytes:
    between = np.diff(numbers(members).astype(np.int64), prepend=-1) - 1
    skips = between // _SKIP
    gaps = np.full(len(between) + int(skips.sum()), _SKIP, np.uint8)
    gaps[np.cumsum(skips + 1) - 1] = between - _SKIP * skips
    return gaps.tobytes()


def read(data: bytes, size: int) -> BitMap:
    """Read a set back, whose members are below ``size``.

    Raises:
        DamagedDay: the bytes are not what `write` wrote.
    """
    form, rest = data[:1], data[1:]
    if form == ROARING:
        return _read_roaring(rest, size)
    if form == _GAPS:
        return _read_gaps(rest, size)
    raise DamagedDay("The stored day holds a bitmap of unknown form. Fetch the day again.")


def _read_roaring(data: bytes, size: int) -> BitMap:
    try:
        bitmap = BitMap.deserialize(data)
    except (ValueError, IndexError):
        raise DamagedDay("The stored day holds a bitmap that cannot be read. Fetch the day again.") from None
    if not bitmap or bitmap.max() >= size or bitmap.serialize() != data:
        raise _impossible()
    return bitmap


def _read_gaps(data: bytes, size: int) -> BitMap:
    gaps = np.frombuffer(_inflated(data, size), np.uint8)
    ends = gaps != _SKIP
    behind = np.cumsum(gaps + ends, dtype=np.uint32)  # a byte holds the sum: 254 and one, or 255 and none
    if not len(gaps) or not ends[-1] or behind.max() > size:
        raise _impossible()
    return set_of(behind[ends] - np.uint32(1))


def _inflated(data: bytes, size: int) -> bytes:
    code = zlib.decompressobj(_RAW)
    try:
        gaps = code.decompress(data, size + size // _SKIP + 1)
    except zlib.error:
        raise DamagedDay("The stored day holds gaps that cannot be read. Fetch the day again.") from None
    if not code.eof or code.unused_data:
        raise _impossible()
    return gaps


def _impossible() -> DamagedDay:
    return DamagedDay("The stored day holds a bitmap of impossible content. Fetch the day again.")
