"""All days of a link in memory, side by side: the ground that every answer stands on.

Each occurrence of a recording on a day has an *ordinal*: days ascending, and within the day the day's own order. Per
segment one bitmap over all ordinals says on which days who is in it. Nothing here is ever changed: replacing a day
gives a new value that shares with the old one what is the same, and answers already under way go on from the old one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.bitmaps import Bitmaps, Gap
from ga_sync.index.codec import DayData
from ga_sync.index.directory import Directory
from ga_sync.index.evaluate import Plan, plan
from ga_sync.index.expression import Expression
from ga_sync.index.ids import Flags, IdCipher, IdColumn, Numbers, Positions, are_same, chained, column, picked
from ga_sync.index.recurring import Recurring, find_recurring
from ga_sync.index.sets import NOBODY, size_of

MAX_FRESH = 8
"""So many replaced days are searched one by one before the directory is sorted anew."""
MAX_PLANS = 128
"""So many filters are kept as they are best evaluated: the largest take some kilobytes each."""
SCATTERED = 8
"""Ids of many days, up to so many a day, are written out one by one; else day by day."""
FEW = 256
"""Up to so many pairs are compared one by one; more of them by arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The ids of one day. Compared by identity: the same object is the same day, unchanged."""

    ids: IdColumn

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The keyed hash of each, ascending."""
        return self.ids.hashes


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The days in order, and where their ordinals begin.

    Attributes:
        days: Ascending.
        blocks: One a day.
        bounds: First ordinal of each day, and one past the last; int64.
        directory: Where the ids of `listed` stand.
        listed: The blocks that the directory was made of; some may have been replaced since.
        cipher: The link's.
    """

    days: tuple[date, ...]
    blocks: tuple[Block, ...]
    bounds: Positions
    directory: Directory
    listed: tuple[Block, ...]
    bases: Positions
    fresh: tuple[int, ...]
    cipher: IdCipher

    def find(self, ids: IdColumn) -> tuple[Positions, Positions]:
        """Find every occurrence of these ids.

        Returns:
            Two arrays of one length: which of the ids asked, and an ordinal where it stands.
        """
        hashes = ids.hashes
        asked, addresses = self.directory.candidates(hashes)
        listed = self.directory.bounds.searchsorted(addresses, side="right") - 1
        ordinals = self.bases[listed] + addresses - self.directory.bounds[listed]
        held = self.bases[listed] >= 0
        found = [(asked[held], ordinals[held])]
        if self.fresh:
            order = np.argsort(hashes)  # neighbours are looked up one after the other: kinder to the memory
            found += [self._find_fresh(number, hashes[order], order) for number in self.fresh]
        return self._confirmed(
            ids, np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])
        )

    def _find_fresh(
        self, number: int, ascending: NDArray[np.uint64], order: Positions
    ) -> tuple[Positions, Positions]:
        """Find them in one day; `order` says which of those asked each of the ascending hashes is."""
        held = self.blocks[number].hashes
        if not len(held):
            return order[:0], order[:0]
        first = held.searchsorted(ascending)
        there = held[np.minimum(first, len(held) - 1)] == ascending
        first, order, ascending = first[there], order[there], ascending[there]
        count = held.searchsorted(ascending, side="right") - first
        step = np.arange(int(count.sum()), dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(order, count), self.bounds[number] + np.repeat(first, count) + step

    def _confirmed(self, ids: IdColumn, asked: Positions, ordinals: Positions) -> tuple[Positions, Positions]:
        """Keep the pairs whose ids are the same, every bit of them: an equal hash proves nothing."""
        if len(asked) <= FEW:
            same = are_same(ids, asked, self._places(ordinals))
        else:
            order = np.argsort(ordinals)
            asked, ordinals = asked[order], ordinals[order]
            same = self._same_by_day(ids, asked, ordinals)
        return asked[same], ordinals[same]

    def _places(self, ordinals: Numbers | Positions) -> list[tuple[IdColumn, int]]:
        """Give for each ordinal the ids of its day, and its position in them."""
        numbers = self.bounds.searchsorted(ordinals, side="right") - 1
        positions = (ordinals - self.bounds[numbers]).tolist()
        return [(self.blocks[number].ids, at) for number, at in zip(numbers.tolist(), positions, strict=True)]

    def _same_by_day(self, ids: IdColumn, asked: Positions, ascending: Positions) -> Flags:
        parts, start = [np.empty(0, np.bool_)], 0
        for number, positions in self.runs(ascending):
            stop = start + len(positions)
            parts.append(ids.same(asked[start:stop], self.blocks[number].ids, positions))
            start = stop
        return np.concatenate(parts)

    @property
    def size(self) -> int:
        """How many ordinals there are."""
        return int(self.bounds[-1])

    def block_of(self, ordinal: int | np.integer) -> int:
        """Give the number of the day on which an ordinal lies."""
        return int(self.bounds.searchsorted(ordinal, side="right")) - 1

    def runs(self, ordinals: Numbers | Positions) -> list[tuple[int, Positions]]:
        """Split ascending or descending ordinals into (number of the day, positions in it)."""
        if not len(ordinals):
            return []
        only = self.block_of(int(ordinals[0]))
        if only == self.block_of(int(ordinals[-1])):  # as on most first pages
            return [(only, ordinals - self.bounds[only])]
        blocks = self.bounds.searchsorted(ordinals, side="right") - 1
        cuts = [0, *(np.flatnonzero(blocks[1:] != blocks[:-1]) + 1).tolist(), len(ordinals)]
        return [
            (int(blocks[start]), ordinals[start:stop] - self.bounds[blocks[start]])
            for start, stop in pairwise(cuts)
            if start < stop
        ]

    def strings_at(self, ordinals: Numbers | Positions) -> list[str]:
        """Give the ids at ascending or descending ordinals as text, in their order."""
        if not len(ordinals):
            return []
        first, last = self.block_of(ordinals[0]), self.block_of(ordinals[-1])
        if first == last:  # as on most first pages
            return self.blocks[first].ids.strings(ordinals - self.bounds[first])
        if len(ordinals) > SCATTERED * abs(first - last):
            parts = self.runs(ordinals)
            return [id_ for number, part in parts for id_ in self.blocks[number].ids.strings(part)]
        return picked(self._places(ordinals), self.cipher)

    def ids_at(self, ordinals: Positions) -> IdColumn:
        """Give the ids at ascending or descending ordinals."""
        parts = [self.blocks[number].ids.take(positions) for number, positions in self.runs(ordinals)]
        return chained(parts, self.cipher)

    def between(self, frm: date | None, to: date | None) -> tuple[int, int]:
        """Give the numbers of the days from..to: the first, and one past the last."""
        first = 0 if frm is None else bisect_left(self.days, frm)
        last = len(self.days) if to is None else bisect_right(self.days, to)
        return first, max(first, last)


def lay_out(
    days: Sequence[date],
    blocks: Sequence[Block],
    known: tuple[Directory, tuple[Block, ...]] | None,
    cipher: IdCipher,
) -> Layout:
    """Place the days; with a directory already known, go on using it while few of its days have been replaced."""
    bounds = np.cumsum([0, *(len(block.ids) for block in blocks)], dtype=np.int64)
    if known is None or len(set(blocks) - set(known[1])) > MAX_FRESH:
        known = Directory([block.hashes for block in blocks]), tuple(blocks)
    directory, listed = known
    old = set(listed)
    starts = {block: int(start) for block, start in zip(blocks, bounds[:-1], strict=True)}
    bases = np.array([starts.get(block, -1) for block in listed] + [-1], np.int64)
    fresh = tuple(number for number, block in enumerate(blocks) if block not in old)
    return Layout(tuple(days), tuple(blocks), bounds, directory, listed, bases, fresh, cipher)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """All that is known of a link's memberships, from exactly one generation.

    Attributes:
        layout: Days and ids.
        bitmaps: Segment id → the ordinals at which somebody is in it; only segments with members.
        recurring: The recordings that occur on several days.
        plans: Filters asked lately, as they are best evaluated here.
    """

    layout: Layout
    bitmaps: Bitmaps
    recurring: Recurring
    plans: dict[Expression, Plan] = field(default_factory=dict)

    def plan(self, expression: Expression) -> Plan:
        """Give the filter as it is best evaluated; the last few are kept."""
        known = self.plans.get(expression)
        if known is None:
            if len(self.plans) >= MAX_PLANS:
                self.plans.clear()
            known = self.plans[expression] = plan(expression, self.leaf, self.layout.size)
        return known

    def leaf(self, segment_id: str) -> BitMap:
        """Give the ordinals in a segment; none for a segment that is not known."""
        return self.bitmaps.get(segment_id, NOBODY)

    def find(self, ids: Sequence[str]) -> tuple[Positions, Positions]:
        """Find every occurrence of these ids: which of them, and an ordinal."""
        return self.layout.find(column(ids, self.layout.cipher))

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, within a few percent."""
        layout, recurring = self.layout, self.recurring
        blocks = sum(block.ids.nbytes for block in layout.blocks)
        sets = self.bitmaps.nbytes + size_of(recurring.bitmap)
        return blocks + sets + layout.directory.nbytes + recurring.nbytes


def assemble(days: Mapping[date, DayData], cipher: IdCipher) -> Ground:
    """Put the days of a link side by side."""
    order = sorted(days)
    layout = lay_out(order, [Block(days[day].ids) for day in order], None, cipher)
    bases = list(zip((days[day].segments for day in order), layout.bounds.tolist(), strict=False))
    bitmaps = Bitmaps(
        {
            # one segment after the other: the moved parts of all of them together are as large as the index
            segment: _united([held[segment].shift(base) for held, base in bases if segment in held])
            for segment in dict.fromkeys(segment for held, _ in bases for segment in held)
        }
    )
    recurring = _recurring(layout, layout.directory.shared())
    return Ground(layout, bitmaps, recurring)


def _united(parts: list[BitMap]) -> BitMap:
    bitmap = BitMap.union(*parts) if len(parts) > 1 else parts[0]
    bitmap.run_optimize()
    bitmap.shrink_to_fit()
    return bitmap


def _recurring(layout: Layout, candidates: Positions) -> Recurring:
    return find_recurring(candidates, layout.ids_at(candidates))


def replace_day(ground: Ground, day: date, data: DayData | None) -> Ground:
    """Give the ground with one day replaced, added, or (None) removed; the old one stays as it is."""
    old = ground.layout
    first, last = old.between(day, day)
    new_block = [] if data is None else [Block(data.ids)]
    blocks = [*old.blocks[:first], *new_block, *old.blocks[last:]]
    days = [*old.days[:first], *([day] if new_block else []), *old.days[last:]]
    layout = lay_out(days, blocks, (old.directory, old.listed), old.cipher)
    gap = Gap(
        int(old.bounds[first]),
        int(old.bounds[last]),
        0 if data is None else len(data.ids),
        int(old.bounds[-1]),
    )
    bitmaps = ground.bitmaps.patched(gap, {} if data is None else data.segments)
    candidates = gap.moved(ground.recurring.ordinals.astype(np.int64))
    if data is not None:
        candidates = _distinct(np.concatenate([candidates, _also_elsewhere(layout, data)]))
    return Ground(layout, bitmaps, _recurring(layout, candidates))


def _distinct(ordinals: Positions) -> Positions:
    ordinals = np.sort(ordinals)
    distinct: Positions = ordinals[
        np.append(np.ones(min(1, len(ordinals)), np.bool_), ordinals[1:] != ordinals[:-1])
    ]
    return distinct


def _also_elsewhere(layout: Layout, data: DayData) -> Positions:
    """Give every occurrence of the ids of a day that occur on other days too."""
    asked, ordinals = layout.find(data.ids)
    return ordinals[np.bincount(asked, minlength=len(data.ids))[asked] > 1]
