"""Links on shelves: days written as publications write them, over both kinds of database."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from sqlalchemy import delete

from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import build_day, encode
from models.day import Day, Reading
from models.keyring import Keyring, Owner, Sealer
from models.link import Link, LinkStatus
from models.segment import Segment
from models.session import Store
from tests.clock import NOON
from tests.index.model import World
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls

ROOM = 1 << 30


@dataclass
class Shelf:
    """Links whose days a test writes as publications do."""

    data: Store
    keyring: Keyring
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    def link(self, link_id: str = "L1") -> str:
        self.keyring.create(Owner("link", link_id), "acme", NOON)
        with self.data.transaction() as session:
            session.add(
                Link(
                    link_id=link_id,
                    customer_id="acme",
                    grant_id="g",
                    time_zone="UTC",
                    service_level="x",
                    status=LinkStatus.ACTIVE,
                    retention_days=90,
                    created_at=NOON,
                    first_day=date(2026, 1, 1),
                )
            )
        return link_id

    def sealer(self, link_id: str) -> Sealer:
        return self.keyring.sealer(Owner("link", link_id))

    def publish(
        self, world: World, gone: tuple[date, ...] = (), link_id: str = "L1", raw: bytes | None = None
    ) -> None:
        """A generation in which these days are replaced and those are gone; ``raw`` is sealed instead of a day."""
        sealer = self.sealer(link_id)
        with self.data.transaction() as session:
            row = session.get(Link, link_id, with_for_update=True)
            assert row is not None
            for at in (*world, *gone):
                session.execute(delete(Reading).where(Reading.link_id == link_id, Reading.day == at))
                session.execute(delete(Day).where(Day.link_id == link_id, Day.day == at))
            for at, members in world.items():
                reading = self.reading(link_id, at)
                value = encode(build_day(members, sealer.key(LOOKUP))) if raw is None else raw
                reading.value = sealer.seal(reading.place(), value)
                session.add(reading)
                session.add(Day(link_id=link_id, day=at, customer_id="acme", reading_id=reading.reading_id))
            row.generation, row.as_of = row.generation + 1, NOON + timedelta(hours=row.generation + 1)

    def reading(self, link_id: str, at: date) -> Reading:
        return Reading(
            reading_id=f"reading-{next(self.numbers)}",
            link_id=link_id,
            customer_id="acme",
            run_id="r",
            day=at,
            published=True,
            time_zone="UTC",
            began_at=NOON,
            fetched_at=NOON,
            state="complete",
            reasons=[],
            recordings=0,
            memberships=0,
            rows=0,
            junk=0,
        )

    def name(self, number: str, label: str | None = None, link_id: str = "L1") -> None:
        """A segment with a name."""
        sealer = self.sealer(link_id)
        row = Segment(
            row_id=f"{link_id}-{number}",
            link_id=link_id,
            customer_id="acme",
            misses=0,
            created_at=NOON,
            listed_at=NOON,
            name_generation=1,
            label_generation=1,
        )
        row.segment_ref = sealer.blind("segment", number)
        row.segment_id = sealer.seal(row.place("segment_id"), number.encode())
        row.name = sealer.seal(row.place("name", 1), b"name")
        row.label = sealer.seal(row.place("label", 1), label.encode()) if label else None
        with self.data.transaction() as session:
            session.add(row)

    def serve(self, cache: IndexCache, link_id: str = "L1") -> Served:
        with self.data.reading() as session:
            row = index_store.link(session, link_id, "acme")
            assert row is not None
            return cache.serve(session, row)


@pytest.fixture
def shelf(migrated_urls: DatabaseUrls) -> Iterator[Shelf]:
    """One link without days."""
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    keyring = Keyring(keys, kek(), os.urandom, Monotonic())
    keyring.initialise(NOON)
    shelf = Shelf(data, keyring)
    shelf.link()
    yield shelf
    data.close()
    keys.close()
