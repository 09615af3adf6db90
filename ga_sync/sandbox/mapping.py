"""How the columns of a table of sessions become a world: the mapping file, in JSON or TOML (docs/sandbox.md)."""

import json
import tomllib
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class BadMappingError(ValueError):
    """A mapping or table that cannot be read; the sentence says where."""


@dataclass(frozen=True, slots=True)
class DayRule:
    """Where a row's local day comes from; exactly one of the three ways.

    * `column` with `format` (strptime): the day stands in the table.
    * `month_column` and `year`: a month's name or number stands there; the day inside the month follows from the row's
      number, on a Saturday or Sunday exactly where `weekend_column` holds one of `weekend_values`.
    * `last_day` and `days`: the rows are dealt out evenly over the days up to `last_day`.
    """

    column: str | None = None
    format: str = "%Y-%m-%d"
    month_column: str | None = None
    year: int | None = None
    weekend_column: str | None = None
    weekend_values: tuple[str, ...] = ("TRUE", "true", "True", "1")
    last_day: date | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class AudienceRule:
    """An audience over the table: its name and its clauses in the Admin API's JSON form."""

    display_name: str
    clauses: tuple[AnyMapping[str, Any], ...]
    membership_days: int = 30
    created_day: date | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """The whole mapping. `columns` gives each column used its API field name, such as `country`."""

    day: DayRule
    columns: AnyMapping[str, str]
    audiences: tuple[AudienceRule, ...] = ()
    time_zone: str = "UTC"
    property_number: int = 400_000_001
    property_name: str = "Table"
    account_name: str = "Table"
    google_user: str = "analytics@table.example"
    recording_parameter: str = "sessioncam_id"
    user_column: str | None = None
    session_column: str | None = None
    events_column: str | None = None
    delimiter: str = ","
    constants: AnyMapping[str, str] = field(default_factory=dict)


def _only(given: object, known: AnyMapping[str, object], where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadMappingError(f"{where} must be an object")
    if unknown := set(given) - set(known):
        raise BadMappingError(
            f"{where} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}"
        )
    return dict(given)


def _as_day(value: object, where: str) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise BadMappingError(f"{where} must be a day YYYY-MM-DD") from error


def _day_rule(given: object) -> DayRule:
    found = _only(given, DayRule.__dataclass_fields__, "day")
    if "last_day" in found:
        found["last_day"] = _as_day(found["last_day"], "day.last_day")
    if "weekend_values" in found:
        found["weekend_values"] = tuple(found["weekend_values"])
    rule = DayRule(**found)
    ways = (rule.column, rule.month_column and rule.year, rule.last_day and rule.days)
    if sum(bool(way) for way in ways) != 1:
        raise BadMappingError("day needs one of: column; month_column and year; last_day and days")
    return rule


def _audience_rule(given: object, place: int) -> AudienceRule:
    where = f"audiences[{place}]"
    found = _only(given, AudienceRule.__dataclass_fields__, where)
    if not found.get("display_name") or not found.get("clauses"):
        raise BadMappingError(f"{where} needs display_name and clauses")
    if "created_day" in found:
        found["created_day"] = _as_day(found["created_day"], f"{where}.created_day")
    return AudienceRule(**{**found, "clauses": tuple(found["clauses"])})


def parse_mapping(given: object) -> Mapping:
    """Read a mapping from plain values.

    Raises:
        BadMappingError: an unknown key, a missing day rule, an unknown time zone, no columns.
    """
    found = _only(given, Mapping.__dataclass_fields__, "the mapping")
    if not isinstance(found.get("columns"), dict) or not all(
        isinstance(one, str) for one in found["columns"].values()
    ):
        raise BadMappingError("columns must give each column its field name")
    try:
        ZoneInfo(found.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadMappingError(f"time_zone {found['time_zone']!r} is not an IANA name") from error
    found["day"] = _day_rule(found.get("day"))
    found["audiences"] = tuple(_audience_rule(one, n) for n, one in enumerate(found.get("audiences", ())))
    return Mapping(**found)


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file, `.json` or `.toml`.

    Raises:
        BadMappingError: neither of the two, not well-formed, or not a mapping.
        OSError: the file cannot be read.
    """
    parsers: dict[str, Callable[[str], object]] = {".json": json.loads, ".toml": tomllib.loads}
    parser = parsers.get(path.suffix.lower())
    if parser is None:
        raise BadMappingError(f"{path.name} must end in .json or .toml")
    try:
        value = parser(path.read_text("utf-8"))
    except ValueError as error:
        raise BadMappingError(f"{path.name} is not well-formed: {error}") from error
    return parse_mapping(value)
