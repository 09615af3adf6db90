"""A day as bytes, and back.

Layout of version 1, all numbers little-endian:

| bytes | what |
|---|---|
| 1 | version, 1 |
| 4 · 4 | recordings n, of them held as text t, bytes of text b, segments s |
| see below | keyed hashes, ascending |
| 16(n - t) | ids of 32 lower-case hex digits, packed |
| 4t, 2t, b | positions of the others, their lengths, their UTF-8 bytes |
| per segment | 2 length of its id, its id, 4 length of its bitmap, the bitmap in the portable roaring format |
| 4 | CRC-32 of all before it |

Hashes ascend, so their upper bits are nearly known from their place (Elias-Fano, 1974): from 256 recordings on the
upper 8 bits of each, from 65,536 on the upper 16, are kept as n + 2^8 (2^16) bits in which the one of number i
stands at i + upper bits, padded to whole bytes; the 7 (6) bytes below follow. Fewer recordings: 8 bytes each.

The bytes are kept sealed by authenticated encryption, so nobody but us writes them; even so decoding
checks every length before it reads, and ends in `DamagedDay` or in a value, whatever it is given.
Format of a bitmap: https://github.com/RoaringBitmap/RoaringFormatSpec
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import IdColumn, is_packable

VERSION = 1
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
        ids: The distinct recording ids that are in some segment, in order of (hash, UTF-8 bytes).
        hashes: The keyed hash of each, ascending; uint64.
        segments: Segment id → positions in `ids`; only segments with members, ascending by id.
    """

    ids: IdColumn
    hashes: NDArray[np.uint64]
    segments: Mapping[str, BitMap]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DayData):
            return NotImplemented
        alike = self.ids == other.ids and np.array_equal(self.hashes, other.hashes)
        return alike and dict(self.segments) == dict(other.segments)

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
    """Write a day as bytes: at most 24 a recording of 32 hex digits, and one to two a membership."""
    ids = day.ids
    head = _HEAD.pack(VERSION, len(ids), len(ids.text_at), len(ids.text), len(day.segments))
    parts = [head, *_hash_bytes(day.hashes), ids.words.astype("<u8").tobytes()]
    parts += [ids.text_at.astype("<u4").tobytes(), np.diff(ids.bounds).astype("<u2").tobytes(), ids.text]
    for segment, members in sorted(day.segments.items()):
        name, bitmap = segment.encode(), members.serialize()
        parts += [_SHORT.pack(len(name)), name, _LONG.pack(len(bitmap)), bitmap]
    body = b"".join(parts)
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _upper_bytes(count: int) -> int:
    return sum(count >= floor for floor in (256, 65_536))


def _hash_bytes(hashes: NDArray[np.uint64]) -> tuple[bytes, bytes]:
    upper = _upper_bytes(len(hashes))
    low = hashes.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : 8 - upper]
    if not upper:
        return b"", low.tobytes()
    bits = np.zeros(len(hashes) + (1 << 8 * upper), np.uint8)
    bits[(hashes >> np.uint64(64 - 8 * upper)).astype(np.int64) + np.arange(len(hashes))] = 1
    return np.packbits(bits).tobytes(), low.tobytes()


class LazyDay:
    """A day whose ids are read and whose bitmaps are read when they are asked for. Immutable to whoever looks at it."""

    def __init__(self, ids: IdColumn, hashes: NDArray[np.uint64], stored: Mapping[str, bytes]) -> None:
        self.ids = ids
        self.hashes = hashes
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
            held = BitMap() if stored is None else _read_bitmap(stored, len(self.ids))
            self._read[segment_id] = held
        return held


def decode(data: bytes) -> DayData:
    """Read a day back.

    Raises:
        DamagedDay: the bytes are not what `encode` wrote, in whatever way.
    """
    day = open_day(data)
    return DayData(day.ids, day.hashes, {segment: day.members(segment) for segment in day.segments})


def open_day(data: bytes) -> LazyDay:
    """Read a day back, its bitmaps later.

    Raises:
        DamagedDay: as `decode`, but for what is inside of the bitmaps.
    """
    if len(data) < _HEAD.size + _CHECKSUM.size:
        raise DamagedDay("The stored day is cut short. Quarantine it and fetch the day again.")
    body = memoryview(data)[: -_CHECKSUM.size]
    if _CHECKSUM.pack(zlib.crc32(body)) != bytes(data[-_CHECKSUM.size :]):
        raise DamagedDay("The stored day fails its checksum. Quarantine it and fetch the day again.")
    count, texts, text_bytes, segments = _read_head(body)
    reader = _Reader(body, _HEAD.size)
    hashes = _read_hashes(reader, count)
    ids = _read_ids(reader, count, texts, text_bytes)
    _check_order(ids, hashes)
    day = LazyDay(ids, hashes, _read_segments(reader, segments))
    if reader.left:
        raise DamagedDay("The stored day has bytes after its end. Quarantine it and fetch the day again.")
    return day


def _read_head(body: memoryview) -> tuple[int, int, int, int]:
    version, count, texts, text_bytes, segments = _HEAD.unpack_from(body)
    if version != VERSION or texts > count:
        raise DamagedDay(f"The stored day has format {version}, not {VERSION}. Fetch the day again.")
    return count, texts, text_bytes, segments


def prefix_bytes(recordings: int) -> int:
    """Give how many bytes at the beginning of a day of so many recordings hold its hashes."""
    upper = _upper_bytes(recordings)
    bits = (recordings + (1 << 8 * upper) + 7) // 8 if upper else 0
    return _HEAD.size + bits + recordings * (8 - upper)


def decode_hashes(prefix: bytes) -> NDArray[np.uint64]:
    """Read the hashes of a day from its beginning.

    Raises:
        DamagedDay: there are fewer bytes than `prefix_bytes` says, or they are not what `encode` wrote.
    """
    if len(prefix) < _HEAD.size:
        raise DamagedDay("The stored day is cut short. Quarantine it and fetch the day again.")
    body = memoryview(prefix)
    count, *_ = _read_head(body)
    hashes = _read_hashes(_Reader(body, _HEAD.size), count)
    if (hashes[1:] < hashes[:-1]).any():
        raise DamagedDay("The stored day's ids are out of order. Quarantine it and fetch the day again.")
    return hashes


class _Reader:
    """Reads onwards from a place and never past the end."""

    def __init__(self, body: memoryview, at: int) -> None:
        self._body = body
        self._at = at

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def bytes(self, size: int) -> bytes:
        if size > self.left:
            raise DamagedDay("The stored day ends before its own lengths say. Fetch the day again.")
        self._at += size
        return bytes(self._body[self._at - size : self._at])

    def words(self, count: int) -> NDArray[np.uint64]:
        return np.frombuffer(self.bytes(8 * count), "<u8").astype(np.uint64, copy=False)

    def longs(self, count: int) -> NDArray[np.uint32]:
        return np.frombuffer(self.bytes(4 * count), "<u4").astype(np.uint32, copy=False)

    def shorts(self, count: int) -> NDArray[np.uint32]:
        return np.frombuffer(self.bytes(2 * count), "<u2").astype(np.uint32)

    def number(self, form: struct.Struct) -> int:
        (value,) = form.unpack(self.bytes(form.size))
        return int(value)


def _read_hashes(reader: _Reader, count: int) -> NDArray[np.uint64]:
    upper = _upper_bytes(count)
    if not upper:
        return reader.words(count)
    bits = np.frombuffer(reader.bytes((count + (1 << 8 * upper) + 7) // 8), np.uint8)
    place = np.flatnonzero(np.unpackbits(bits))
    if len(place) != count or place[-1] >= count + (1 << 8 * upper):
        raise DamagedDay("The stored day's hashes do not add up. Quarantine it and fetch the day again.")
    low = np.zeros((count, 8), np.uint8)
    low[:, : 8 - upper] = np.frombuffer(reader.bytes(count * (8 - upper)), np.uint8).reshape(count, -1)
    above = (place - np.arange(count)).astype(np.uint64) << np.uint64(64 - 8 * upper)
    return low.view("<u8").reshape(-1).astype(np.uint64) | above


def _read_ids(reader: _Reader, count: int, texts: int, text_bytes: int) -> IdColumn:
    words = reader.words(2 * (count - texts)).reshape(-1, 2)
    text_at, lengths = reader.longs(texts), reader.shorts(texts)
    bounds = np.zeros(texts + 1, np.uint32)
    if int(lengths.sum(dtype=np.int64)) != text_bytes:
        raise DamagedDay("The stored day's texts do not add up. Quarantine it and fetch the day again.")
    np.cumsum(lengths, out=bounds[1:])
    if texts and (int(text_at[-1]) >= count or not (text_at[1:] > text_at[:-1]).all()):
        raise DamagedDay("The stored day's texts are out of place. Quarantine it and fetch the day again.")
    ids = IdColumn(words, text_at, reader.bytes(text_bytes), bounds)
    for rank in range(texts):
        _check_text(ids.text[bounds[rank] : bounds[rank + 1]])
    return ids


def _check_text(text: bytes) -> None:
    try:
        characters = len(text.decode())
    except UnicodeDecodeError:
        raise DamagedDay("The stored day holds an id that is not UTF-8. Fetch the day again.") from None
    if not 1 <= characters <= MAX_ID_CHARACTERS or is_packable(text):
        raise DamagedDay("The stored day holds an id of impossible form. Fetch the day again.")


def _check_order(ids: IdColumn, hashes: NDArray[np.uint64]) -> None:
    """Ids must ascend by (hash, UTF-8 bytes), which also makes them distinct."""
    ties = np.flatnonzero(hashes[1:] == hashes[:-1])
    if (hashes[1:] < hashes[:-1]).any() or any(ids.utf8(int(at)) >= ids.utf8(int(at) + 1) for at in ties):
        raise DamagedDay("The stored day's ids are out of order. Quarantine it and fetch the day again.")


def _read_segments(reader: _Reader, count: int) -> dict[str, bytes]:
    segments: dict[str, bytes] = {}
    before = b""
    for _ in range(count):
        name = reader.bytes(reader.number(_SHORT))
        if name <= before:
            raise DamagedDay("The stored day's segments are out of order. Fetch the day again.")
        before = name
        segments[_read_name(name)] = reader.bytes(reader.number(_LONG))
    return segments


def _read_name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise DamagedDay(
            "The stored day holds a segment id that is not UTF-8. Fetch the day again."
        ) from None


def _read_bitmap(data: bytes, recordings: int) -> BitMap:
    try:
        bitmap = BitMap.deserialize(data)
    except (ValueError, IndexError):
        raise DamagedDay("The stored day holds a bitmap that cannot be read. Fetch the day again.") from None
    if not bitmap or bitmap.max() >= recordings or bitmap.serialize() != data:
        raise DamagedDay("The stored day holds a bitmap of impossible content. Fetch the day again.")
    return bitmap
