"""A day as bytes, and back.

Layout of version 2, all numbers little-endian:

| bytes | what |
|---|---|
| 1 | version, 2 |
| 4 · 4 | recordings n, of them held as text t, bytes of text b, segments s |
| see `ascending` | the first word of each id (`IdColumn.leads`) |
| 8(n - t) | the second words of the packed ones |
| 4t, 2t, b | positions of the others, their lengths, their UTF-8 bytes |
| per segment | 2 length of its id, its id, 4 length of its members, its members as `gaps` writes them |
| 4 | CRC-32 of all before it |

Days of version 1, which nothing writes any more, are read in `former`.

The bytes are kept sealed by authenticated encryption, so nobody but us writes them; even so decoding
checks every length before it reads, and ends in `DamagedDay` or in a value, whatever it is given.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index import ascending, gaps
from ga_sync.index.cipher import HASH_BITS, IdCipher, Words
from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import IdColumn, is_packable

VERSION = 2
MAX_ID_CHARACTERS = 100
MAX_SEGMENT_BYTES = 0xFFFF
_HEAD = struct.Struct("<BIIII")
_CHECKSUM = struct.Struct("<I")
_SHORT = struct.Struct("<H")
_LONG = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class DayData:
    """One day. Do not change what it holds.

    Attributes:
        ids: The distinct recording ids that are in some segment, in the order of `IdColumn.sort_key`.
        segments: Segment id → positions in `ids`; only segments with members, ascending by id.
    """

    ids: IdColumn
    segments: Mapping[str, BitMap]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DayData):
            return NotImplemented
        return self.ids == other.ids and dict(self.segments) == dict(other.segments)

    __hash__ = None  # type: ignore[assignment]  # compared by value, never a key

    @property
    def recordings(self) -> int:
        """How many recordings the day has."""
        return len(self.ids)

    @property
    def memberships(self) -> int:
        """How many (segment, recording) pairs the day has."""
        return sum(map(len, self.segments.values()))


def encode(day: DayData) -> bytes:
    """Write a day as bytes: at most 16 a recording of 32 hex digits, and mostly less than one a membership."""
    ids = day.ids
    head = _HEAD.pack(VERSION, len(ids), len(ids.text_at), len(ids.text), len(day.segments))
    parts = [head, ascending.write(ids.leads), ids.rests.astype("<u8").tobytes()]
    parts += [
        ids.text_at.astype("<u4").tobytes(),
        np.diff(ids.bounds).astype("<u2").tobytes(),
        bytes(ids.text),
    ]
    for segment, members in sorted(day.segments.items()):
        name, written = segment.encode(), gaps.write(members)
        parts += [_SHORT.pack(len(name)), name, _LONG.pack(len(written)), written]
    body = b"".join(parts)
    return body + _CHECKSUM.pack(zlib.crc32(body))


class LazyDay:
    """A day whose ids are read and whose bitmaps are read when they are asked for. Immutable to whoever looks at it."""

    def __init__(self, ids: IdColumn, stored: Mapping[str, bytes]) -> None:
        self.ids = ids
        self._stored = stored
        self._read: dict[str, BitMap] = {}

    @property
    def segments(self) -> Iterable[str]:
        """The segments with members, ascending."""
        return self._stored.keys()

    def members(self, segment_id: str) -> BitMap:
        """Give the positions of a segment's members; none for a segment that the day does not have.

        Raises:
            DamagedDay: the bytes are not what `encode` wrote.
        """
        held = self._read.get(segment_id)
        if held is None:
            stored = self._stored.get(segment_id)
            held = BitMap() if stored is None else gaps.read(stored, len(self.ids))
            self._read[segment_id] = held
        return held


def decode(data: bytes, key: bytes, bits: int = HASH_BITS) -> DayData:
    """Read a day back.

    Args:
        data: What `encode` wrote.
        key: The link's hash key, under which the day was built.
        bits: Width of the hash that it was built with; 64 except in tests of collisions.

    Raises:
        DamagedDay: the bytes are not what `encode` wrote, in whatever way.
    """
    day = open_day(data, key, bits)
    return DayData(day.ids, {segment: day.members(segment) for segment in day.segments})


def open_day(data: bytes, key: bytes, bits: int = HASH_BITS) -> LazyDay:
    """Read a day back, its bitmaps later.

    Raises:
        DamagedDay: as `decode`, but for what is inside of the bitmaps.
    """
    head, reader = read_head(checked(data), VERSION)
    leads = ascending.read(reader.bytes, head.recordings)
    rests = reader.words(head.recordings - head.texts)
    ids = IdColumn(IdCipher(key, bits), leads, rests, *read_texts(reader, head))
    _check_order(ids)
    return LazyDay(ids, read_segments(reader, head))


def checked(data: bytes) -> memoryview:
    """Give all but the checksum. Raises DamagedDay where it does not fit."""
    if len(data) < _HEAD.size + _CHECKSUM.size:
        raise DamagedDay("The stored day is cut short. Quarantine it and fetch the day again.")
    body = memoryview(data)[: -_CHECKSUM.size]
    if _CHECKSUM.pack(zlib.crc32(body)) != bytes(data[-_CHECKSUM.size :]):
        raise DamagedDay("The stored day fails its checksum. Quarantine it and fetch the day again.")
    return body


class Head(NamedTuple):
    """How many recordings, of them held as text, bytes of text, and segments a day has."""

    recordings: int
    texts: int
    text_bytes: int
    segments: int


def read_head(body: memoryview, expected: int) -> tuple[Head, "Reader"]:
    """Read the head of a day of this version, and what reads on. Raises DamagedDay."""
    version, *counts = _HEAD.unpack_from(body)
    head = Head(*counts)
    if version != expected or head.texts > head.recordings:
        raise DamagedDay(f"The stored day has format {version}, not {expected}. Fetch the day again.")
    return head, Reader(body, _HEAD.size)


def prefix_bytes(recordings: int) -> int:
    """Give how many bytes at the beginning of a day of so many recordings hold the first words of their ids."""
    return _HEAD.size + ascending.size(recordings)


def decode_leads(prefix: bytes) -> Words:
    """Read the first words of a day's ids from its beginning.

    Raises:
        DamagedDay: there are fewer bytes than `prefix_bytes` says, or they are not what `encode` wrote.
    """
    if len(prefix) < _HEAD.size:
        raise DamagedDay("The stored day is cut short. Quarantine it and fetch the day again.")
    head, reader = read_head(memoryview(prefix), VERSION)
    return ascending.read(reader.bytes, head.recordings)


class Reader:
    """Reads onwards from a place and never past the end."""

    def __init__(self, body: memoryview, at: int) -> None:
        self._body = body
        self._at = at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._body) - self._at

    def bytes(self, size: int) -> bytes:
        """Read so many. Raises DamagedDay, as do the others, where fewer are left."""
        if size > self.left:
            raise DamagedDay("The stored day ends before its own lengths say. Fetch the day again.")
        self._at += size
        return bytes(self._body[self._at - size : self._at])

    def words(self, count: int) -> NDArray[np.uint64]:
        """Read so many numbers of eight bytes."""
        return np.frombuffer(self.bytes(8 * count), "<u8").astype(np.uint64, copy=False)

    def longs(self, count: int) -> NDArray[np.uint32]:
        """Read so many numbers of four bytes."""
        return np.frombuffer(self.bytes(4 * count), "<u4").astype(np.uint32, copy=False)

    def shorts(self, count: int) -> NDArray[np.uint32]:
        """Read so many numbers of two bytes."""
        return np.frombuffer(self.bytes(2 * count), "<u2").astype(np.uint32)

    def number(self, form: struct.Struct) -> int:
        """Read one number."""
        (value,) = form.unpack(self.bytes(form.size))
        return int(value)


def read_texts(reader: Reader, head: Head) -> tuple[NDArray[np.uint32], bytes, NDArray[np.uint32]]:
    """Read the ids that are held as text: their positions, all of them, and where each begins, and one past the last.

    Raises:
        DamagedDay: they are not what `encode` wrote.
    """
    texts = head.texts
    text_at, lengths = reader.longs(texts), reader.shorts(texts)
    bounds = np.zeros(texts + 1, np.uint32)
    if int(lengths.sum(dtype=np.int64)) != head.text_bytes:
        raise DamagedDay("The stored day's texts do not add up. Quarantine it and fetch the day again.")
    np.cumsum(lengths, out=bounds[1:])
    if texts and (int(text_at[-1]) >= head.recordings or not (text_at[1:] > text_at[:-1]).all()):
        raise DamagedDay("The stored day's texts are out of place. Quarantine it and fetch the day again.")
    text = reader.bytes(head.text_bytes)
    for rank in range(texts):
        _check_text(text[bounds[rank] : bounds[rank + 1]])
    return text_at, text, bounds


def _check_text(text: bytes) -> None:
    try:
        characters = len(text.decode())
    except UnicodeDecodeError:
        raise DamagedDay("The stored day holds an id that is not UTF-8. Fetch the day again.") from None
    if not 1 <= characters <= MAX_ID_CHARACTERS or is_packable(text):
        raise DamagedDay("The stored day holds an id of impossible form. Fetch the day again.")


def _check_order(ids: IdColumn) -> None:
    """Ids must ascend by `sort_key`, which also makes them distinct; that their first words do is known."""
    ties = np.flatnonzero(ids.leads[1:] == ids.leads[:-1]).tolist()
    if any(ids.sort_key(at) >= ids.sort_key(at + 1) for at in ties):
        raise DamagedDay("The stored day's ids are out of order. Quarantine it and fetch the day again.")


def read_segments(reader: Reader, head: Head) -> dict[str, bytes]:
    """Read to the end: segment id → its members as they are written.

    Raises:
        DamagedDay: they are not what `encode` wrote.
    """
    segments: dict[str, bytes] = {}
    before = b""
    for _ in range(head.segments):
        name = reader.bytes(reader.number(_SHORT))
        if name <= before:
            raise DamagedDay("The stored day's segments are out of order. Fetch the day again.")
        before = name
        segments[_read_name(name)] = reader.bytes(reader.number(_LONG))
    if reader.left:
        raise DamagedDay("The stored day has bytes after its end. Quarantine it and fetch the day again.")
    return segments


def _read_name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise DamagedDay(
            "The stored day holds a segment id that is not UTF-8. Fetch the day again."
        ) from None
