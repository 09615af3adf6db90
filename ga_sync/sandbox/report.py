"""RunReport, decided: from a request and the rows of a property to a table. Pure; nothing of gRPC is here.

Source: https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ga_sync.sandbox.asked import AUDIENCE_FIELDS, TIME_FIELDS, BadRequestError, check, reads_audiences, spans
from ga_sync.sandbox.filters import BadFilterError, Split, compile_expression, fields_of, split
from ga_sync.sandbox.members import Memberships
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.world import Audience, Property, Row

NOT_SET = "(not set)"
USER_METRICS = frozenset({"activeUsers", "totalUsers"})


Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The whole answer before paging: header names, and rows as (dimension values, metric values)."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: list[tuple[Key, tuple[int, ...]]]
    totals: tuple[int, ...]


def _reader(prop: Property, name: str, day: date) -> Callable[[Row], str]:
    if name == "date":
        text = day.strftime("%Y%m%d")
        return lambda _: text
    if name in TIME_FIELDS:
        shape = "%Y%m%d%H" if name == "dateHour" else "%H"
        zone = prop.zone
        return lambda row: row.at.astimezone(zone).strftime(shape)
    place = prop.index.get(name)
    if place is None:
        return lambda _: NOT_SET
    return lambda row: NOT_SET if (value := row.values[place]) is None else value


def _audience_values(prop: Property, audience: Audience) -> dict[str, str]:
    name = prop.audience_name(audience)
    return dict(zip(AUDIENCE_FIELDS, (name, audience.display_name, str(audience.audience_id)), strict=True))


Members = list[tuple[dict[str, str], frozenset[str] | None]]


@dataclass(slots=True)
class Reading:
    """What a table is made from: the property, who is in which audience, the time, and what moods leave out."""

    prop: Property
    members: Memberships
    now: datetime
    hidden_audiences: frozenset[int] = frozenset()

    def audiences(self, day: date, parts: Split) -> Members:
        """Give the audiences that pass the filter with their members that day; none = users in no audience."""
        found: Members = []
        for audience in self.prop.audiences:
            values = _audience_values(self.prop, audience)
            hidden = audience.audience_id in self.hidden_audiences
            if not hidden and all(test(values.__getitem__) for test in parts.audience):
                found.append((values, self.members.on(audience, day)))
        unset = dict.fromkeys(AUDIENCE_FIELDS, NOT_SET)
        if all(test(unset.__getitem__) for test in parts.audience):
            found.append((unset, None))
        return found

    def nobody(self, day: date) -> Callable[[str], bool]:
        """Make the test of whether a user belongs to no audience at all that day."""
        shown = [one for one in self.prop.audiences if one.audience_id not in self.hidden_audiences]
        sets = [self.members.on(one, day) for one in shown]
        return lambda user: not any(user in held for held in sets)


@dataclass(slots=True)
class Sums:
    """Running sums of one key: events, sessions, and the users where they are asked for."""

    events: int = 0
    sessions: int = 0
    users: set[str] | None = None

    def metric(self, name: str) -> int:
        """Give a metric's value."""
        if name == "eventCount":
            return self.events
        return self.sessions if name == "sessions" else len(self.users or ())


def _pairs(
    reading: Reading, day: date, parts: Split, *, expand: bool
) -> Iterator[tuple[Row, dict[str, str]]]:
    """Yield the visible rows of a day that pass, once per audience where those are asked for."""
    held = reading.prop.day(day)
    rows: Sequence[Row] = held.rows[: held.count_at(reading.now)]
    readers: dict[str, Callable[[Row], str]] = {}

    def get(name: str) -> str:
        reader = readers.get(name)
        if reader is None:
            reader = readers[name] = _reader(reading.prop, name, day)
        return reader(row)

    audiences = reading.audiences(day, parts) if expand else []
    nobody = reading.nobody(day) if expand else lambda _: True
    for row in rows:
        if not all(test(get) for test in parts.row):
            continue
        if not expand:
            yield row, {}
            continue
        for values, members in audiences:
            if not (nobody(row.user) if members is None else row.user in members):
                continue
            either = lambda name, values=values: values[name] if name in values else get(name)  # noqa: E731
            if all(test(either) for test in parts.both):
                yield row, values


def _once(pairs: Iterable[tuple[Row, dict[str, str]]]) -> Iterator[tuple[Row, dict[str, str]]]:
    """Count a row once where audiences only filter and are no column."""
    last: Row | None = None
    for row, values in pairs:
        if row is not last:
            yield row, values
        last = row


@dataclass(frozen=True, slots=True)
class Plan:
    """How a request is to be counted: its columns, its filter in parts, and whether rows come once per audience."""

    names: tuple[str, ...]
    parts: Split
    audience_columns: bool
    expand: bool
    count_users: bool

    def pairs(self, reading: Reading, day: date) -> Iterable[tuple[Row, dict[str, str]]]:
        """Give the rows of a day that count, each with its audience's values."""
        found = _pairs(reading, day, self.parts, expand=self.expand)
        return _once(found) if self.expand and not self.audience_columns else found


def _plan(request: Message) -> Plan:
    names = tuple(one.name for one in request.dimensions)
    has_filter = request.HasField("dimension_filter")
    parts = split(request.dimension_filter, AUDIENCE_FIELDS) if has_filter else Split()
    columns = not set(names).isdisjoint(AUDIENCE_FIELDS)
    users = any(one.name in USER_METRICS for one in request.metrics)
    return Plan(names, parts, columns, reads_audiences(request), users)


def _gather(plan: Plan, reading: Reading, day: date, tail: Key, groups: dict[Key, Sums]) -> None:
    readers = [None if name in AUDIENCE_FIELDS else _reader(reading.prop, name, day) for name in plan.names]
    columns = list(zip(plan.names, readers, strict=True))
    for row, values in plan.pairs(reading, day):
        key = (*[values[name] if reader is None else reader(row) for name, reader in columns], *tail)
        sums = groups.get(key)
        if sums is None:
            sums = groups[key] = Sums(users=set() if plan.count_users else None)
        sums.events += row.events
        sums.sessions += row.sessions
        if sums.users is not None:
            sums.users.add(row.user)


def _totals(names: Sequence[str], kept: list[Sums]) -> tuple[int, ...]:
    users = set[str]().union(*(one.users for one in kept if one.users))
    return tuple(
        len(users) if name in USER_METRICS else sum(one.metric(name) for one in kept) for name in names
    )


def _keep(request: Message, names: Sequence[str]) -> Callable[[Mapping[str, int]], bool]:
    empty_too = request.keep_empty_rows
    if not request.HasField("metric_filter"):
        return lambda values: empty_too or any(values[name] for name in names)
    test = compile_expression(request.metric_filter)
    return lambda values: (empty_too or any(values.values())) and test(lambda name: str(values[name]))


def tabulate(request: Message, reading: Reading) -> Table:
    """Answer a request, ordered by dimension values; `ordering` gives Google's order.

    Raises:
        BadRequestError: for all that `check`, the date ranges and the filters refuse.
    """
    check(request, reading.prop)
    ranges = spans(request, reading.prop.today(reading.now), reading.prop.first_day)
    groups: dict[Key, Sums] = {}
    names = tuple(one.name for one in request.metrics)
    try:
        plan = _plan(request)
        for span in ranges:
            for day in span.days:
                _gather(plan, reading, day, (span.name,) if len(ranges) > 1 else (), groups)
        keep = _keep(request, names)
    except BadFilterError as error:
        raise BadRequestError(str(error)) from error
    asked = set(names) | fields_of(request.metric_filter)
    kept = [key for key in sorted(groups) if keep({name: groups[key].metric(name) for name in asked})]
    dimensions = tuple(one.name for one in request.dimensions) + (("dateRange",) if len(ranges) > 1 else ())
    rows = [(key, tuple(groups[key].metric(name) for name in names)) for key in kept]
    return Table(dimensions, names, rows, _totals(names, [groups[key] for key in kept]))
