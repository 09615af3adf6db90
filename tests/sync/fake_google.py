"""A Google Analytics that lives in the process: the protocol `ga_sync.analytics.client.Google` over plain values.

What it does as Google: it lists the property and its audiences, answers the two report shapes of
`ga_sync.analytics.requests` (who is in which audience on a day; how many ids a day has), sorted and paged by offset
with the row count of the whole report, the TOTAL beside it, flags and quotas. Nothing is built in: the two default
audiences are there because the test's world has them.

What a test may set: the world (`members`, `strangers`, `listed`, `facts`), what a page holds (`page_size`), what
answers say of themselves (`flags`, `totals`, `quota`, `row_counts`: the row count of the next pages), errors for the
next calls (`fail`), and `before`, which is told the name of every call and may do anything.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from google.analytics import data_v1beta as data

from ga_sync.analytics.answers import Flags, ReportPage
from ga_sync.analytics.client import Audience, CustomDimension, Property, PropertySummary
from ga_sync.analytics.errors import AnalyticsError
from ga_sync.analytics.quota import QuotaState
from ga_sync.analytics.rows import Columns

PROPERTY = "properties/4711"
PARAMETER = "sessioncam_id"
BORN = datetime(2024, 2, 1, 9, 30, tzinfo=UTC)
MADE = datetime(2026, 1, 5, 8, tzinfo=UTC)
EVERYONE, BUYERS, RETURNING = "100", "7", "12"


def audience(
    number: str, name: str, *, clauses: bool = True, made: datetime | None = MADE, of: str = PROPERTY
) -> Audience:
    """One audience of the property."""
    return Audience(f"{of}/audiences/{number}", number, name, clauses, made)


@dataclass
class Call:
    """A call as it came; reports have a day, the audiences asked about (none: the parameter alone) and an offset."""

    method: str
    token: str
    day: date | None = None
    audiences: tuple[str, ...] = ()
    offset: int = 0
    columns: int = 0


@dataclass
class FakeAnalytics:
    """The fake; see above."""

    facts: Property = field(
        default_factory=lambda: Property(PROPERTY, "Shop", "Europe/Berlin", BORN, "GOOGLE_ANALYTICS_STANDARD")
    )
    listed: list[Audience] = field(
        default_factory=lambda: [
            audience(EVERYONE, "All Users", clauses=False, made=BORN),
            audience(BUYERS, "Buyers"),
            audience(RETURNING, "Returning"),
        ]
    )
    members: dict[date, dict[str, list[str]]] = field(default_factory=dict)
    strangers: dict[date, set[str]] = field(default_factory=dict)
    page_size: int = 250_000
    flags: dict[date, Flags] = field(default_factory=dict)
    totals: dict[date, int] = field(default_factory=dict)
    row_counts: deque[int] = field(default_factory=deque)
    shifts: deque[int] = field(default_factory=deque)
    quota: QuotaState | None = None
    reported_zone: str = ""
    folds: Callable[[tuple[str, ...]], bool] = lambda _asked: False
    calls: list[Call] = field(default_factory=list)
    count: Callable[[str], None] = lambda _method: None
    before: Callable[[str], None] = lambda _method: None
    _failures: dict[str, deque[AnalyticsError]] = field(default_factory=lambda: defaultdict(deque))

    def fail(self, method: str, *errors: AnalyticsError) -> None:
        """The next calls of a method end so, one after the other."""
        self._failures[method].extend(errors)

    def rename(self, number: str, name: str) -> None:
        self.listed = [
            replace(one, display_name=name) if one.audience_id == number else one for one in self.listed
        ]

    def archive(self, number: str) -> None:
        self.listed = [one for one in self.listed if one.audience_id != number]

    def move_to(self, time_zone: str) -> None:
        self.facts = replace(self.facts, time_zone=time_zone)

    def days_asked(self) -> list[date]:
        """The days of the membership reports so far, in order, each page once."""
        return [call.day for call in self.calls if call.day is not None and call.audiences]

    def seen_asked(self) -> list[date]:
        """The days whose ids were counted, in order."""
        return [call.day for call in self.calls if call.day is not None and not call.audiences]

    # The protocol.

    def account_summaries(self, token: str) -> Iterator[PropertySummary]:
        self._called(Call("account_summaries", token))
        yield PropertySummary(self.facts.name, self.facts.display_name, "Account")

    def property(self, token: str, name: str) -> Property:
        self._called(Call("property", token))
        assert name == self.facts.name
        return self.facts

    def custom_dimensions(self, token: str, property_name: str) -> Iterator[CustomDimension]:
        self._called(Call("custom_dimensions", token))
        yield CustomDimension(PARAMETER, "Recording", "EVENT")

    def audiences(self, token: str, property_name: str) -> Iterator[Audience]:
        self._called(Call("audiences", token))
        yield from list(self.listed)

    def run_report(self, token: str, request: data.RunReportRequest) -> ReportPage:
        day = date.fromisoformat(request.date_ranges[0].start_date)
        asked = tuple(
            name.rpartition("/")[2]
            for part in request.dimension_filter.and_group.expressions
            for name in [*part.filter.in_list_filter.values, part.filter.string_filter.value]
            if name
        )
        apart = len(request.dimensions) == 1
        self._called(Call("run_report", token, day, asked, request.offset, len(request.dimensions)))
        rows = self._rows(day, asked) if asked else [("", id_) for id_ in sorted(self._known(day))]
        start = request.offset - (self.shifts.popleft() if self.shifts else 0)
        page = rows[start : start + min(self.page_size, request.limit)]
        return ReportPage(
            columns=Columns(
                [] if apart else [name for name, _ in page], [id_ for _, id_ in page], [1] * len(page)
            ),
            row_count=self.row_counts.popleft() if asked and self.row_counts else len(rows),
            total=self.totals.get(day, len(rows)) if asked else len(rows),
            flags=self.flags.get(day, Flags())
            | Flags(data_loss_from_other_row=bool(asked) and self.folds(asked), time_zone=self.reported_zone),
            quota=self.quota,
        )

    def close(self) -> None:
        """Nothing is open."""

    def _called(self, call: Call) -> None:
        self.count(call.method)
        self.calls.append(call)
        self.before(call.method)
        if self._failures[call.method]:
            raise self._failures[call.method].popleft()

    def _rows(self, day: date, asked: tuple[str, ...]) -> list[tuple[str, str]]:
        held = self.members.get(day, {})
        return sorted(
            (f"{self.facts.name}/audiences/{number}", id_) for number in asked for id_ in held.get(number, [])
        )

    def _known(self, day: date) -> set[str]:
        members = {id_ for ids in self.members.get(day, {}).values() for id_ in ids}
        return members | self.strangers.get(day, set())
