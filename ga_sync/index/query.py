"""The index of one link: every question a door can ask, answered exactly from one generation.

A recording is in a segment when any day of the window says so; NOT is over that union. `frm` and `to` are
inclusive and None means open. An expression may name segments that the index does not know: they are empty.
`query`, `count` and `export` cannot know recordings that are in no segment: refuse an unbounded filter before
(`expression.refuse_unbounded`); asked all the same, they answer for the recordings that occur in the window.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from threading import Lock

from ga_sync.index import candidates, counting, paging
from ga_sync.index.assemble import Ground, assemble, replace_day
from ga_sync.index.candidates import Candidates
from ga_sync.index.codec import DayData
from ga_sync.index.counting import SegmentStats
from ga_sync.index.errors import InvalidWindow
from ga_sync.index.expression import Expression
from ga_sync.index.ids import HASH_BITS, IdCipher
from ga_sync.index.paging import Position
from ga_sync.index.recurring import Window
from ga_sync.index.slices import Slice, slice_of_index

__all__ = ["LinkIndex", "Position", "SegmentStats"]

MAX_WINDOWS = 8
"""How many windows of days an index keeps worked out."""


class LinkIndex:
    """All days of one link in one generation. Its answers never change; share it between threads as you like."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._windows: dict[tuple[int, int], Window] = {}
        self._lock = Lock()

    @classmethod
    def assemble(cls, days: Mapping[date, DayData], key: bytes, bits: int = HASH_BITS) -> "LinkIndex":
        """Put the days of a link together.

        Args:
            days: What `build_day` or `decode` gave for each day held, all under the same key.
            key: The link's hash key, 32 bytes.
            bits: Width of the hash the days were built with; 64 except in tests of collisions.
        """
        return cls(assemble(days, IdCipher(key, bits)))

    def patched(self, day: date, data: DayData | None) -> "LinkIndex":
        """Give the index with one day replaced or added, or (None) removed. This one stays valid as it is."""
        return LinkIndex(replace_day(self._ground, day, data))

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, within a few percent."""
        return self._ground.nbytes

    @property
    def days(self) -> tuple[date, ...]:
        """The days held, ascending; also those on which nobody is in any segment."""
        return self._ground.layout.days

    @property
    def segments(self) -> frozenset[str]:
        """The segments with at least one member."""
        return frozenset(self._ground.bitmaps)

    @property
    def recordings(self) -> int:
        """How many distinct recordings are held."""
        recurring = self._ground.recurring
        return int(self._ground.layout.bounds[-1]) - len(recurring.ordinals) + recurring.recordings

    def _window(self, frm: date | None, to: date | None) -> Window:
        first, last = self._numbers(frm, to)
        bounds = self._ground.layout.bounds
        return self._between(int(bounds[first]), int(bounds[last]))

    def _numbers(self, frm: date | None, to: date | None) -> tuple[int, int]:
        if frm is not None and to is not None and frm > to:
            raise InvalidWindow('"from" lies after "to". Swap them, or leave one out.')
        return self._ground.layout.between(frm, to)

    def _between(self, low: int, high: int) -> Window:
        window = self._windows.get((low, high))
        if window is None:
            whole = high - low == self._ground.layout.size
            window = Window(self._ground.recurring, low, high, self._ground.leaf, whole=whole)
            with self._lock:
                while len(self._windows) >= MAX_WINDOWS:
                    del self._windows[next(iter(self._windows))]
                self._windows[low, high] = window
        return window

    def warm(self, frm: date | None = None, to: date | None = None) -> None:
        """Work out now, for every segment, what the first question about a window would have to."""
        window = self._window(frm, to)
        for segment in self._ground.bitmaps:
            window.held(segment)

    def is_warm(self, expression: Expression, frm: date | None, to: date | None) -> bool:
        """Say whether an answer over this window has nothing to work out first that is kept for the next.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return self._window(frm, to).is_ready(self._ground.plan(expression))

    def get_warm(self, expression: Expression, frm: date | None, to: date | None) -> None:
        """Work out what makes it warm. Raises InvalidWindow."""
        self._window(frm, to).get_ready(self._ground.plan(expression))

    def query(
        self, expression: Expression, frm: date | None, to: date | None, after: Position | None, limit: int
    ) -> tuple[list[str], Position | None]:
        """List a page of the recordings that a bounded filter is true of.

        The order is last-seen day in the window descending; within a day an order that no sync changes.

        Args:
            expression: A bounded filter.
            frm: First day.
            to: Last day.
            after: Where the page before ended, in whichever generation; None for the first page.
            limit: At least 1.

        Returns:
            The ids, and the position of the last of them, or None where nothing follows.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return paging.page(self._ground, self._window(frm, to), expression, after, limit)

    def export(self, expression: Expression, frm: date | None, to: date | None) -> Iterator[tuple[str, date]]:
        """Give every recording of a bounded filter with its last-seen day in the window, in order, in constant memory.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return ((id_, day) for day, ids in self.export_batches(expression, frm, to) for id_ in ids)

    def export_batches(
        self, expression: Expression, frm: date | None, to: date | None
    ) -> Iterator[tuple[date, list[str]]]:
        """Do as `export`, in batches of one last-seen day and at most 65,536 ids.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return paging.stream(self._ground, self._window(frm, to), expression)

    def count(self, expression: Expression, frm: date | None, to: date | None) -> int:
        """Count the recordings that a bounded filter is true of.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return counting.total(self._ground, self._window(frm, to), expression)

    def count_by_day(
        self, expression: Expression, frm: date | None, to: date | None
    ) -> list[tuple[date, int]]:
        """Count for each day held in the window, zeros included, as if it were the whole window; days ascending.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return counting.by_day(self._ground, self._numbers(frm, to), self._window(frm, to), expression)

    def count_by_segment(
        self, expression: Expression, frm: date | None, to: date | None, segment_ids: Iterable[str]
    ) -> list[tuple[str, int]]:
        """Count `{all: [expression, segment]}` for each segment asked, zeros included, in the order asked.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return counting.by_segment(self._ground, self._window(frm, to), expression, segment_ids)

    def _found(self, ids: Iterable[str], frm: date | None, to: date | None) -> Candidates:
        return Candidates.find(self._ground, self._window(frm, to), list(ids))

    def count_among(
        self, expression: Expression, ids: Iterable[str], frm: date | None, to: date | None
    ) -> int:
        """Count as `count`, only among these ids; one given twice counts once.

        Raises:
            InvalidWindow: frm lies after to.
        """
        found = self._found(dict.fromkeys(ids), frm, to)
        return int((found.truth(expression) & found.known).sum())

    def count_among_by_day(
        self, expression: Expression, ids: Iterable[str], frm: date | None, to: date | None
    ) -> list[tuple[date, int]]:
        """Count as `count_by_day`, only among these ids.

        Raises:
            InvalidWindow: frm lies after to.
        """
        found = self._found(dict.fromkeys(ids), frm, to)
        return candidates.count_by_day(self._ground, found, self._numbers(frm, to), expression)

    def count_among_by_segment(
        self,
        expression: Expression,
        ids: Iterable[str],
        frm: date | None,
        to: date | None,
        segment_ids: Iterable[str],
    ) -> list[tuple[str, int]]:
        """Count as `count_by_segment`, only among these ids.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return candidates.count_by_segment(self._found(dict.fromkeys(ids), frm, to), expression, segment_ids)

    def match(
        self, expression: Expression, ids: Sequence[str], frm: date | None, to: date | None
    ) -> list[bool]:
        """Say of each id whether the filter is true of it by what is held; an unknown id is in no segment.

        Raises:
            InvalidWindow: frm lies after to.
        """
        matched: list[bool] = self._found(ids, frm, to).truth(expression).tolist()
        return matched

    def match3(
        self,
        expression: Expression,
        asked: Sequence[tuple[str, date | None]],
        frm: date | None,
        to: date | None,
        false_on: Callable[[str, date], bool],
    ) -> list[bool | None]:
        """Say of each (id, its day or None) whether the filter is true of it, or None where that is not known.

        A segment is true if a day of the window says so. Otherwise it is false if `false_on(segment_id, day)` allows
        to conclude so from the candidate's own day (that day is complete and the segment existed), else unknown.
        Without a day, not held is false. AND, OR and NOT are Kleene's. The given day does not narrow the window.

        Raises:
            InvalidWindow: frm lies after to.
        """
        found = self._found([id_ for id_, _ in asked], frm, to)
        return candidates.three_valued(found, expression, [day for _, day in asked], false_on)

    def members(self, ids: Sequence[str], frm: date | None, to: date | None) -> list[frozenset[str]]:
        """Give the segments of each id; none for an unknown one.

        Raises:
            InvalidWindow: frm lies after to.
        """
        return candidates.segments_held(self._ground, self._found(ids, frm, to))

    def lookup(self, ids: Sequence[str]) -> list[tuple[date, ...]]:
        """Give the days on which each id is in some segment, ascending; none for an unknown one."""
        found = self._found(ids, None, None)
        days: list[list[date]] = [[] for _ in ids]
        for asked, ordinal in sorted(zip(found.asked.tolist(), found.ordinals.tolist(), strict=True)):
            days[asked].append(self._day(ordinal))
        return [tuple(held) for held in days]

    def slice_by_hash(self, after: int | None, limit: int) -> Slice:
        """Give about `limit` recordings with their segments, behind a hash: see `slices`."""
        return slice_of_index(self._ground, after, limit)

    def days_of(self, segment_id: str, recording_id: str) -> list[date]:
        """Give the days that say so: those on which the recording is in the segment, ascending."""
        members = self._ground.leaf(segment_id)
        ordinals = sorted(self._found([recording_id], None, None).ordinals.tolist())
        return [self._day(ordinal) for ordinal in ordinals if ordinal in members]

    def _day(self, ordinal: int) -> date:
        return self._ground.layout.days[self._ground.layout.block_of(ordinal)]

    def segment_stats(self) -> dict[str, SegmentStats]:
        """Sum up every segment that has members: distinct recordings, first and last day."""
        return counting.stats(self._ground, self._window(None, None))
