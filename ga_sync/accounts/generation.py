"""One whole generation of a link, opened for one question: the days it uses, and what is known of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ga_sync.accounts.errors import NotFound, Paused
from ga_sync.accounts.views import View, moment
from ga_sync.index import heads
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.errors import InvalidWindow, UnknownSegment
from ga_sync.index.expression import Expression, parse_json, refuse_unbounded, segments_of
from ga_sync.index.glance import Glance
from ga_sync.index.paging import Position
from ga_sync.index.store import AskedLink, HeldDay
from ga_sync.sync.completeness import worst
from ga_sync.sync.window import local_day, oldest_kept, wanted
from models.errors import DataKeyGone
from models.keyring import Keyring
from models.link import LinkStatus
from models.session import Store

_KEPT = 64
"""Of how many windows a generation keeps what they use."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days, both inclusive; None is open."""

    first: date | None = None
    last: date | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise InvalidWindow("from lies after to: swap them, or leave one out")

    def holds(self, day: date) -> bool:
        """Whether a day is inside."""
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


class Used(NamedTuple):
    """Of a generation, today: the window inside retention, and what every answer over it says of that.

    ``about`` is ``as_of``, and ``completeness``: the worst state of its days, and how many have which.
    """

    window: Window
    about: View


class Opened(NamedTuple):
    """One link at one generation, for one question."""

    link: AskedLink
    served: Served
    used: Used

    @property
    def window(self) -> Window:
        """The days that the answer uses."""
        return self.used.window

    def about(self) -> View:
        """``as_of`` and ``completeness``, which every answer carries."""
        return self.used.about

    def page(self, expression: Expression, after: Position | None, limit: int) -> "Page":
        """A page of what a bounded filter is true of; a first one where ``after`` is None."""
        ids, last = self.served.index.query(expression, self.window.first, self.window.last, after, limit)
        return Page(expression, ids, last, self.about())


class Page(NamedTuple):
    """A page of an answer; ``last`` is where it ended, None where nothing follows."""

    expression: Expression
    ids: list[str]
    last: Position | None
    about: View


class Generations:
    """Opens generations."""

    def __init__(
        self, data: Store, keyring: Keyring, cache: IndexCache, clock: Callable[[], datetime]
    ) -> None:
        self._data, self._keyring, self._cache, self._clock = data, keyring, cache, clock

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One snapshot of the data; a link whose key is gone does not exist. Raises NotFound."""
        try:
            with self._data.reading() as session:
                yield session
        except DataKeyGone:
            raise NotFound("there is no such link for this key") from None

    def open(self, link_id: str, customer_id: str, window: Window) -> Opened:
        """The link's newest generation.

        Raises:
            NotFound: removed or another customer's.
            Paused: restricted.
        """
        with self.session() as session:
            link = self._asked(session, link_id, customer_id)
            served = self._cache.serve(session, link)
        return self._opened(link, served, window)

    def warm(self, link: AskedLink, window: Window) -> Opened | None:
        """What :meth:`open` gives, if it is in memory."""
        served = self._cache.held(link)
        return None if served is None else self._opened(link, served, window)

    def _opened(self, link: AskedLink, served: Served, window: Window) -> Opened:
        kept = served.worked_out
        key = (self._today(link), link.retention_days, link.first_day, window.first, window.last)
        used: Used | None = kept.get(key)
        if used is None:
            if len(kept) >= _KEPT:
                kept.clear()
            used = kept[key] = self._used(link, served.days, window, served.as_of)
        return Opened(link, served, used)

    def _today(self, link: AskedLink) -> date:
        return local_day(self._clock(), link.time_zone)

    def page(
        self,
        link_id: str,
        customer_id: str,
        window: Window,
        filter_: object,
        limit: int,
        after: Callable[[Expression], Position] | None,
    ) -> Page:
        """A page of what a bounded filter is true of; a first one (``after`` is None) without waiting for the index.

        Raises:
            NotFound: removed or another customer's.
            Paused: restricted.
            InvalidFilter, UnknownSegment, UnboundedFilter: the filter.
        """
        with self.session() as session:
            link = self._asked(session, link_id, customer_id)
            if after is None:
                with self._cache.glance(session, link) as glance:
                    found = None if glance is None else self._glanced(link, glance, window, filter_, limit)
                if found is not None:
                    return found
            served = self._cache.serve(session, link)
        expression = self.parse(filter_, served.segments, bounded=True)
        position = None if after is None else after(expression)
        return self._opened(link, served, window).page(expression, position, limit)

    def _glanced(
        self, link: AskedLink, glance: Glance, window: Window, filter_: object, limit: int
    ) -> Page | None:
        expression = self.parse(filter_, glance.segments, bounded=True)
        used = self._used(link, glance.days, window, glance.as_of)
        found = glance.page(expression, used.window.first, used.window.last, limit)
        return None if found is None else Page(expression, *found, used.about)

    def _asked(self, session: Session, link_id: str, customer_id: str) -> AskedLink:
        link = index_store.link(session, link_id, customer_id)
        if link is None:
            raise NotFound("there is no such link for this key")
        if link.status == LinkStatus.PAUSED:
            raise Paused("the link is paused: resume it first")
        return link

    def _used(
        self, link: AskedLink, held: Mapping[date, HeldDay], window: Window, as_of: datetime | None
    ) -> Used:
        today = self._today(link)
        oldest = oldest_kept(today, link.retention_days)
        kept = {day: one.state for day, one in held.items() if day >= oldest and window.holds(day)}
        missing = {
            day: "missing" for day in wanted(today, link.first_day, link.retention_days) if window.holds(day)
        }
        if any(day < oldest for day in held) and (window.first is None or window.first < oldest):
            nothing = window.last is not None and window.last < oldest
            window = Window(date.max, date.max) if nothing else Window(oldest, window.last)
        state, days = worst({**missing, **kept}.values())
        return Used(window, {"as_of": moment(as_of), "completeness": {"state": state, "days": dict(days)}})

    def parse(self, value: object, known: Mapping[str, object], *, bounded: bool) -> Expression:
        """Raises InvalidFilter, UnknownSegment, UnboundedFilter."""
        return self.check(parse_json(value), known, bounded=bounded)

    def check(self, expression: Expression, known: Mapping[str, object], *, bounded: bool) -> Expression:
        """Give a filter back that may be asked. Raises UnknownSegment, UnboundedFilter."""
        if not segments_of(expression) <= known.keys():
            raise UnknownSegment("the filter names a segment that this link does not have; see its segments")
        return refuse_unbounded(expression) if bounded else expression

    def serve(self, link_id: str, customer_id: str) -> tuple[AskedLink, Served]:
        """The link's newest generation, also while it is paused. Raises NotFound."""
        with self.session() as session:
            link = index_store.link(session, link_id, customer_id)
            if link is None:
                raise NotFound("there is no such link for this key")
            return link, self._cache.serve(session, link)

    def names(self, session: Session, link_id: str, customer_id: str) -> dict[str, list[str]]:
        """Names and labels as people write them, each with the segments that carry it."""
        names: dict[str, list[str]] = {}
        for held in heads.segments(session, self._keyring, link_id, customer_id):
            for name in {held.name, held.label} - {None}:
                names.setdefault(str(name), []).append(held.segment_id)
        return names


def false_on(served: Served) -> Callable[[str, date], bool]:
    """Whether a candidate's own day proves that it is not in a segment: the day is complete, the segment existed."""

    def proves(segment: str, day: date) -> bool:
        held = served.days.get(day)
        if held is None or held.state != "complete":
            return False
        return served.segments[segment].astimezone(ZoneInfo(held.time_zone)).date() <= day

    return proves
