"""Reading one day from Google: every page of it, once more where the pages disagree, and how many ids it knew."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ga_sync.analytics import requests
from ga_sync.analytics.answers import ReportPage, next_offset
from ga_sync.analytics.reading import DayReading, read_day
from ga_sync.sync.calls import Calls
from ga_sync.sync.completeness import Signs, is_good
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
    """Reads days of one property."""

    def __init__(
        self, calls: Calls, property_name: str, parameter: str, clock: Callable[[], datetime]
    ) -> None:
        self._calls, self._property, self._parameter, self._clock = calls, property_name, parameter, clock

    def fetch(self, day: date, time_zone: str, segment_ids: Sequence[str]) -> Fetched:
        """One day, for these segments. Raises as :meth:`Calls.report`."""
        began_at = self._clock()
        young = began_at < seals_at(day, time_zone)
        reading = self._read(day, segment_ids) if segment_ids else None
        signs = Signs(young=young) if reading is None else signs_of(reading, young=young)
        seen = None
        if not young and is_good(signs):
            seen = self._calls.report(requests.seen_report(self._property, self._parameter, day)).row_count
        return Fetched(day, time_zone, began_at, self._clock(), reading, signs, seen)

    def _read(self, day: date, segment_ids: Sequence[str]) -> DayReading:
        """Where rows came or went between pages: once more, at once, and the better of the two."""
        names = [f"{self._property}/audiences/{segment_id}" for segment_id in segment_ids]
        first = read_day(self._pages(day, names), names)
        if first.whole:
            return first
        again = read_day(self._pages(day, names), names)
        return again if again.whole or again.memberships >= first.memberships else first

    def _pages(self, day: date, names: Sequence[str]) -> Iterator[ReportPage]:
        offset: int | None = 0
        while offset is not None:
            page = self._calls.report(
                requests.day_report(self._property, self._parameter, day, names, offset)
            )
            yield page
            offset = next_offset(offset, page)


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
