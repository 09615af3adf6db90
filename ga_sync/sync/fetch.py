"""Reading one day from Google: every page of it, once more where the pages disagree, and how many ids it knew."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from google.analytics import data_v1beta as data

from ga_sync.analytics import requests
from ga_sync.analytics.answers import ReportPage, next_offset
from ga_sync.analytics.errors import GoogleUnavailable, MalformedAnswer
from ga_sync.analytics.reading import DayReading, combine, read_day
from ga_sync.sync.calls import Calls
from ga_sync.sync.completeness import Signs, is_good, judge
from ga_sync.sync.errors import Parked
from ga_sync.sync.links import APART, OpenLink
from ga_sync.sync.window import seals_at


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Google said about one day.

    Attributes:
        day: in ``time_zone``.
        time_zone: the property's, when it was read.
        began_at: before the first page was asked for.
        fetched_at: after the last answer.
        reading: the rows as columns; None where there was no segment to ask about.
        signs: what speaks against the reading.
        seen: how many ids the day had in any audience or none; None unless this reading can seal the day.
    """

    day: date
    time_zone: str
    began_at: datetime
    fetched_at: datetime
    reading: DayReading | None
    signs: Signs
    seen: int | None


class DayFetcher:
    """Reads days of one property in the shape that its probe found."""

    def __init__(self, calls: Calls, link: OpenLink, clock: Callable[[], datetime]) -> None:
        self._calls, self._clock = calls, clock
        self._property, self._parameter = link.property, link.parameter_name
        self._apart = link.request_shape == APART

    def fetch(self, day: date, time_zone: str, segment_ids: Sequence[str], *, finer: bool = False) -> Fetched:
        """One day, for these segments; ``finer`` allows one audience at a time where rows were folded into "(other)".

        Raises as :meth:`Calls.report`.
        """
        began_at = self._clock()
        young = began_at < seals_at(day, time_zone)
        reading = self._read(day, segment_ids, finer=finer) if segment_ids else None
        signs = Signs(young=young) if reading is None else signs_of(reading, young=young)
        seen = None
        if not young and is_good(signs):
            seen = self._calls.report(requests.seen_report(self._property, self._parameter, day)).row_count
        return Fetched(day, time_zone, began_at, self._clock(), reading, signs, seen)

    def _read(self, day: date, segment_ids: Sequence[str], *, finer: bool) -> DayReading:
        names = [f"{self._property}/audiences/{segment_id}" for segment_id in segment_ids]
        if self._apart:
            return self._one_by_one(day, names)
        reading = self._steadily(lambda: self._together(day, names), names)
        if finer and folded(reading) and self._calls.governor.has_room_for(len(names)):
            return self._finer(day, names, reading)
        return reading

    def _finer(self, day: date, names: Sequence[str], coarse: DayReading) -> DayReading:
        """Google picks its tables per request, so smaller ones may come whole: the better of the two readings."""
        try:
            return better(coarse, self._one_by_one(day, names))
        except (Parked, GoogleUnavailable, MalformedAnswer):
            return coarse

    def _one_by_one(self, day: date, names: Sequence[str]) -> DayReading:
        return combine([self._steadily(lambda: self._single(day, name), [name]) for name in names])  # noqa: B023 -- called at once

    def _steadily(self, pages: Callable[[], Iterator[ReportPage]], names: Sequence[str]) -> DayReading:
        """Where rows came or went between pages: once more, at once, and the better of the two."""
        first = read_day(steady(pages()), names)
        if first.whole:
            return first
        again = read_day(pages(), names)
        return again if again.whole or again.memberships >= first.memberships else first

    def _together(self, day: date, names: Sequence[str]) -> Iterator[ReportPage]:
        return self._pages(
            lambda offset: requests.day_report(self._property, self._parameter, day, names, offset)
        )

    def _single(self, day: date, name: str) -> Iterator[ReportPage]:
        """One audience; where it is no column, its name stands in front of each row."""
        shape = requests.alone_report if self._apart else requests.audience_report
        pages = self._pages(lambda offset: shape(self._property, self._parameter, day, name, offset))
        return (named(page, name) for page in pages) if self._apart else pages

    def _pages(self, request_at: Callable[[int], data.RunReportRequest]) -> Iterator[ReportPage]:
        offset: int | None = 0
        while offset is not None:
            held = [self._calls.report(request_at(offset))]
            offset = next_offset(offset, held[0])
            yield held.pop()  # nothing here keeps a page while the next one comes: it may be large


def steady(pages: Iterable[ReportPage]) -> Iterator[ReportPage]:
    """The pages as long as they announce the same number of rows (pure): from there on all is to be read again."""
    announced: set[int] = set()
    for page in pages:
        announced.add(page.row_count)
        yield page
        del page  # before the next one comes: it may be large
        if len(announced) > 1:
            return


def named(page: ReportPage, name: str) -> ReportPage:
    """The page with one audience's name in front of each row (pure)."""
    return replace(page, columns=replace(page.columns, audiences=[name] * page.rows))


def folded(reading: DayReading) -> bool:
    """Rows of this reading were folded into "(other)" (pure)."""
    return reading.flags.data_loss_from_other_row or reading.dropped.other_value


def better(coarse: DayReading, finer: DayReading) -> DayReading:
    """Which of two readings of one day says more (pure): the better state first, then the fuller one."""

    def worth(reading: DayReading) -> tuple[bool, int]:
        return judge(signs_of(reading, young=False)).state != "incomplete", reading.memberships

    return max(finer, coarse, key=worth)


def signs_of(reading: DayReading, *, young: bool) -> Signs:
    """What a reading says against itself (pure)."""
    return Signs(
        other_row=reading.flags.data_loss_from_other_row,
        other_value=reading.dropped.other_value,
        sampled=reading.flags.sampled,
        truncated=bool(reading.flags.truncations),
        row_count=not reading.whole,
        rows_below_total=reading.below_total,
        thresholded=reading.flags.subject_to_thresholding,
        ids_of_100=reading.ids_of_100 > 0,
        young=young,
    )
