"""Everything an index holds, in an order that no synchronisation changes: by the keyed hash of the recordings.

A slice ends where a hash ends, so a hash says where the next one begins. Whoever comes or goes meanwhile moves nobody
else, so that whoever stays is met exactly once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ga_sync.index.assemble import Ground
from ga_sync.index.codec import DayData
from ga_sync.index.ids import IdColumn, Positions
from ga_sync.index.sets import numbers, span

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Slice:
    """Recordings by hash, each with its segments, ascending; ``last`` is the hash to go on behind, None at the end."""

    recordings: list[tuple[str, list[str]]]
    last: int | None


def slice_of_index(ground: Ground, after: int | None, limit: int) -> Slice:
    """Up to about ``limit`` recordings of a link whose hash is above ``after``: more only where one hash has several.

    A recording's segments are those of all days held.
    """
    layout = ground.layout
    last = _last([block.ids.hashes for block in layout.blocks], after, limit)
    ranges = [_range(block.ids.hashes, after, last) for block in layout.blocks]
    spots = [
        (number, base + low, base + high)
        for number, (base, (low, high)) in enumerate(zip(layout.bounds.tolist(), ranges, strict=False))
        if low < high
    ]
    ids = [
        layout.blocks[number].ids.take(_between(layout.bounds[number], low, high))
        for number, low, high in spots
    ]
    hashes = [
        layout.blocks[number].ids.hashes[low - int(layout.bounds[number]) : high - int(layout.bounds[number])]
        for number, low, high in spots
    ]
    starts = np.cumsum([0, *(high - low for _, low, high in spots)], dtype=np.int64)
    members: dict[str, list[int]] = {}
    for (_, low, high), start in zip(spots, starts.tolist(), strict=False):
        for segment, bitmap in ground.bitmaps.items():
            inside = numbers(bitmap & span(low, high)).astype(np.int64) - low + start
            members.setdefault(segment, []).extend(inside.tolist())
    return Slice(_told(ids, hashes, members), last)


def slice_of_day(day: DayData, after: int | None, limit: int) -> Slice:
    """The same of one day."""
    last = _last([day.ids.hashes], after, limit)
    low, high = _range(day.ids.hashes, after, last)
    members = {
        segment: (numbers(bitmap & span(low, high)).astype(np.int64) - low).tolist()
        for segment, bitmap in day.segments.items()
    }
    ids = day.ids.take(np.arange(low, high, dtype=np.int64))
    return Slice(_told([ids], [day.ids.hashes[low:high]], members), last)


def _between(base: np.int64, low: int, high: int) -> Positions:
    return np.arange(low, high, dtype=np.int64) - int(base)


def _last(hashes: Sequence[Hashes], after: int | None, limit: int) -> int | None:
    """The hash at which the slice ends; None where everything behind ``after`` fits into it."""
    heads = [part[_begin(part, after) :][: limit + 1] for part in hashes]
    distinct = np.unique(np.concatenate([np.empty(0, np.uint64), *heads]))
    return int(distinct[limit - 1]) if len(distinct) > limit else None


def _begin(hashes: Hashes, after: int | None) -> int:
    return 0 if after is None else int(hashes.searchsorted(np.uint64(after), side="right"))


def _range(hashes: Hashes, after: int | None, last: int | None) -> tuple[int, int]:
    high = len(hashes) if last is None else int(hashes.searchsorted(np.uint64(last), side="right"))
    return _begin(hashes, after), high


def _told(
    ids: Sequence[IdColumn], hashes: Sequence[Hashes], members: Mapping[str, Sequence[int]]
) -> list[tuple[str, list[str]]]:
    """Bring the occurrences of one recording together."""
    names = [name for part in ids for name in part]
    order: dict[str, int] = dict(
        zip(names, np.concatenate([np.empty(0, np.uint64), *hashes]).tolist(), strict=True)
    )
    held: dict[str, set[str]] = {name: set() for name in order}
    for segment, places in members.items():
        for place in places:
            held[names[place]].add(segment)
    ranked = sorted(held, key=lambda name: (order[name], name.encode()))
    return [(name, sorted(held[name], key=lambda one: (len(one), one))) for name in ranked]
