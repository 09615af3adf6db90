"""Who belongs to an audience on a local day.

Audiences are user-scoped and fill forward: a user belongs from the local day on which their rows first meet the
clauses, never before the audience's own first day, and for `membership_days` after the last day on which they did.
Rows that are still to be revealed count: Google decides membership itself, whatever it reports yet.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ga_sync.sandbox.clauses import ALL_SESSIONS, EXCLUDE, Values, history_test, row_test
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.world import Audience, Property, Row

PERMANENTLY = 2
PURCHASE = "purchase"
Decide = Callable[[Mapping[str, list[Values]], Mapping[str, list[Values]]], set[str]]


def _decide(clause: Message, index: Mapping[str, int]) -> Decide:
    simple = clause.simple_filter
    if simple.scope == ALL_SESSIONS:
        ever = history_test(simple.filter_expression, index)
        return lambda today, history: {user for user in today if ever(history[user])}
    test = row_test(simple.filter_expression, index)
    return lambda today, _: {user for user, rows in today.items() if any(map(test, rows))}


def check(clauses: Iterable[Any], index: Mapping[str, int]) -> None:
    """Raise `UnusableClauseError` where a clause cannot be evaluated over rows of these fields."""
    for clause in clauses:
        _decide(clause, index)


def _built_in(audience: Audience, index: Mapping[str, int]) -> Decide:
    if audience.display_name != "Purchasers":
        return lambda today, _: set(today)
    place = index.get("eventName")
    if place is None:
        return lambda _, __: set()
    return lambda today, _: {
        user for user, rows in today.items() if any(row[place] == PURCHASE for row in rows)
    }


def by_user(rows: Iterable[Row]) -> dict[str, list[Values]]:
    """Gather the values of the rows of each user."""
    gathered: dict[str, list[Values]] = {}
    for row in rows:
        gathered.setdefault(row.user, []).append(row.values)
    return gathered


@dataclass
class Membership:
    """The members of one audience, day after day; made anew when the property's rows change."""

    prop: Property
    audience: Audience
    _last_met: dict[str, date] = field(default_factory=dict, init=False)
    _history: dict[str, list[Values]] = field(default_factory=dict, init=False)
    _barred: set[str] = field(default_factory=set, init=False)
    _members: dict[date, frozenset[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        index, clauses = self.prop.index, self.audience.clauses
        self._first = max(self.prop.first_day, self.prop.today(self.audience.create_time))
        self._next = self._first
        self._keeps_history = any(clause.simple_filter.scope == ALL_SESSIONS for clause in clauses)
        self._includes = [_decide(clause, index) for clause in clauses if clause.clause_type != EXCLUDE]
        self._excludes = [_decide(clause, index) for clause in clauses if clause.clause_type == EXCLUDE]
        if self.audience.built_in:
            self._includes = [_built_in(self.audience, index)]

    def _read(self, day: date) -> None:
        today = by_user(self.prop.day(day).rows)
        if self._keeps_history:
            for user, rows in today.items():
                self._history.setdefault(user, []).extend(rows)
        out: set[str] = set().union(*(decide(today, self._history) for decide in self._excludes))
        if self.audience.exclusion_mode == PERMANENTLY:
            self._barred |= out
        met = [decide(today, self._history) for decide in self._includes]
        for user in (set.intersection(*met) if met else set(today)) - self._barred:
            self._last_met[user] = day
        for user in out:
            self._last_met.pop(user, None)
        self._members[day] = frozenset(user for user in today if self._belongs(user, day))

    def _belongs(self, user: str, day: date) -> bool:
        last = self._last_met.get(user)
        return last is not None and (day - last).days < self.audience.membership_days

    def on(self, day: date) -> frozenset[str]:
        """Give the users with rows on this local day who belong then; nobody before its first day.

        An archived audience keeps its history up to the local day on which it was archived.
        """
        gone = self.audience.archived_at
        if gone is not None and day > self.prop.today(gone):
            return frozenset()
        while self._next <= day:
            self._read(self._next)
            self._next += timedelta(days=1)
        return self._members.get(day, frozenset())


@dataclass
class Memberships:
    """The memberships of a property, remembered until its version changes."""

    prop: Property
    _version: int = -1
    _held: dict[int, Membership] = field(default_factory=dict)

    def on(self, audience: Audience, day: date) -> frozenset[str]:
        """Give the users who belong to the audience on this local day."""
        if self._version != self.prop.version:
            self._held, self._version = {}, self.prop.version
        held = self._held.get(audience.audience_id)
        if held is None:
            held = self._held[audience.audience_id] = Membership(self.prop, audience)
        return held.on(day)
