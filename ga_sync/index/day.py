"""One day of a link as one immutable value: its recording ids, and a roaring bitmap of each segment's members.

Within the day the ids stand in the order of `IdColumn.sort_key`. That order depends on the link's key and on
the ids alone, so it is the same in every generation: a page that was begun before a sync goes on after it.

Building and changing days is here; their bytes are in `codec`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index import codec, former
from ga_sync.index.codec import MAX_ID_CHARACTERS, MAX_SEGMENT_BYTES, DayData, encode
from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import HASH_BITS, IdCipher, Numbers, column
from ga_sync.index.sets import numbers, set_of

__all__ = ["DayData", "build_day", "build_day_from_columns", "decode", "encode", "without"]


def decode(data: bytes, key: bytes, bits: int = HASH_BITS) -> DayData:
    """Read a day back, whichever version wrote it; arguments and what is raised as in `codec.decode`."""
    if not former.is_former(data):
        return codec.decode(data, key, bits)
    try:
        return build_day_from_columns(*former.read(data), key, bits)
    except ValueError:
        raise DamagedDay("The stored day of an earlier version is none. Fetch the day again.") from None


def build_day(memberships: Mapping[str, Iterable[str]], key: bytes, bits: int = HASH_BITS) -> DayData:
    """Build a day from the recording ids of each segment.

    Args:
        memberships: Segment id → recording ids; an id may come several times.
        key: The link's hash key, 32 bytes.
        bits: Width of the hash; 64 except in tests of collisions.

    Raises:
        ValueError: an id is empty, over 100 characters, or not valid Unicode.
    """
    numbers: dict[str, int] = {}
    positions = {
        segment: np.fromiter((numbers.setdefault(id_, len(numbers)) for id_ in ids), np.uint32)
        for segment, ids in memberships.items()
    }
    return build_day_from_columns(list(numbers), positions, key, bits)


def build_day_from_columns(
    ids: Sequence[str], positions: Mapping[str, NDArray[np.integer]], key: bytes, bits: int = HASH_BITS
) -> DayData:
    """Build a day from distinct ids and, per segment, the positions of its members in them.

    An id in no segment is left out, because the index knows only recordings that are in some segment.
    So is a segment without members.

    Raises:
        ValueError: ids repeat, an id is empty, over 100 characters or not valid Unicode, or a position is out of range.
    """
    _check(ids, positions)
    members = {segment: at.astype(np.uint32) for segment, at in positions.items() if len(at)}
    used = _used(members, len(ids))
    if not used.all():
        ids = list(compress(ids, used.tolist()))
        shift = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
        members = {segment: shift[at] for segment, at in members.items()}
    held = column(ids, IdCipher(key, bits))
    order = held.order()
    ranks = np.empty(len(ids), np.uint32)
    ranks[order] = np.arange(len(ids), dtype=np.uint32)
    segments = {segment: _bitmap(ranks[members[segment]]) for segment in sorted(members)}
    return DayData(held.take(order), segments)


def _check(ids: Sequence[str], positions: Mapping[str, NDArray[np.integer]]) -> None:
    if len(set(ids)) != len(ids):
        raise ValueError("The ids of a day must be distinct.")
    if not set(range(1, MAX_ID_CHARACTERS + 1)).issuperset(map(len, ids)):
        raise ValueError(f"A recording id has 1 to {MAX_ID_CHARACTERS} characters.")
    "".join(ids).encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    if any(len(at) and (at.min() < 0 or at.max() >= len(ids)) for at in positions.values()):
        raise ValueError("A position lies outside of the day's ids.")
    if any(not 1 <= len(segment.encode()) <= MAX_SEGMENT_BYTES for segment in positions):
        raise ValueError("A segment id has 1 to 65,535 bytes.")


def _used(members: Mapping[str, Numbers], size: int) -> NDArray[np.bool_]:
    used = np.zeros(size, np.bool_)
    for at in members.values():
        used[at] = True
    return used


def _bitmap(positions: Numbers) -> BitMap:
    bitmap = set_of(np.sort(positions))
    bitmap.run_optimize()
    bitmap.shrink_to_fit()
    return bitmap


def without(day: DayData, forgotten: Iterable[str], key: bytes, bits: int = HASH_BITS) -> DayData:
    """Give the day without these recordings; the same object where it holds none of them."""
    gone = set(forgotten)
    ids = list(day.ids)
    kept = np.fromiter((id_ not in gone for id_ in ids), np.bool_, len(ids))
    if kept.all():
        return day
    stay = set_of(np.flatnonzero(kept))
    positions = {segment: numbers(members & stay) for segment, members in day.segments.items()}
    return build_day_from_columns(ids, positions, key, bits)
