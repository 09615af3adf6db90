"""A link's first pages from the database, before its index is in memory: `newest` over sealed days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from sqlalchemy.orm import Session

from ga_sync.index import heads, newest, store
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.codec import LazyDay, decode_leads, open_day, prefix_bytes
from ga_sync.index.errors import DamagedDay
from ga_sync.index.expression import Expression
from ga_sync.index.ids import Words
from ga_sync.index.paging import Position
from ga_sync.index.store import AskedLink, Generation, HeldDay
from models import record
from models.day import Reading
from models.errors import SealBroken
from models.forgets import LINK
from models.keyring import Keyring, Owner, Sealer
from models.sealed import Sealed

EFFORT = 1 << 20
"""So many ids are looked up in any case, and half as many as the link has: beyond that the whole index is sooner."""
log = structlog.get_logger()


class StoredDay:
    """A day in the database: the first words of its ids are read, the rest of it when it is opened."""

    def __init__(self, day: date, leads: Words, load: Callable[[], LazyDay]) -> None:
        self.day, self.leads = day, leads
        self._load = load
        self._opened: LazyDay | None = None

    def open(self) -> LazyDay:
        """Read all of it, once.

        Raises:
            SealBroken, DamagedDay: it does not open, or is not there any more.
        """
        if self._opened is None:
            self._opened = self._load()
        return self._opened


@dataclass(frozen=True, slots=True)
class Glance:
    """One generation of a link, not in memory: good for first pages, as long as its session is open.

    Attributes:
        generation: its number.
        as_of: when it was committed; None before the first.
        days: what is known of each held day.
        segments: segment id → when Google made the audience.
    """

    generation: int
    as_of: datetime | None
    days: dict[date, HeldDay]
    segments: dict[str, datetime]
    shelf: list[StoredDay]

    def page(
        self, expression: Expression, frm: date | None, to: date | None, limit: int
    ) -> tuple[list[str], Position | None] | None:
        """Give what `LinkIndex.query` gives without a position; None where the whole index is to be asked.

        That is where a day does not open, and where a rare filter looks for its page through many days.

        `frm` does not lie after `to`. A day that the page does not need is not opened: should it be damaged, the page
        is right all the same, and the whole index, begun behind it, finds the damage.
        """
        days = [
            day for day in self.shelf if (frm is None or day.day >= frm) and (to is None or day.day <= to)
        ]
        try:
            return newest.first_page(days, expression, limit, self._purse())
        except newest.TooFar:
            return None
        except (SealBroken, DamagedDay) as error:
            log.warning("glance_failed", error=type(error).__name__)
            return None

    def _purse(self) -> newest.Purse:
        return newest.Purse(max(EFFORT, sum(len(day.leads) for day in self.shelf) // 2))

    def close(self) -> None:
        """Let go of every day: a word of each id of the link is here."""
        self.shelf.clear()


def take(session: Session, link: AskedLink, keyring: Keyring) -> Glance | None:
    """Look at the link's generation; None where one is published just now, or a day does not open or fit the head."""
    sealer = keyring.sealer(Owner(LINK, link.link_id))
    if heads.look(session, keyring, link.link_id, link.customer_id).days:
        return None
    known = Generation(link.generation, link.as_of)
    held = {one.day: one for one in store.days(session, link.link_id, link.customer_id)}
    segments = store.segments(session, sealer, link.link_id, link.customer_id)
    try:
        shelf = _shelf(session, link.customer_id, sealer, held)
    except (SealBroken, DamagedDay) as error:
        log.warning("glance_failed", error=type(error).__name__)
        return None
    if len(shelf) != len(held) or store.generation(session, link.link_id, link.customer_id) != known:
        return None
    births = {one.segment_id: one.created_at for one in segments}
    return Glance(known.number, known.as_of, held, births, shelf)


def _shelf(session: Session, customer_id: str, sealer: Sealer, held: dict[date, HeldDay]) -> list[StoredDay]:
    ids = [one.reading_id for one in held.values()]
    found: list[StoredDay] = []
    for prefix in store.prefixes(session, ids, customer_id, _sealed_prefix):
        reading = prefix.reading
        plain = sealer.open_prefix(reading.place(), Sealed(prefix.bytes), prefix.whole)
        load = _loader(session, customer_id, sealer, reading.reading_id)
        found.append(StoredDay(reading.day, decode_leads(plain), load))
    return sorted(found, key=lambda day: day.day)


def _sealed_prefix(recordings: int) -> int:
    return record.prefix_bytes(prefix_bytes(recordings))


def _loader(session: Session, customer_id: str, sealer: Sealer, reading_id: str) -> Callable[[], LazyDay]:
    def load() -> LazyDay:
        found: list[Reading] = list(store.values(session, [reading_id], customer_id))
        if not found:
            raise DamagedDay("The stored day was replaced while it was read. Ask again.")
        return open_day(sealer.open(found[0].place(), found[0].value), sealer.key(LOOKUP))

    return load
