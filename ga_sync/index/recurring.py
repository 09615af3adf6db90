"""The few recordings that occur on several days, whose membership is a union over days.

Everything else is answered by bitmaps over occurrences alone. A recording that recurs is answered once per window of
days, at its newest occurrence in that window: its *slot*. Slots are numbered in the order of those occurrences, so
that a range of ordinals holds a range of slots.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.evaluate import Counted, Plan, Prepared, prepare, to_count
from ga_sync.index.expression import segments_of
from ga_sync.index.ids import IdColumn, Numbers, Positions
from ga_sync.index.sets import NOBODY, numbers, set_of, span

NEVER = np.uint32(0xFFFFFFFF)
"""The next occurrence of a recording that has none."""
FEW = 1024
"""Up to so many occurrences are followed one by one; more of them by slots, which are kept."""
OFTEN = 64
"""After so many pieces of pages a window's slots are worked out all the same."""
MAX_ASKED = 128
"""So many filters are kept with the slots and occurrences of their segments at hand."""


class Recurring:
    """Every occurrence of every recording that occurs more than once. Immutable.

    Attributes:
        ordinals: The occurrences, ascending; uint32.
        recording: A number for the recording of each, from 0; int64.
        later: The ordinal of its next occurrence, or `NEVER`; uint32.
        before: Where its occurrence before stands in these arrays, or -1; int32.
        bitmap: The occurrences as a set.
        recordings: How many recordings recur.
    """

    __slots__ = ("before", "bitmap", "later", "ordinals", "recording", "recordings")

    def __init__(
        self, ordinals: Numbers, recording: Positions, later: Numbers, before: NDArray[np.int32]
    ) -> None:
        self.ordinals = ordinals
        self.recording = recording
        self.later = later
        self.before = before
        self.bitmap = set_of(ordinals)
        self.recordings = int(recording.max()) + 1 if len(recording) else 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, the bitmap apart."""
        return self.ordinals.nbytes + self.recording.nbytes + self.later.nbytes + self.before.nbytes


def find_recurring(ordinals: Positions, ids: IdColumn) -> Recurring:
    """Group candidates by id and keep those that occur more than once.

    Args:
        ordinals: Candidates, ascending and distinct.
        ids: The id of each; equal ids have equal hashes, the reverse is checked.
    """
    hashes = ids.hashes
    order = np.argsort(hashes, kind="stable")
    starts = _starts(order, ids, hashes)
    if starts is None:  # two ids share a hash: order by the ids themselves
        order = np.array(sorted(range(len(ids)), key=ids.sort_key), np.int64)
        starts = ~ids.same(order[1:], ids, order[:-1])
    number = np.cumsum(np.append(np.zeros(min(1, len(order)), np.bool_), starts), dtype=np.int64)
    several = np.bincount(number)[number] > 1 if len(number) else np.zeros(0, np.bool_)
    return _recurring(ordinals.astype(np.uint32), order[several], number[several])


def _starts(order: Positions, ids: IdColumn, hashes: NDArray[np.uint64]) -> NDArray[np.bool_] | None:
    """Say which, after the first, begin another id; None where equal hashes do not mean equal ids."""
    equal = hashes[order[1:]] == hashes[order[:-1]]
    pairs = np.flatnonzero(equal)
    return ~equal if ids.same(order[pairs + 1], ids, order[pairs]).all() else None


def _recurring(ordinals: Numbers, places: Positions, number: Positions) -> Recurring:
    """Build from the places, among ascending ordinals, of who recurs: together by recording, ascending within each."""
    last = np.append(number[1:] != number[:-1], np.ones(min(1, len(number)), np.bool_))
    grouped = ordinals[places]
    later = np.where(last, NEVER, np.append(grouped[1:], np.full(min(1, len(grouped)), NEVER)))
    first = np.append(np.ones(min(1, len(last)), np.bool_), last[:-1])
    among = np.zeros(len(ordinals), np.bool_)
    among[places] = True
    stands = (np.cumsum(among, dtype=np.int32) - np.int32(1))[places]  # as sorting would tell, but sooner
    before = np.where(first, np.int32(-1), np.append(np.full(min(1, len(stands)), -1, np.int32), stands[:-1]))
    order = np.empty(len(stands), np.int64)
    order[stands] = np.arange(len(stands))
    dense = np.cumsum(first, dtype=np.int64) - 1
    return Recurring(ordinals[among], dense[order], later[order].astype(np.uint32), before[order])


class Asked(NamedTuple):
    """A filter over those who recur, as seen from a window.

    Attributes:
        slots: Over slots.
        slots_counted: The same for counts.
        apart_counted: Over single occurrences.
    """

    slots: Prepared
    slots_counted: Counted
    apart_counted: Counted


class Window:
    """The recurring recordings as seen from the ordinals `low` to `high` (not included), where a window of days lies.

    Everything is worked out when it is first asked for, and kept: two threads at once do the same and get the same.

    Attributes:
        low: First ordinal.
        high: One past the last.
        whole: Whether these are all ordinals.
    """

    def __init__(
        self, recurring: Recurring, low: int, high: int, leaf: Callable[[str], BitMap], *, whole: bool
    ) -> None:
        self.low, self.high, self.whole = low, high, whole
        self._recurring, self._leaf = recurring, leaf
        self._members: dict[str, tuple[BitMap, BitMap]] = {}
        self._asked: dict[Plan, Asked] = {}
        self._pieces = 0

    @cached_property
    def _inside(self) -> slice:
        return slice(*self._recurring.ordinals.searchsorted(np.array([self.low, self.high], np.uint32)))

    @cached_property
    def _newest(self) -> NDArray[np.bool_]:
        """Say of each occurrence in the window whether it is its recording's newest there."""
        newest: NDArray[np.bool_] = self._recurring.later[self._inside] >= np.uint32(self.high)
        return newest

    @cached_property
    def canonical(self) -> Numbers:
        """The newest occurrence in the window of each recurring recording, ascending: slot → ordinal; uint32."""
        return self._recurring.ordinals[self._inside][self._newest]

    @cached_property
    def _slots(self) -> Positions:
        recording = self._recurring.recording[self._inside]
        slot_of = np.empty(self._recurring.recordings, np.int64)
        slot_of[recording[self._newest]] = np.arange(len(self.canonical))
        return slot_of[recording]

    @cached_property
    def within(self) -> BitMap:
        """Every ordinal of the window."""
        return span(self.low, self.high)

    @cached_property
    def occurrences(self) -> BitMap:
        """Every occurrence of a recurring recording in the window."""
        return self._recurring.bitmap & self.within

    @cached_property
    def all_slots(self) -> BitMap:
        """Every slot."""
        return span(0, len(self.canonical))

    @cached_property
    def all_apart(self) -> BitMap:
        """A number for each occurrence of a recurring recording in the window, from 0, ascending as they do."""
        return span(0, len(self._slots))

    @cached_property
    def _places(self) -> BitMap:
        return set_of(self.canonical)

    def held(self, segment_id: str) -> BitMap:
        """Give the slots of those that are in the segment on any day of the window."""
        return self._both(segment_id)[0]

    def apart(self, segment_id: str) -> BitMap:
        """Give who of `all_apart` is in the segment on that day alone."""
        return self._both(segment_id)[1]

    def asked(self, plan: Plan) -> Asked:
        """Give a filter with who recurs at hand; the last few are kept."""
        known = self._asked.get(plan)
        if known is None:
            if len(self._asked) >= MAX_ASKED:
                self._asked.clear()
            slots, apart = prepare(plan.expression, self.held), prepare(plan.expression, self.apart)
            known = self._asked[plan] = Asked(slots, to_count(slots), to_count(apart))
        return known

    def is_ready(self, plan: Plan) -> bool:
        """Say whether the slots are worked out, and everything that `held` gives for the filter."""
        if plan in self._asked:
            return True
        if "_slots" not in self.__dict__:  # where a cached property keeps what it gave
            return False
        return all(
            segment in self._members or not self._leaf(segment) for segment in segments_of(plan.expression)
        )

    def get_ready(self, plan: Plan) -> None:
        """Work out what makes it ready, also what this one answer would do without: a part may have been enough."""
        self._slots  # noqa: B018 -- it is kept
        for segment in segments_of(plan.expression):
            self.held(segment)

    def _both(self, segment_id: str) -> tuple[BitMap, BitMap]:
        both = self._members.get(segment_id)
        if both is None:
            both = self._members.setdefault(segment_id, self._work_out(segment_id))
        return both

    def _work_out(self, segment_id: str) -> tuple[BitMap, BitMap]:
        leaf = self._leaf(segment_id)
        if not leaf:
            return NOBODY, NOBODY
        held_on = numbers(leaf & self.occurrences)
        places = self._recurring.ordinals[self._inside].searchsorted(held_on)
        held = np.zeros(len(self.canonical), np.bool_)
        held[self._slots[places]] = True
        slots, apart = set_of(np.flatnonzero(held)), set_of(places)
        slots.shrink_to_fit()
        apart.shrink_to_fit()
        return slots, apart

    def slots_between(self, low: int, high: int) -> tuple[int, int]:
        """Give the range of slots whose newest occurrence lies in a range of ordinals of the window."""
        first = self._places.rank(low - 1) if low > self.low else 0
        return first, self._places.rank(high - 1) if high < self.high else len(self.canonical)

    def few_between(self, low: int, high: int, plan: Plan) -> "Few | None":
        """Give the recurring recordings of a range of ordinals if they are few, else None: then take their slots.

        None also where the slots of the expression's segments are there already, or where the window has been asked so
        often that they are worth working out.
        """
        if plan in self._asked:
            return None
        self._pieces += 1
        if self.is_ready(plan):
            return None
        if self._pieces > OFTEN:
            self.get_ready(plan)
            return None
        first, last = self._recurring.ordinals.searchsorted(np.array([low, high], np.uint32)).tolist()
        if last - first > FEW:
            return None
        return Few(self._recurring, slice(first, last), self.low, self.high, self._leaf)


class Few:
    """A few recurring recordings, each followed through its occurrences in a window; slots count from 0 here.

    Attributes:
        canonical: The newest occurrence in the window of each, ascending: slot → ordinal; uint32.
    """

    def __init__(
        self, recurring: Recurring, among: slice, low: int, high: int, leaf: Callable[[str], BitMap]
    ) -> None:
        newest = np.flatnonzero(recurring.later[among] >= np.uint32(high)) + among.start
        self.canonical = recurring.ordinals[newest]
        self._leaf = leaf
        slots, spots = [np.arange(len(newest))], [newest]
        while len(spots[-1]):
            before = recurring.before[spots[-1]]
            stays = before >= 0
            stays[stays] = recurring.ordinals[before[stays]] >= np.uint32(low)
            slots.append(slots[-1][stays])
            spots.append(before[stays].astype(np.int64))
        ordinals = recurring.ordinals[np.concatenate(spots)]
        order = np.argsort(ordinals)
        self._ordinals, self._slots = ordinals[order], np.concatenate(slots)[order]
        self._occurrences = set_of(self._ordinals)

    def slots(self, segment_id: str) -> BitMap:
        """Give the slots of those that are in the segment on any day of the window."""
        held_on = numbers(self._leaf(segment_id) & self._occurrences)
        return BitMap(self._slots[self._ordinals.searchsorted(held_on)].tolist())
