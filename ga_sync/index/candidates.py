"""What is known of given recordings: the answers to match, to explain and to counts among candidates.

Candidates are few against the index, so each is looked up once and its occurrences in the window are kept; a
segment holds a candidate if it holds any of those occurrences. No order of days, no slots.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from typing import Self

import numpy as np
from pyroaring import BitMap

from ga_sync.index.assemble import Ground
from ga_sync.index.evaluate import Kleene, Plan, among, evaluate, kleene
from ga_sync.index.expression import Any_, Expression, Not, Segment
from ga_sync.index.ids import Flags, Numbers, Positions
from ga_sync.index.recurring import Window
from ga_sync.index.sets import numbers, set_of

FEW = 256
"""Up to so many occurrences are looked for in a segment one by one; more of them as a set."""
FOLLOWED = 32
"""Up to so many occurrences of recordings with several are followed through the filter one by one."""


class Candidates:
    """Given recordings with their occurrences in a window.

    Attributes:
        size: How many there are, repeated ones counted as often as they were given.
        asked: For each occurrence, which candidate it is of.
        ordinals: The occurrence.
    """

    def __init__(self, ground: Ground, size: int, asked: Positions, ordinals: Positions) -> None:
        self.size, self.asked, self.ordinals = size, asked, ordinals
        self._ground = ground
        self._several: tuple[BitMap, Numbers, Positions] | None = None

    @classmethod
    def find(cls, ground: Ground, window: Window, ids: Sequence[str]) -> Self:
        """Look these ids up."""
        asked, ordinals = ground.find(ids)
        if window.whole:
            return cls(ground, len(ids), asked, ordinals)
        inside = (ordinals >= window.low) & (ordinals < window.high)
        return cls(ground, len(ids), asked[inside], ordinals[inside])

    @property
    def known(self) -> Flags:
        """Say of each candidate whether it occurs in the window at all; shape (size,)."""
        return self._spread(np.ones(len(self.asked), np.bool_))

    def _spread(self, flags: Flags) -> Flags:
        held = np.zeros(self.size, np.bool_)
        held[self.asked[flags]] = True
        return held

    def held(self, segment_id: str) -> Flags:
        """Say of each candidate whether it is in the segment on any day of the window; shape (size,)."""
        members = self._ground.leaf(segment_id)
        if len(self.ordinals) <= FEW:
            return self._spread(np.fromiter(map(members.__contains__, self.ordinals.tolist()), np.bool_))
        if self._several is None:
            self._several = self._distinct()
        occurrences, distinct, back = self._several
        flags = np.zeros(len(distinct), np.bool_)
        flags[distinct.searchsorted(numbers(members & occurrences))] = True
        return self._spread(flags[back])

    def _distinct(self) -> tuple[BitMap, Numbers, Positions]:
        """Give the occurrences as a set, as an array, and for each in `ordinals` its place in that array."""
        order = np.argsort(self.ordinals)
        ascending = self.ordinals[order].astype(np.uint32)
        begins = np.append(np.ones(1, np.bool_), ascending[1:] != ascending[:-1])
        back = np.empty(len(order), np.int64)
        back[order] = np.cumsum(begins) - 1
        distinct = ascending[begins]
        return set_of(distinct), distinct, back

    def truth(self, expression: Expression) -> Flags:
        """Say of each candidate whether the filter is true of it, who is unknown being in no segment; shape (size,).

        Whoever occurs once, as nearly all do, is answered by that occurrence, and all of them as one set.
        """
        plan = self._ground.plan(expression)
        true = np.full(self.size, plan.of_nobody)
        times = np.bincount(self.asked, minlength=self.size)
        if times.max(initial=0) <= 1:
            true[self.asked] = self.holds(plan)
            return true
        alone = times[self.asked] == 1
        once, several = self._only(alone), self._only(~alone)
        true[once.asked] = once.holds(plan)
        true[several.asked] = several.united(expression)[several.asked]
        return true

    def _only(self, flags: Flags) -> "Candidates":
        """Give the same with some of the occurrences alone."""
        return Candidates(self._ground, self.size, self.asked[flags], self.ordinals[flags])

    def holds(self, plan: Plan) -> Flags | list[bool]:
        """Say of each occurrence whether the filter is true of that day alone."""
        if len(self.ordinals) <= FEW:
            found = among(plan.prepared, self._ground.leaf, set_of(self.ordinals))
            return list(map(found.__contains__, self.ordinals.tolist()))
        order = np.argsort(self.ordinals)
        ascending = self.ordinals[order].astype(np.uint32)
        hits = numbers(among(plan.prepared, self._ground.leaf, set_of(ascending)))
        holds = np.zeros(len(order), np.bool_)
        if len(hits):
            at = np.minimum(hits.searchsorted(ascending), len(hits) - 1)
            holds[order] = hits[at] == ascending
        return holds

    def united(self, expression: Expression) -> Flags:
        """Answer `truth` for those who occur, each segment a union over days."""
        if len(self.asked) <= FOLLOWED:
            return self._truth_one_by_one(expression)

        def leaf(segment_id: str) -> Kleene:
            held = self.held(segment_id)
            return Kleene(held, ~held)

        return kleene(expression, leaf).true

    def _truth_one_by_one(self, expression: Expression) -> Flags:
        spots: dict[int, list[int]] = {}
        for candidate, ordinal in zip(self.asked.tolist(), self.ordinals.tolist(), strict=True):
            spots.setdefault(candidate, []).append(ordinal)
        true = np.zeros(self.size, np.bool_)
        for candidate, ordinals in spots.items():
            true[candidate] = _is_true(expression, self._ground.leaf, ordinals)
        return true


def _is_true(expression: Expression, leaf: Callable[[str], BitMap], ordinals: Collection[int]) -> bool:
    """Say whether a filter is true of a recording with these occurrences."""
    if isinstance(expression, Segment):
        return any(map(leaf(expression.segment_id).__contains__, ordinals))
    if isinstance(expression, Not):
        return not _is_true(expression.part, leaf, ordinals)
    decides = isinstance(expression, Any_)
    return (decides in (_is_true(part, leaf, ordinals) for part in expression.parts)) is decides


def three_valued(
    found: Candidates,
    expression: Expression,
    days: Sequence[date | None],
    false_on: Callable[[str, date], bool],
) -> list[bool | None]:
    """Answer True, False or None (unknown) for each candidate; see `LinkIndex.match3`."""
    distinct = list(dict.fromkeys(days))
    if not any(distinct):  # nobody's day is given, so nothing is unknown
        known: list[bool | None] = found.truth(expression).tolist()
        return known
    numbers_of = {day: number for number, day in enumerate(distinct)}
    which = np.fromiter(map(numbers_of.__getitem__, days), np.int64, len(days))

    def leaf(segment_id: str) -> Kleene:
        held = found.held(segment_id)
        says_no = np.array([day is None or false_on(segment_id, day) for day in distinct], np.bool_)
        return Kleene(held, ~held & says_no[which])

    true, false = kleene(expression, leaf)
    pairs = zip(true.tolist(), false.tolist(), strict=True)
    return [True if yes else False if no else None for yes, no in pairs]


def count_by_day(
    ground: Ground, found: Candidates, days: tuple[int, int], expression: Expression
) -> list[tuple[date, int]]:
    """Count among the candidates, given without repetition, for each day alone."""
    true = evaluate(expression, ground.leaf, set_of(np.sort(found.ordinals)))
    bounds, layout = ground.layout.bounds.tolist(), ground.layout
    return [
        (layout.days[number], true.range_cardinality(*bounds[number : number + 2])) for number in range(*days)
    ]


def count_by_segment(
    found: Candidates, expression: Expression, segment_ids: Iterable[str]
) -> list[tuple[str, int]]:
    """Count among the candidates, given without repetition, those that are in each segment too."""
    true = found.truth(expression)
    return [(segment, int(np.count_nonzero(true & found.held(segment)))) for segment in segment_ids]


def segments_held(ground: Ground, found: Candidates) -> list[frozenset[str]]:
    """Give the segments of each candidate."""
    held: list[set[str]] = [set() for _ in range(found.size)]
    for segment in ground.bitmaps:
        for candidate in np.flatnonzero(found.held(segment)).tolist():
            held[candidate].add(segment)
    return [frozenset(segments) for segments in held]
