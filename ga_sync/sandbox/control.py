"""The control port: truth, clock, data, moods and the journal, as HTTP and JSON (docs/sandbox.md)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ga_sync.sandbox import members as membership
from ga_sync.sandbox.clauses import UnusableClauseError, parse
from ga_sync.sandbox.clock import Clock
from ga_sync.sandbox.data import Data
from ga_sync.sandbox.journal import Journal
from ga_sync.sandbox.moods import BadMoodError, Moods, checked
from ga_sync.sandbox.oauth import OAuth
from ga_sync.sandbox.quota import Quotas
from ga_sync.sandbox.truth import audience_view, property_view, truth
from ga_sync.sandbox.web import Request, Response, json_response
from ga_sync.sandbox.world import EVENT_PREFIX, Audience, Property, Row, World, utc

CUSTOM_DAYS = 30


class BadControlError(ValueError):
    """A control request that makes no sense; the sentence says what to send."""


class NothingThereError(LookupError):
    """A control request about something that does not exist."""


@dataclass
class Parts:
    """What the control port may touch."""

    world: World
    clock: Clock
    moods: Moods
    journal: Journal
    oauth: OAuth
    quotas: Quotas
    data: Data


def _body(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except ValueError as error:
        raise BadControlError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadControlError("the body must be a JSON object")
    return value


def moment(text: object) -> datetime:
    """Read an RFC 3339 time with its offset; raises `BadControlError`."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise BadControlError(f"{text!r} is not an RFC 3339 time") from error
    if found.tzinfo is None:
        raise BadControlError(f"{text!r} names no offset; write Z or +00:00")
    return utc(found)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadControlError(f"{text!r} is not a day YYYY-MM-DD") from error


def _row_time(prop: Property, given: Mapping[str, Any]) -> datetime:
    if "at" in given:
        return moment(given["at"])
    day = _day(given.get("day"))
    if day is None:
        raise BadControlError("a row needs at (a time) or day (YYYY-MM-DD, local; noon is taken)")
    return datetime(day.year, day.month, day.day, 12, tzinfo=prop.zone).astimezone(UTC)


def _values(prop: Property, given: Mapping[str, Any]) -> tuple[str | None, ...]:
    values = dict(given.get("values") or {})
    if "id" in given:
        values[EVENT_PREFIX + prop.recording_parameter] = given["id"]
    if unknown := set(values) - set(prop.fields):
        raise BadControlError(f"{prop.name} has no field {', '.join(sorted(unknown))}")
    for value in values.values():
        if value is not None and not (isinstance(value, str) and _plain(value)):
            raise BadControlError("values are strings of valid Unicode, or null")
    return tuple(values.get(name) for name in prop.fields)


def _plain(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def row(prop: Property, given: object) -> Row:
    """Read a row: `{at|day, user, id?, values?, events?, sessions?, visible_at?}`; raises `BadControlError`."""
    if not isinstance(given, dict) or not isinstance(given.get("user"), str):
        raise BadControlError("a row is an object with at least user and at or day")
    at = _row_time(prop, given)
    visible = moment(given["visible_at"]) if "visible_at" in given else at
    counts = (given.get("events", 1), given.get("sessions", 1))
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise BadControlError("events and sessions are whole numbers from 0")
    return Row(at, visible, given["user"], _values(prop, given), *counts)


class Control:
    """Serves the control port."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._routes: dict[tuple[str, str], Callable[[Request, list[str]], Any]] = {
            ("GET", "world"): self._world,
            ("GET", "truth"): self._truth,
            ("GET", "clock"): lambda _, __: self._time(),
            ("PUT", "clock"): self._set_clock,
            ("POST", "advance"): self._advance,
            ("POST", "audiences"): self._audience,
            ("POST", "sessions"): self._sessions,
            ("GET", "moods"): lambda _, __: {"moods": parts.moods.show()},
            ("PUT", "moods"): self._put_moods,
            ("POST", "moods"): self._add_mood,
            ("DELETE", "moods"): self._clear_moods,
            ("GET", "requests"): lambda _, __: self._requests(),
            ("DELETE", "requests"): self._forget_requests,
        }

    def __call__(self, request: Request) -> Response:
        """Answer one request: 200 with JSON, 400 with what to send instead, 404."""
        head, *rest = request.path.strip("/").split("/")
        serve = self._routes.get((request.method, head))
        if serve is None:
            return json_response({"error": f"no such address: {request.method} {request.path}"}, 404)
        try:
            return json_response(serve(request, rest))
        except (BadControlError, BadMoodError, UnusableClauseError) as error:
            return json_response({"error": str(error)}, 400)
        except NothingThereError as error:
            return json_response({"error": str(error)}, 404)

    def _property(self, name: str) -> Property:
        found = self._parts.world.find(name)
        if found is None:
            raise NothingThereError(f"no property {name!r}; GET /world lists them")
        return found

    def _time(self) -> dict[str, Any]:
        clock = self._parts.clock
        return {"now": clock.now().isoformat(), "offset_seconds": clock.offset.total_seconds()}

    def _world(self, _: Request, __: list[str]) -> dict[str, Any]:
        world = self._parts.world
        users = [
            {
                "email": user.email,
                "properties": [f"properties/{number}" for number in sorted(user.properties)],
            }
            for user in world.users.values()
        ]
        properties = [property_view(prop) for prop in world.properties.values()]
        return {"users": users, "properties": properties, "live_refresh_tokens": self._parts.oauth.live()}

    def _truth(self, request: Request, _: list[str]) -> dict[str, Any]:
        query = {name: values[0] for name, values in request.query.items()}
        prop = self._property(query.get("property", ""))
        parameter = query.get("parameter", prop.recording_parameter)
        if EVENT_PREFIX + parameter not in prop.index:
            raise NothingThereError(f"{prop.name} has no parameter {parameter!r}")
        window = (_day(query.get("from")), _day(query.get("to")))
        with self._parts.world.lock:
            held = self._parts.data.members(prop)
            return truth(prop, held, self._parts.clock.now(), parameter, window)

    def _set_clock(self, request: Request, _: list[str]) -> dict[str, Any]:
        body = _body(request)
        if "now" in body:
            self._parts.clock.set(moment(body["now"]))
        else:
            self._parts.clock.offset = self._span(body, "offset_seconds", "seconds")
        return self._time()

    @staticmethod
    def _span(body: Mapping[str, Any], name: str, unit: str) -> timedelta:
        value = body.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadControlError(f"{name} must be a number")
        return timedelta(**{unit: value})

    def _advance(self, request: Request, _: list[str]) -> dict[str, Any]:
        body = _body(request)
        unit = "days" if "days" in body else "seconds"
        self._parts.clock.advance(self._span(body, unit, unit))
        return self._time()

    def _audience(self, request: Request, path: list[str]) -> dict[str, Any]:
        prop = self._property(path[0] if path else "")
        body = _body(request)
        with self._parts.world.lock:
            audience = self._named(prop, path[1]) if len(path) > 1 else self._created(prop, body)
            if "display_name" in body:
                audience.display_name = str(body["display_name"])
            if "archived" in body:
                audience.archived_at = self._parts.clock.now() if body["archived"] else None
            prop.version += 1
            return audience_view(prop, audience)

    @staticmethod
    def _named(prop: Property, number: str) -> Audience:
        found = prop.audience(int(number)) if number.isascii() and number.isdigit() else None
        if found is None:
            raise NothingThereError(f"{prop.name} has no audience {number!r}")
        return found

    def _created(self, prop: Property, body: Mapping[str, Any]) -> Audience:
        clauses = parse(body.get("clauses", []))
        if not clauses or not body.get("display_name"):
            raise BadControlError(
                "a new audience needs display_name and clauses (AudienceFilterClause objects)"
            )
        membership.check(clauses, prop.index)
        created = moment(body["create_time"]) if "create_time" in body else self._parts.clock.now()
        number = max((one.audience_id for one in prop.audiences), default=prop.number * 10) + 1
        days = int(body.get("membership_duration_days", CUSTOM_DAYS))
        audience = Audience(number, str(body["display_name"]), created, clauses, membership_days=days)
        prop.audiences.append(audience)
        return audience

    def _sessions(self, request: Request, _: list[str]) -> dict[str, Any]:
        body = _body(request)
        prop = self._property(str(body.get("property", "")))
        given = body.get("rows")
        if not isinstance(given, list):
            raise BadControlError("rows must be a list")
        rows = [row(prop, one) for one in given]
        with self._parts.world.lock:
            prop.add(rows)
        return {"added": len(rows)}

    def _put_moods(self, request: Request, _: list[str]) -> dict[str, Any]:
        moods = _body(request).get("moods")
        if not isinstance(moods, list):
            raise BadControlError("moods must be a list")
        found = [checked(mood) for mood in moods]
        self._parts.moods.put([mood for mood in found if not self._set_quota(mood)])
        return {"moods": self._parts.moods.show()}

    def _add_mood(self, request: Request, _: list[str]) -> dict[str, Any]:
        mood = checked(_body(request))
        if not self._set_quota(mood):
            self._parts.moods.add(mood)
        return {"moods": self._parts.moods.show()}

    def _set_quota(self, mood: Mapping[str, Any]) -> bool:
        """Leave what `quota_remaining` says in the property's ledger; it refills when its window ends."""
        if mood["kind"] != "quota_remaining":
            return False
        prop = self._property(str(mood.get("property", "")))
        ledger = self._parts.quotas.of(prop.number, premium=prop.premium)
        wanted = mood.get("remaining")
        if not isinstance(wanted, dict) or not set(wanted) <= set(ledger.limits):
            raise BadMoodError(f"remaining is an object of {', '.join(sorted(ledger.limits))}")
        with self._parts.world.lock:
            for kind, amount in wanted.items():
                ledger.leave(kind, int(amount), self._parts.clock.now())
        return True

    def _clear_moods(self, _: Request, __: list[str]) -> dict[str, Any]:
        self._parts.moods.put([])
        return {"moods": []}

    def _requests(self) -> dict[str, Any]:
        ledgers = self._parts.quotas.ledgers.items()
        peaks = {f"properties/{number}": ledger.peak for number, ledger in ledgers}
        return {**self._parts.journal.view(), "max_concurrency_by_property": peaks}

    def _forget_requests(self, _: Request, __: list[str]) -> dict[str, Any]:
        self._parts.journal.clear()
        return {}
