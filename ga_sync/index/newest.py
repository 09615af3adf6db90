"""The first pages of a link that is not in memory yet: exact, from its newest days and a word of each id of the others.

A page goes from the newest end down, and most filters fill one from the newest day. What an older day can still change
is little: the membership of a recording is a union over its days, so an older day matters only to recordings that
occur on it too, and whoever occurs on two days has the same block on both. So the first words of all days are needed,
in the range that the page looks at, and beyond them only the days that really share a recording with it.

Why it is exact. Let a piece of the page be the positions low..high of a day. A recording there is answered elsewhere
if it occurs on a newer day of the window, and its segments are those of its occurrences in the window otherwise. Both
are found: an occurrence has an equal first word, every equal one is found by search in that day's ascending ones, and
each find is confirmed or thrown out by comparing the ids. Nothing else can change the truth of a filter there.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from math import inf
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.evaluate import evaluate
from ga_sync.index.expression import Expression, segments_of
from ga_sync.index.ids import IdColumn, Words
from ga_sync.index.paging import Position
from ga_sync.index.sets import numbers, span

FIRST_PIECE = 1024
GROWTH = 8
A_SEARCH = 256
"""To begin with a day takes about as long as to look so many ids up in it."""


class TooFar(Exception):
    """A page needs more looking up than was allowed: the whole index gives it sooner."""


class Purse:
    """How many ids may still be looked up in days."""

    def __init__(self, left: float = inf) -> None:
        self._left = left

    def spend(self, ids: int, days: int) -> None:
        """Look so many ids up in each of so many days. Raises TooFar."""
        self._left -= (ids + A_SEARCH) * days
        if self._left < 0:
            raise TooFar


class OpenDay(Protocol):
    """A day that is open."""

    @property
    def ids(self) -> IdColumn:
        """Its ids, in order."""
        ...

    def members(self, segment_id: str) -> BitMap:
        """The positions of a segment's members; none for one that it does not have."""
        ...


class DayShelf(Protocol):
    """A day that may still be closed."""

    @property
    def day(self) -> date:
        """Which."""
        ...

    @property
    def leads(self) -> Words:
        """The first word of each of its ids, ascending; the cheap part."""
        ...

    def open(self) -> OpenDay:
        """All of it; the same again when it is asked again."""
        ...


class _Twin(NamedTuple):
    """The same recording on another day: its position in the piece's day, that day's number, its position there."""

    position: int
    number: int
    there: int


def first_page(
    days: Sequence[DayShelf], expression: Expression, limit: int, purse: Purse
) -> tuple[list[str], Position | None]:
    """Give what `LinkIndex.query` gives for these days without a position.

    Args:
        days: Those of the window, ascending.
        expression: A bounded filter.
        limit: At least 1.
        purse: What the answer may take.

    Raises:
        TooFar: it takes more.
    """
    ids: list[str] = []
    last: Position | None = None
    for number in reversed(range(len(days))):
        for positions in _descend(days, number, expression, purse):
            kept = positions[: limit - len(ids)]
            if len(kept):
                ids += days[number].open().ids.strings(kept)
                last = Position(days[number].day, ids[-1])
            if len(kept) < len(positions):
                return ids, last
    return ids, None


def _descend(
    days: Sequence[DayShelf], number: int, expression: Expression, purse: Purse
) -> Iterator[NDArray[np.int64]]:
    """Give the positions of one day that belong to the answer there, descending, in growing pieces."""
    high, size = len(days[number].leads), FIRST_PIECE
    while high > 0:
        low = max(0, high - size)
        purse.spend(high - low, len(days))
        hits = _piece(days, number, low, high, expression)
        if hits:
            yield numbers(hits)[::-1].astype(np.int64)
        high, size = low, size * GROWTH


def _piece(days: Sequence[DayShelf], number: int, low: int, high: int, expression: Expression) -> BitMap:
    twins = _twins(days, number, low, high)
    newer = BitMap([twin.position for twin in twins if twin.number > number])
    within = span(low, high) - newer
    day = days[number].open()
    elsewhere = {segment: _elsewhere(days, twins, segment) for segment in segments_of(expression)}
    return evaluate(expression, lambda segment: day.members(segment) | elsewhere[segment], within)


def _elsewhere(days: Sequence[DayShelf], twins: Sequence[_Twin], segment: str) -> BitMap:
    return BitMap(
        [twin.position for twin in twins if twin.there in days[twin.number].open().members(segment)]
    )


def _twins(days: Sequence[DayShelf], number: int, low: int, high: int) -> list[_Twin]:
    """Find every other occurrence, in the window, of the recordings of a piece."""
    piece = days[number].leads[low:high]
    found: list[_Twin] = []
    for other, shelf in enumerate(days):
        if other != number:
            pairs = [_Twin(low + at, other, there) for at, there in _equal(piece, shelf.leads)]
            found += [twin for twin in pairs if _same(days, number, twin)]
    return found


def _equal(piece: Words, leads: Words) -> list[tuple[int, int]]:
    """Give the pairs of positions with equal first words; both ascend."""
    first = int(leads.searchsorted(piece[0]))
    inside = leads[first : int(leads.searchsorted(piece[-1], side="right"))]
    if not len(inside):
        return []
    at = np.minimum(inside.searchsorted(piece), len(inside) - 1)
    pairs: list[tuple[int, int]] = []
    for one in np.flatnonzero(inside[at] == piece).tolist():
        there = int(at[one])
        while there < len(inside) and inside[there] == piece[one]:
            pairs.append((one, first + there))
            there += 1
    return pairs


def _same(days: Sequence[DayShelf], number: int, twin: _Twin) -> bool:
    mine, other = days[number].open().ids, days[twin.number].open().ids
    return mine.is_same(twin.position, other, twin.there)
