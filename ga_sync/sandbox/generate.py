"""A world from a seed: the same seed and start give the same users, properties, audiences and days, for ever.

A day is computed when it is looked at, so a clock that moves on finds new days. Every choice comes from the seed and
the place it is made for; nothing is left to chance.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.clauses import parse
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

AGENCY = "analytics@agency.example"
BORN_BEFORE = timedelta(days=60)
LATE_HOURS = (1, 6, 20, 30, 47, 71)
BUYS, RECURS, IN_TIME = 0.12, 0.06, 0.8


@dataclass(frozen=True, slots=True)
class Session:
    """One recorded visit before it is cut into local days."""

    recording: str | None
    user: str
    start: datetime
    spans_midnight: bool
    late: timedelta
    values: tuple[str | None, ...]
    events: int


def _chance(*place: object) -> random.Random:
    return random.Random("/".join(map(str, place)))  # noqa: S311 - a reproducible world, no secret


def _hex(*place: object) -> str:
    return hashlib.sha256("/".join(map(str, place)).encode()).hexdigest()[:32]


@dataclass
class Days:
    """The days of one property, each a pure function of seed, property and day."""

    seed: int
    number: int
    zone: ZoneInfo
    per_day: int
    users: int
    first_day: date
    _held: dict[date, tuple[Session, ...]] = field(default_factory=dict, repr=False)

    def sessions(self, day: date) -> tuple[Session, ...]:
        """Give the visits that begin on a local day."""
        if day not in self._held:
            chance = _chance(self.seed, self.number, day)
            count = max(12, round(self.per_day * chance.uniform(0.7, 1.3)))
            self._held[day] = tuple(self._session(day, n, count, chance) for n in range(count))
        return self._held[day]

    def _session(self, day: date, n: int, count: int, chance: random.Random) -> Session:
        user = f"{self.number}-{chance.randrange(self.users)}"
        midnight = n >= count - 3
        at = time(23, 58 - n % 5) if midnight else time(chance.randrange(23), chance.randrange(60))
        start = datetime.combine(day, at, self.zone).astimezone(UTC)
        late = timedelta(hours=chance.choice(draw_late(chance)))
        traits = _chance(self.seed, self.number, user)
        event = "purchase" if chance.random() < BUYS else chance.choice(("page_view", "add_to_cart"))
        value = str(chance.randrange(5, 260)) if event == "purchase" else None
        values = (
            traits.choice(draw.COUNTRIES),
            traits.choice(draw.DEVICES),
            chance.choice(draw.CHANNELS),
            chance.choice(("new", "returning")),
            event,
            value,
            chance.choice(draw.PAGES),
            traits.choice(draw.PLANS),
        )
        return Session(self._id(day, n, chance), user, start, midnight, late, values, chance.randrange(1, 40))

    def _id(self, day: date, n: int, chance: random.Random) -> str | None:
        if n < len(draw.JUNK):
            return draw.JUNK[n]
        if n == len(draw.JUNK) + 1:
            return draw.ODD_IDS[(day.toordinal() + self.number) % len(draw.ODD_IDS)]
        back = chance.randrange(1, 6) if chance.random() < RECURS else 0
        return _hex(self.seed, self.number, day - timedelta(days=back), n)

    def rows(self, day: date) -> Iterator[Row]:
        """Give the rows of a local day: the visits that begin, and the rest of those that began the day before."""
        for one in self.sessions(day):
            values = (*one.values, one.recording)
            yield Row(one.start, one.start + one.late, one.user, values, one.events, 1)
        if day <= self.first_day:
            return
        after = datetime.combine(day, time(0, 1), self.zone).astimezone(UTC)
        for one in self.sessions(day - timedelta(days=1)):
            if one.spans_midnight:
                yield Row(after, after + one.late, one.user, (*one.values, one.recording), one.events, 0)


def draw_late(chance: random.Random) -> tuple[int, ...]:
    """Choose how late a visit may come: four of five at once, the others up to 71 hours."""
    return (0,) if chance.random() < IN_TIME else LATE_HOURS


def _dimensions(number: int, parameter: str) -> list[CustomDimension]:
    made = [
        CustomDimension(number * 10 + 1, parameter, "Session recording"),
        CustomDimension(number * 10 + 2, "page_group", "Page group"),
        CustomDimension(number * 10 + 3, "plan", "Plan", "USER"),
    ]
    if number % 10 == 1:
        made.insert(0, CustomDimension(number * 10 + 4, parameter, "Session recording (user)", "USER"))
    return made


def _audiences(number: int, created: datetime, first: datetime, seed: int, *, full: bool) -> list[Audience]:
    chance = _chance(seed, number, "audiences")
    rest = draw.AUDIENCES[draw.ALWAYS :]
    chosen = rest if full else chance.sample(rest, chance.randrange(len(rest) + 1))
    made = default_audiences(number, created)
    for place, (name, clauses, after) in enumerate((*draw.AUDIENCES[: draw.ALWAYS], *chosen), 2):
        born = max(first + timedelta(days=after), created + timedelta(hours=1))
        made.append(Audience(number * 10 + place, name, born, parse(clauses), membership_days=30))
    return made


def _property(
    seed: int, place: int, account: int, title: str, first_day: date, per_day: int, users: int
) -> Property:
    zone, currency = draw.ZONES[place % len(draw.ZONES)]
    number = 300_000_001 + seed % 1000 * 1000 + place * 10
    parameter = draw.PARAMETERS[0] if place % 3 < 2 else draw.PARAMETERS[place % len(draw.PARAMETERS)]  # noqa: PLR2004
    days = Days(seed, number, ZoneInfo(zone), per_day, users, first_day)
    first = datetime.combine(first_day, time(), ZoneInfo(zone)).astimezone(UTC)
    created = first - BORN_BEFORE + timedelta(seconds=place, milliseconds=843)
    return Property(
        number=number,
        display_name=title,
        account=account,
        time_zone=zone,
        create_time=created,
        fields=(*draw.FIELDS, EVENT_PREFIX + parameter),
        first_day=first_day,
        recording_parameter=parameter,
        currency_code=currency,
        premium=place % 5 == 3,  # noqa: PLR2004 - one in five
        source=days.rows,
        audiences=_audiences(number, created, first, seed, full=place == 0),
        dimensions=_dimensions(number // 10 * 10 + (1 if place == 0 else 2), parameter),
    )


def generate(
    seed: int,
    *,
    now: datetime,
    days: int = 40,
    shops: int = 3,
    agency_properties: int = 4,
    sessions_per_day: int = 120,
    users_per_property: int | None = None,
) -> World:
    """Make a world whose properties have data from `days` days before `now` on, without end.

    Args:
        seed: the same seed and `now`'s date give the same world.
        now: the moment that `days` counts back from, aware.
        days: how many whole days of history there are.
        shops: customers with one Google user `analytics@shop<n>.example` and one property each.
        agency_properties: properties of the one agency, whose user may also read every shop's.
        sessions_per_day: about how many visits a property has on a day (±30 %).
        users_per_property: visitors to draw from; as many as four days of visits unless given.
    """
    first_day = now.astimezone(UTC).date() - timedelta(days=days)
    users = users_per_property or sessions_per_day * 4
    world = World(seed, {}, {}, {})
    for place in range(shops + agency_properties):
        shop = place < shops
        account = 200_000_001 + (place if shop else shops)
        world.accounts[account] = f"Shop {place + 1}" if shop else "Agency"
        title = f"shop{place + 1}.example" if shop else f"client{place - shops + 1}.example"
        made = _property(seed, place, account, title, first_day, sessions_per_day, users)
        world.properties[made.number] = made
        if shop:
            email = f"analytics@shop{place + 1}.example"
            world.users[email] = GoogleUser(email, frozenset({made.number}))
    world.users[AGENCY] = GoogleUser(AGENCY, frozenset(world.properties))
    return world
