"""A day's answers as one reading: unique recording ids, and who of them is in which audience. Pure.

What is dropped on the way is counted, because a day is only as good as what was left out of it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import or_

import numpy as np
from numpy.typing import NDArray

from ga_sync.analytics.answers import Flags, ReportPage, next_offset, read_page
from ga_sync.analytics.rows import Columns

__all__ = [
    "JUNK",
    "LONGEST_ID",
    "OTHER",
    "Columns",
    "DayReading",
    "Dropped",
    "Flags",
    "Positions",
    "ReportPage",
    "combine",
    "next_offset",
    "read_day",
    "read_page",
]

Positions = NDArray[np.uint32]

OTHER = "(other)"
"""The value under which Google folds the rows of a day with too many different ones."""
JUNK = frozenset({"", "(not set)", OTHER, "(data not available)"})
"""Values of the id column that are no recording's."""
LONGEST_ID = 100
"""Google cuts longer values at this many characters, so an id of exactly this many may be a cut one."""

_AUDIENCE_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows that say nothing about a recording in an audience of ours, by the first reason that applies.

    Attributes:
        strangers: of audiences that were not asked for.
        junk: whose id is one of ``JUNK``.
        overlong: whose id is longer than ``LONGEST_ID``.
        duplicates: that repeat a row.
        again: of those with another reason, how many repeat a row as well.
        other_value: whether a literal "(other)" stood in either column of any row.
    """

    strangers: int = 0
    junk: int = 0
    overlong: int = 0
    duplicates: int = 0
    again: int = 0
    other_value: bool = False

    def __or__(self, other: "Dropped") -> "Dropped":
        """Both together."""
        return Dropped(
            self.strangers + other.strangers,
            self.junk + other.junk,
            self.overlong + other.overlong,
            self.duplicates + other.duplicates,
            self.again + other.again,
            self.other_value or other.other_value,
        )


@dataclass(frozen=True, slots=True)
class DayReading:
    """What Google says about one day.

    Attributes:
        ids: recording ids, each once, in the order in which they first came.
        members: for every audience asked for the positions in ``ids`` of its recordings: ascending, unique, 32-bit;
            empty where Google gave no row.
        rows: rows fetched, dropped ones among them.
        row_counts: how many rows the report has by Google's word, one number for each page.
        expected: the rows there should be, by the last word of each report.
        steady: every page of a report gave the same number.
        events: the sum of all rows' event counts, dropped ones among them; of a row that came twice once.
        total: the TOTAL that Google gave beside them; None where it gave none.
        dropped: what is not in ``members``, and why.
        ids_of_100: how many of ``ids`` are exactly as long as Google's cut.
        flags: what any of the answers says about its quality.
    """

    ids: list[str]
    members: Mapping[str, Positions]
    rows: int
    row_counts: tuple[int, ...]
    expected: int
    steady: bool
    events: int
    total: int | None
    dropped: Dropped
    ids_of_100: int
    flags: Flags

    @property
    def memberships(self) -> int:
        """How many times a recording is in an audience."""
        return sum(map(len, self.members.values()))

    @property
    def whole(self) -> bool:
        """Every row that Google announced was fetched, once, and it announced the same number on every page.

        A row that comes twice may stand where another is missing, for pages can shift while they are read: then the
        TOTAL shows whether one is.
        """
        repeated = self.dropped.duplicates + self.dropped.again > 0
        nothing_lost = not repeated or (self.total is not None and not self.below_total)
        return self.steady and self.rows == self.expected and nothing_lost

    @property
    def below_total(self) -> bool:
        """The rows' event counts sum below the TOTAL of the same report: rows are missing."""
        return self.total is not None and self.events < self.total


def read_day(pages: Iterable[ReportPage], asked: Sequence[str]) -> DayReading:
    """The pages of one report as one reading; each page can go as soon as it is read.

    Args:
        pages: in the order of their offsets, all of one report. Google sorts them by audience and id; nothing here
            rests on it, and a row that comes twice counts once.
        asked: resource names of the audiences that the report was about.

    Returns:
        The reading; of no page at all an empty one that is not ``whole`` only if rows were announced.
    """
    reader = _Reader(asked)
    for page in pages:
        reader.add(page)
        del page  # before the next one comes: it may be large
    return reader.finish()


class _Reader:
    """Collects pages. Ids become positions by a dictionary that counts for itself, so that no Python runs per row."""

    def __init__(self, asked: Sequence[str]) -> None:
        self._asked = list(dict.fromkeys(asked))
        self._codes = {name: code for code, name in enumerate(self._asked)}
        self._positions = _numbering()
        self._keys: list[NDArray[np.uint64]] = []
        self._counts: list[NDArray[np.unsignedinteger]] = []
        self._sifted: dict[tuple[str, str], int] = {}
        self._dropped = Dropped()
        self._flags = Flags()
        self._row_counts: list[int] = []
        self._rows = 0
        self._total: int | None = None

    def add(self, page: ReportPage) -> None:
        kept, dropped, sifted = _sift(page.columns, self._codes)
        self._keys.append(self._paired(kept.audiences, kept.ids))
        self._counts.append(_small(np.fromiter(kept.events, np.int64, len(kept.events))))
        before = len(self._sifted)
        self._sifted |= sifted
        twice = page.rows - len(kept.ids) - (len(self._sifted) - before)
        self._dropped |= dropped | Dropped(again=twice)
        self._flags |= page.flags
        self._row_counts.append(page.row_count)
        self._rows += page.rows
        if page.total is not None:
            self._total = max(page.total, self._total or 0)

    def _paired(self, audiences: list[str], ids: list[str]) -> NDArray[np.uint64]:
        """Each row as one number, audience above position, so that sorting numbers sorts and joins rows."""
        codes = np.fromiter(map(self._codes.__getitem__, audiences), np.uint64, len(audiences))
        positions = np.fromiter(map(self._positions.__getitem__, ids), np.uint64, len(ids))
        return (codes << _AUDIENCE_BITS) | positions

    def finish(self) -> DayReading:
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys])
        unique = _sorted_unique(keys)
        twice = Dropped(duplicates=len(keys) - len(unique))
        counts = np.concatenate([np.empty(0, np.uint8), *self._counts])
        if twice.duplicates:
            counts = counts[np.unique(keys, return_index=True)[1]]
        ids = list(self._positions)
        return DayReading(
            ids=ids,
            members=dict(zip(self._asked, _split(unique, len(self._asked)), strict=True)),
            rows=self._rows,
            row_counts=tuple(self._row_counts),
            expected=self._row_counts[-1] if self._row_counts else 0,
            steady=len(set(self._row_counts)) <= 1,
            events=int(counts.sum(dtype=np.int64)) + sum(self._sifted.values()),
            total=self._total,
            dropped=self._dropped | twice,
            ids_of_100=_of_100(ids),
            flags=self._flags,
        )


def _numbering() -> defaultdict[str, int]:
    """A dictionary that gives each new key the next number, starting at 0."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    return numbers


def _small(counts: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """The same numbers in as few bytes as they need: nearly all are 1, and there are as many as there are rows."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def _sorted_unique(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """As ``np.unique``, which hashes first and so costs a hundred times as much on rows that come sorted."""
    keys = np.sort(keys)
    fresh = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
    return keys[fresh]


def _split(unique: NDArray[np.uint64], audiences: int) -> list[Positions]:
    """Sorted pairs cut at each audience's first, without their audience."""
    firsts = np.arange(1, max(audiences, 1), dtype=np.uint64) << _AUDIENCE_BITS
    parts = np.split(unique, np.searchsorted(unique, firsts))
    return [part.astype(np.uint32) for part in parts][:audiences]


def _of_100(ids: Iterable[str]) -> int:
    return sum(map(LONGEST_ID.__eq__, map(len, ids)))


def _sift(columns: Columns, codes: Mapping[str, int]) -> tuple[Columns, Dropped, dict[tuple[str, str], int]]:
    """The rows worth keeping, a count of the others, and their events. Most pages have none, as three looks show."""
    strange = set(columns.audiences).difference(codes)
    junk = JUNK.intersection(columns.ids)
    too_long = max(map(len, columns.ids), default=0) > LONGEST_ID
    if not (strange or junk or too_long):
        return columns, Dropped(), {}
    reasons = [_reason(*row, strange) for row in zip(columns.audiences, columns.ids, strict=True)]
    keep = [not reason for reason in reasons]
    kept = Columns(
        list(compress(columns.audiences, keep)),
        list(compress(columns.ids, keep)),
        list(compress(columns.events, keep)),
    )
    pairs = zip(columns.audiences, columns.ids, strict=True)
    sifted = dict(compress(zip(pairs, columns.events, strict=True), reasons))
    return kept, Dropped(**Counter(filter(None, reasons)), other_value=OTHER in junk | strange), sifted


def _reason(audience: str, recording: str, strange: set[str]) -> str:
    if audience in strange:
        return "strangers"
    if recording in JUNK:
        return "junk"
    return "overlong" if len(recording) > LONGEST_ID else ""


def combine(readings: Sequence[DayReading]) -> DayReading:
    """Readings of one day that asked for different audiences, one report each, as one.

    Args:
        readings: at least one, about audiences of which none is in two.
    """
    number = _numbering().__getitem__
    members = {name: part for reading in readings for name, part in _renumbered(reading, number)}
    totals = [reading.total for reading in readings if reading.total is not None]
    ids = list(dict.fromkeys(one for reading in readings for one in reading.ids))
    return DayReading(
        ids=ids,
        members=members,
        rows=sum(reading.rows for reading in readings),
        row_counts=tuple(count for reading in readings for count in reading.row_counts),
        expected=sum(reading.expected for reading in readings),
        steady=all(reading.steady for reading in readings),
        events=sum(reading.events for reading in readings),
        total=sum(totals) if len(totals) == len(readings) else None,
        dropped=reduce(or_, (reading.dropped for reading in readings)),
        ids_of_100=_of_100(ids),
        flags=reduce(or_, (reading.flags for reading in readings)),
    )


def _renumbered(reading: DayReading, number: Callable[[str], int]) -> list[tuple[str, Positions]]:
    """The reading's members with positions in the joint list of ids."""
    new = np.fromiter(map(number, reading.ids), np.uint32, len(reading.ids))
    return [(name, np.sort(new[part])) for name, part in reading.members.items()]
