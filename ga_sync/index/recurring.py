"""The few recordings that occur on several days, whose membership is a union over days.

Everything else is answered by bitmaps over occurrences alone. A recording that recurs is answered once per window of
days, at its newest occurrence in that window: its *slot*. Slots are numbered in the order of those occurrences, so
that a range of ordinals holds a range of slots.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.ids import IdColumn, Numbers, Positions
from ga_sync.index.sets import numbers, set_of, span

NEVER = np.uint32(0xFFFFFFFF)
"""The next occurrence of a recording that has none."""


class Recurring:
    """Every occurrence of every recording that occurs more than once. Immutable.

    Attributes:
        ordinals: The occurrences, ascending; uint32.
        recording: A number for the recording of each, from 0; int64.
        later: The ordinal of its next occurrence, or `NEVER`; uint32.
        bitmap: The occurrences as a set.
        recordings: How many recordings recur.
    """

    __slots__ = ("bitmap", "later", "ordinals", "recording", "recordings")

    def __init__(self, ordinals: Numbers, recording: Positions, later: Numbers) -> None:
        self.ordinals = ordinals
        self.recording = recording
        self.later = later
        self.bitmap = set_of(ordinals)
        self.recordings = int(recording.max()) + 1 if len(recording) else 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, the bitmap apart."""
        return self.ordinals.nbytes + self.recording.nbytes + self.later.nbytes


def find_recurring(ordinals: Positions, ids: IdColumn, hashes: NDArray[np.uint64]) -> Recurring:
    """Group candidates by id and keep those that occur more than once.

    Args:
        ordinals: Candidates, ascending and distinct.
        ids: The id of each.
        hashes: Its hash; equal ids have equal hashes, the reverse is checked.
    """
    order = np.argsort(hashes, kind="stable")
    starts = _starts(order, ids, hashes)
    if starts is None:  # two ids share a hash: order by the ids themselves
        order = np.array(sorted(range(len(ids)), key=ids.utf8), np.int64)
        starts = ~ids.same(order[1:], ids, order[:-1])
    number = np.cumsum(np.append(np.zeros(min(1, len(order)), np.bool_), starts), dtype=np.int64)
    several = np.bincount(number)[number] > 1 if len(number) else np.zeros(0, np.bool_)
    return _recurring(ordinals[order[several]].astype(np.uint32), number[several])


def _starts(order: Positions, ids: IdColumn, hashes: NDArray[np.uint64]) -> NDArray[np.bool_] | None:
    """Say which, after the first, begin another id; None where equal hashes do not mean equal ids."""
    equal = hashes[order[1:]] == hashes[order[:-1]]
    pairs = np.flatnonzero(equal)
    return ~equal if ids.same(order[pairs + 1], ids, order[pairs]).all() else None


def _recurring(ordinals: Numbers, number: Positions) -> Recurring:
    """Build from occurrences that stand together by recording, ascending within each."""
    last = np.append(number[1:] != number[:-1], np.ones(min(1, len(number)), np.bool_))
    later = np.where(last, NEVER, np.append(ordinals[1:], np.full(min(1, len(ordinals)), NEVER)))
    dense = np.cumsum(
        np.append(np.zeros(min(1, len(number)), np.bool_), number[1:] != number[:-1]), dtype=np.int64
    )
    order = np.argsort(ordinals)
    return Recurring(ordinals[order], dense[order], later[order].astype(np.uint32))


class Window:
    """The recurring recordings as seen from the ordinals `low` to `high` (not included), where a window of days lies.

    Attributes:
        low: First ordinal.
        high: One past the last.
        canonical: The newest occurrence in the window of each recurring recording, ascending: slot → ordinal; uint32.
        occurrences: Every occurrence of a recurring recording in the window.
    """

    def __init__(self, recurring: Recurring, low: int, high: int, leaf: Callable[[str], BitMap]) -> None:
        inside = slice(*recurring.ordinals.searchsorted(np.array([low, high], np.uint32)))
        newest = recurring.later[inside] >= np.uint32(high)
        self.low, self.high = low, high
        self._ordinals = recurring.ordinals[inside]
        self.canonical = self._ordinals[newest]
        slot_of = np.empty(recurring.recordings, np.int64)
        slot_of[recurring.recording[inside][newest]] = np.arange(len(self.canonical))
        self._slots = slot_of[recurring.recording[inside]]
        self.occurrences = recurring.bitmap & span(low, high)
        self.all_slots = span(0, len(self.canonical))
        self._leaf = leaf
        self._members: dict[str, BitMap] = {}

    def slots(self, segment_id: str) -> BitMap:
        """Give the slots of the recurring recordings that are in the segment on any day of the window."""
        held = self._members.get(segment_id)
        if held is None:
            # worked out on first use and then kept: two threads at once do the same work and get the same
            held = self._members.setdefault(segment_id, self._work_out(segment_id))
        return held

    def _work_out(self, segment_id: str) -> BitMap:
        held_on = numbers(self._leaf(segment_id) & self.occurrences)
        held = np.zeros(len(self.canonical), np.bool_)
        held[self._slots[self._ordinals.searchsorted(held_on)]] = True
        return set_of(np.flatnonzero(held))

    def slots_between(self, low: int, high: int) -> tuple[int, int]:
        """Give the range of slots whose newest occurrence lies in a range of ordinals."""
        first, last = self.canonical.searchsorted(np.array([low, high], np.uint32))
        return int(first), int(last)
