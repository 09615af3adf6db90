"""One whole generation of a link, opened for one question: the days it uses, and what is known of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ga_sync.accounts.errors import NotFound, Paused
from ga_sync.accounts.views import View, moment
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.errors import InvalidWindow, UnknownSegment
from ga_sync.index.expression import Expression, parse_json, refuse_unbounded, segments_of
from ga_sync.sync.completeness import worst
from ga_sync.sync.window import local_day, oldest_kept, wanted
from models.errors import DataKeyGone
from models.keyring import Keyring, Owner
from models.link import Link, LinkStatus
from models.session import Store


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


@dataclass(frozen=True, slots=True)
class Opened:
    """One link at one generation, for one question."""

    link: Link
    served: Served
    window: Window
    states: Mapping[date, str]

    def about(self) -> View:
        """``as_of`` and ``completeness``, which every answer carries."""
        state, days = worst(self.states.values())
        return {"as_of": moment(self.served.as_of), "completeness": {"state": state, "days": days}}


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
            link = index_store.link(session, link_id, customer_id)
            if link is None:
                raise NotFound("there is no such link for this key")
            if link.status == LinkStatus.PAUSED:
                raise Paused("the link is paused: resume it first")
            served = self._cache.serve(session, link)
        return Opened(link, served, *self._used(link, served, window))

    def _used(self, link: Link, served: Served, window: Window) -> tuple[Window, dict[date, str]]:
        """The window inside retention, and the state of each day it uses."""
        today = local_day(self._clock(), link.time_zone)
        oldest = oldest_kept(today, link.retention_days)
        kept = {day: held.state for day, held in served.days.items() if day >= oldest and window.holds(day)}
        missing = {
            day: "missing" for day in wanted(today, link.first_day, link.retention_days) if window.holds(day)
        }
        if any(day < oldest for day in served.days) and (window.first is None or window.first < oldest):
            nothing = window.last is not None and window.last < oldest
            window = Window(date.max, date.max) if nothing else Window(oldest, window.last)
        return window, {**missing, **kept}

    def parse(self, value: object, served: Served, *, bounded: bool) -> Expression:
        """Raises InvalidFilter, UnknownSegment, UnboundedFilter."""
        expression = parse_json(value)
        unknown = segments_of(expression) - set(served.segments)
        if unknown:
            raise UnknownSegment("the filter names a segment that this link does not have; see its segments")
        return refuse_unbounded(expression) if bounded else expression

    def serve(self, link_id: str, customer_id: str) -> tuple[Link, Served]:
        """The link's newest generation, also while it is paused. Raises NotFound."""
        with self.session() as session:
            link = index_store.link(session, link_id, customer_id)
            if link is None:
                raise NotFound("there is no such link for this key")
            return link, self._cache.serve(session, link)

    def names(self, session: Session, link_id: str, customer_id: str) -> dict[str, list[str]]:
        """Names and labels as people write them, each with the segments that carry it."""
        sealer = self._keyring.sealer(Owner("link", link_id))
        names: dict[str, list[str]] = {}
        for held in index_store.segments(session, sealer, link_id, customer_id):
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
