"""Indexes kept in memory, one a link: assembled from sealed days, patched when a generation replaces some of them.

Every question names its generation by reading the link's row first; what is cached answers only for that generation.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ga_sync.index import heads, store
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.codec import DayData
from ga_sync.index.day import decode
from ga_sync.index.errors import Closing, DamagedDay
from ga_sync.index.glance import Glance, take
from ga_sync.index.memory import give_back
from ga_sync.index.query import LinkIndex
from ga_sync.index.store import AskedLink, Generation, HeldDay
from models.errors import DataKeyGone, KeyringError, SealBroken
from models.keyring import Keyring, Owner, Sealer

CLOSE_SECONDS = 5.0
log = structlog.get_logger()

Values = dict[date, DayData]


@dataclass(frozen=True, slots=True)
class Served:
    """One whole generation of one link.

    Attributes:
        generation: its number.
        as_of: when it was committed; None before the first.
        index: its days in memory.
        days: what is known of each held day; a damaged one is ``incomplete`` here and absent from the index.
        segments: segment id → when Google made the audience.
        worked_out: what questions have worked out of this generation, for the next of their kind; small.
    """

    generation: int
    as_of: datetime | None
    index: LinkIndex
    days: dict[date, HeldDay]
    segments: dict[str, datetime]
    worked_out: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Memory held, roughly."""
        return self.index.nbytes + 400 * len(self.days) + 200 * len(self.segments)


def in_background(work: Callable[[], None]) -> None:
    """Set work going in a thread that does not keep the process alive."""
    threading.Thread(target=work, name="index", daemon=True).start()


class IndexCache:
    """The newest generation of the links asked about, at most ``capacity`` bytes of them, least recently used out."""

    def __init__(
        self,
        keyring: Keyring,
        capacity: int,
        damaged: Callable[[str, str], None] = lambda _reading_id, _customer_id: None,
        start: Callable[[Callable[[], None]], object] = in_background,
    ) -> None:
        """Keep nothing yet.

        Args:
            keyring: opens the days of a link.
            capacity: bytes held by all indexes together; one is kept however large it is.
            damaged: told the reading and its customer, in that order, of each stored day that does not open.
            start: sets work going that nobody waits for; a thread of its own in use.
        """
        self._keyring, self._capacity, self._damaged = keyring, capacity, damaged
        self._held: OrderedDict[str, Served] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[str, threading.Lock] = {}
        self._glancing = threading.Lock()
        self._start = start
        self._warming: set[str] = set()
        self._warmed = threading.Condition(self._lock)
        self._closing = False

    def serve(self, session: Session, link: AskedLink) -> Served:
        """The generation that ``link``'s row names, from memory or assembled now.

        Where another one is published while this one is read, and the database shows it to this transaction, the
        answer is the newer one, whole.

        Raises:
            DataKeyGone: the link was removed.
        """
        held = self.held(link)
        if held is not None:
            return held
        with self._lock:
            building = self._building.setdefault(link.link_id, threading.Lock())
        with building:
            return self.held(link) or self._build(session, link, building)

    @contextmanager
    def glance(self, session: Session, link: AskedLink) -> Iterator[Glance | None]:
        """A link that is not in memory, for a first page at once; None where `serve` is the way to go.

        That is also where another glance is under way, because each holds every hash of its link. Behind a glance the
        whole index is begun: it will be asked for.

        Raises:
            DataKeyGone: the link was removed.
        """
        with self._lock:
            known = link.link_id in self._held
        if known or not self._glancing.acquire(blocking=False):
            yield None
            return
        try:
            glance = take(session, link, self._keyring)
            try:
                yield glance
            finally:
                if glance is not None:
                    glance.close()
                self._begin(session.get_bind(), link.link_id, link.customer_id)
        finally:
            self._glancing.release()

    def _begin(self, bind: Engine | Connection, link_id: str, customer_id: str) -> None:
        with self._lock:
            known = link_id in self._held
            begins = not (known or self._closing or link_id in self._warming)
            if begins:
                self._warming.add(link_id)
        if known:  # it came while the glance was under way, and gave back memory before the glance could
            give_back()
        if begins:
            self._start(lambda: self._warm(bind, link_id, customer_id))

    def _warm(self, bind: Engine | Connection, link_id: str, customer_id: str) -> None:
        """Assemble a link that somebody has begun to ask about. What fails here fails again, and aloud, when asked."""
        try:
            with Session(bind) as session:
                link = store.link(session, link_id, customer_id)
                if link is not None:
                    self.serve(session, link).index.warm()
        except (KeyringError, DBAPIError, Closing) as error:
            log.warning("warming_failed", link_id=link_id, error=type(error).__name__)
        finally:
            with self._lock:
                self._warming.discard(link_id)
                self._warmed.notify_all()

    def close(self) -> None:
        """Begin nothing more, and wait a little for what is begun: it ends behind the day in hand."""
        with self._lock:
            self._closing = True
            self._warmed.wait_for(lambda: not self._warming, CLOSE_SECONDS)

    def drop(self, link_id: str) -> None:
        """Forget a link; whoever is assembling it just now keeps nothing of it here."""
        with self._lock:
            self._held.pop(link_id, None)
            self._building.pop(link_id, None)

    def held(self, link: AskedLink) -> Served | None:
        """The generation that ``link``'s row names, if it is in memory."""
        with self._lock:
            held = self._held.get(link.link_id)
            if held is None or held.generation != link.generation:
                return None
            self._held.move_to_end(link.link_id)
            return held

    def _build(self, session: Session, link: AskedLink, building: threading.Lock) -> Served:
        sealer = self._keyring.sealer(Owner("link", link.link_id))
        with self._lock:
            before = self._held.get(link.link_id)
        known = Generation(link.generation, link.as_of)
        while True:
            served = self._assembled(session, link, sealer, known, before)
            now = store.generation(session, link.link_id, link.customer_id)
            if now is None:
                raise DataKeyGone(f"link {link.link_id} was removed while it was read")
            if now == known:  # each statement may see a newer commit, where the database reads so
                self._keep(link.link_id, served, building)
                if before is None:
                    give_back()
                return served
            known = now

    def _assembled(
        self, session: Session, link: AskedLink, sealer: Sealer, known: Generation, before: Served | None
    ) -> Served:
        strange = heads.look(session, self._keyring, link.link_id, link.customer_id)
        held = {one.day: one for one in store.days(session, link.link_id, link.customer_id)}
        segments = store.segments(session, sealer, link.link_id, link.customer_id)
        same = set() if before is None else {day for day, one in before.days.items() if held.get(day) == one}
        patch = before is not None and len(held.keys() - same) <= len(held) // 4
        wanted = [one for day, one in held.items() if not (patch and day in same)]
        put_back = {one.day: one for one in held.values() if one.reading_id in strange.readings}
        values, damaged = self._decoded(
            session, link, sealer, [one for one in wanted if one.day not in put_back]
        )
        damaged |= {day: one.damaged() for day, one in put_back.items()}
        for reading_id in strange.unmarked:
            self._damaged(reading_id, link.customer_id)
        if before is not None and patch:
            index = _patched(before.index, (before.days.keys() - same) | values.keys(), values)
        else:
            index = LinkIndex.assemble(values, sealer.key(LOOKUP))
        days = {day: damaged.get(day, one) for day, one in held.items()}
        return Served(
            known.number, known.as_of, index, days, {one.segment_id: one.created_at for one in segments}
        )

    def _decoded(
        self, session: Session, link: AskedLink, sealer: Sealer, wanted: list[HeldDay]
    ) -> tuple[Values, dict[date, HeldDay]]:
        """The days' values, and as what those that do not open are known."""
        values: Values = {}
        damaged: dict[date, HeldDay] = {}
        held, key = {one.reading_id: one for one in wanted}, sealer.key(LOOKUP)
        for reading in store.values(session, list(held), link.customer_id):
            if self._closing:
                raise Closing("the index is being closed")
            try:
                values[reading.day] = decode(sealer.open(reading.place(), reading.value), key)
            except (SealBroken, DamagedDay):
                log.exception("day_damaged", link_id=link.link_id, day=reading.day.isoformat())
                damaged[reading.day] = held[reading.reading_id].damaged()
                self._damaged(reading.reading_id, link.customer_id)
        return values, damaged

    def _keep(self, link_id: str, served: Served, building: threading.Lock) -> None:
        with self._lock:
            held = self._held.get(link_id)
            dropped = self._building.get(link_id) is not building
            if dropped or (held is not None and held.generation > served.generation):
                return
            self._held[link_id] = served
            self._held.move_to_end(link_id)
            while len(self._held) > 1 and sum(one.nbytes for one in self._held.values()) > self._capacity:
                self._held.popitem(last=False)


def _patched(index: LinkIndex, days: Iterable[date], values: Values) -> LinkIndex:
    for day in sorted(days):
        index = index.patched(day, values.get(day))
    return index
