"""A world from a table of real sessions: one row of the file is one session of one local day."""

import calendar
import csv
import hashlib
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from ga_sync.sandbox import members
from ga_sync.sandbox.clauses import UnusableClauseError, parse
from ga_sync.sandbox.mapping import AudienceRule, BadMappingError, DayRule, Mapping, read_mapping
from ga_sync.sandbox.world import (
    EVENT_PREFIX,
    Audience,
    CustomDimension,
    GoogleUser,
    Property,
    Row,
    World,
    default_audiences,
)

__all__ = ["BadMappingError", "Mapping", "day_of", "load_table", "read_mapping", "recording_id"]

SATURDAY = 5
ACCOUNT = 200_000_900
Line = AnyMapping[str, str]


def recording_id(number: int) -> str:
    """Give the id of the row with this number, from 0: 32 hexadecimal digits, the same every time."""
    return hashlib.sha256(f"row/{number}".encode()).hexdigest()[:32]


def _month(text: str) -> int:
    if text.strip().isdigit():
        return int(text)
    names = [name.lower() for name in calendar.month_abbr]
    return names.index(text.strip().lower()[:3])


def _in_month(rule: DayRule, line: Line, number: int) -> date:
    year, month = rule.year or 1, _month(line[rule.month_column or ""])
    days = [date(year, month, n) for n in range(1, calendar.monthrange(year, month)[1] + 1)]
    if rule.weekend_column:
        wanted = line[rule.weekend_column] in rule.weekend_values
        days = [day for day in days if (day.weekday() >= SATURDAY) == wanted]
    return days[number % len(days)]


def day_of(rule: DayRule, line: Line, number: int) -> date:
    """Give the local day of a row; raises `BadMappingError` where the row does not say it."""
    try:
        if rule.column:
            return datetime.strptime(line[rule.column], rule.format).date()  # noqa: DTZ007 - a local day
        if rule.month_column:
            return _in_month(rule, line, number)
    except (ValueError, KeyError) as error:
        raise BadMappingError(f"row {number + 1}: no day can be read: {error}") from error
    last, days = rule.last_day or date.max, rule.days or 1
    return last - timedelta(days=number % days)


def _row(mapping: Mapping, line: Line, number: int) -> tuple[date, Row]:
    day = day_of(mapping.day, line, number)
    at = datetime.combine(day, time(12), ZoneInfo(mapping.time_zone)).astimezone(UTC)
    user = line[mapping.user_column] if mapping.user_column else f"row-{number}"
    recording = line[mapping.session_column] if mapping.session_column else recording_id(number)
    read = (line[column] for column in mapping.columns)
    events = int(line[mapping.events_column]) if mapping.events_column else 1
    return day, Row(at, at, user, (*read, *mapping.constants.values(), recording), events)


def _rows(mapping: Mapping, lines: Iterable[Line]) -> dict[date, list[Row]]:
    days: dict[date, list[Row]] = {}
    for number, line in enumerate(lines):
        try:
            day, row = _row(mapping, line, number)
        except KeyError as error:
            raise BadMappingError(f"the table has no column {error}") from error
        except ValueError as error:
            raise BadMappingError(f"row {number + 1}: {error}") from error
        days.setdefault(day, []).append(row)
    if not days:
        raise BadMappingError("the table has no rows")
    return days


def _audience(rule: AudienceRule, number: int, prop: Property) -> Audience:
    try:
        clauses = parse(list(rule.clauses))
        members.check(clauses, prop.index)
    except UnusableClauseError as error:
        raise BadMappingError(f"audience {rule.display_name!r}: {error}") from error
    born = prop.create_time + timedelta(hours=1)
    if rule.created_day:
        born = datetime.combine(rule.created_day, time(), prop.zone).astimezone(UTC)
    return Audience(number, rule.display_name, born, clauses, membership_days=rule.membership_days)


def _source(days: AnyMapping[date, list[Row]]) -> Callable[[date], Iterable[Row]]:
    return lambda day: days.get(day, ())


def _property(mapping: Mapping, days: AnyMapping[date, list[Row]]) -> Property:
    number, first_day = mapping.property_number, min(days)
    created = datetime.combine(first_day, time(9), UTC) - timedelta(days=30)
    recording = EVENT_PREFIX + mapping.recording_parameter
    prop = Property(
        number=number,
        display_name=mapping.property_name,
        account=ACCOUNT,
        time_zone=mapping.time_zone,
        create_time=created,
        fields=(*mapping.columns.values(), *mapping.constants, recording),
        first_day=first_day,
        recording_parameter=mapping.recording_parameter,
        source=_source(days),
        audiences=default_audiences(number, created),
    )
    own = [name.removeprefix(EVENT_PREFIX) for name in prop.fields if name.startswith(EVENT_PREFIX)]
    prop.dimensions = [CustomDimension(number * 10 + n, name, name) for n, name in enumerate(own)]
    prop.audiences += [_audience(rule, number * 10 + n, prop) for n, rule in enumerate(mapping.audiences, 2)]
    return prop


def load_table(csv_path: Path, mapping: Mapping) -> World:
    """Read a CSV file into a world with one property and one Google user.

    A row is visible from its local noon on. Rows without a user column are users of their own; rows without a session
    column get `recording_id` of their number.

    Raises:
        BadMappingError: the file and the mapping do not fit; the sentence names the row or column.
        OSError: the file cannot be read.
    """
    with csv_path.open(encoding="utf-8-sig", newline="") as file:
        days = _rows(mapping, csv.DictReader(file, delimiter=mapping.delimiter))
    prop = _property(mapping, days)
    user = GoogleUser(mapping.google_user, frozenset({prop.number}))
    return World(prop.number, {ACCOUNT: mapping.account_name}, {prop.number: prop}, {user.email: user})
