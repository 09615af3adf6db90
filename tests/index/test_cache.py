"""The cache answers exactly the generation that is asked for: patched or assembled, whole or told to be damaged."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import delete
from structlog.testing import capture_logs

from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.day import build_day, encode
from ga_sync.index.expression import Segment as Leaf
from ga_sync.index.query import LinkIndex
from models.day import Day, Reading
from models.errors import DataKeyGone
from models.keyring import Keyring, Owner, Sealer
from models.link import Link, LinkStatus
from models.migrate import upgrade
from models.segment import Segment
from models.session import Store
from tests.clock import NOON
from tests.index.model import World, day
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls

ROOM = 1 << 30
LOOKUP = "index|lookup"


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
            row_id=f"s{number}",
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
def shelf(database_urls: DatabaseUrls) -> Iterator[Shelf]:
    data, keys = Store(database_urls.data), Store(database_urls.keyring)
    upgrade(data, Path("alembic"), "data")
    upgrade(keys, Path("alembic"), "keyring")
    keyring = Keyring(keys, kek(), os.urandom, Monotonic())
    keyring.initialise(NOON)
    shelf = Shelf(data, keyring)
    shelf.link()
    yield shelf
    data.close()
    keys.close()


def shown(index: LinkIndex) -> World:
    """What an index says, day by day."""
    world: World = {at: {} for at in index.days}
    for at in index.days:
        for number in ("1", "2", "3"):
            ids = {id_ for id_, _ in index.export(Leaf(number), at, at)}
            if ids:
                world[at][number] = ids
    return world


def some_world(chance: random.Random, days: int) -> World:
    return {day(n): some_day(chance) for n in range(days)}


def some_day(chance: random.Random) -> dict[str, set[str]]:
    numbers = chance.sample(["1", "2", "3"], chance.randint(1, 3))
    return {
        number: {f"id-{chance.randint(0, 30)}" for _ in range(chance.randint(1, 12))} for number in numbers
    }


def test_patched_answers_equal_assembled_ones_after_any_replaced_and_expired_days(shelf: Shelf) -> None:
    chance = random.Random(20261123)
    world = some_world(chance, 12)
    shelf.publish(world)
    cache = IndexCache(shelf.keyring, ROOM)
    for _ in range(12):
        assert shown(shelf.serve(cache).index) == world
        changed = {day(chance.randint(0, 14)): some_day(chance) for _ in range(chance.choice([1, 2, 3, 7]))}
        gone = tuple(at for at in chance.sample(sorted(world), chance.choice([0, 1])) if at not in changed)
        shelf.publish(changed, gone)
        world = {at: members for at, members in {**world, **changed}.items() if at not in gone}
        fresh = shelf.serve(IndexCache(shelf.keyring, ROOM))
        served = shelf.serve(cache)
        assert shown(served.index) == shown(fresh.index) == world
        assert served.days == fresh.days
        assert served.index.count(Leaf("1"), None, None) == fresh.index.count(Leaf("1"), None, None)


def test_a_link_without_days_has_an_empty_index(shelf: Shelf) -> None:
    served = shelf.serve(IndexCache(shelf.keyring, ROOM))
    assert (served.generation, served.as_of, served.index.days, served.days, served.segments) == (
        0,
        None,
        (),
        {},
        {},
    )


def test_what_is_in_memory_is_served_until_another_generation_is_named(shelf: Shelf) -> None:
    cache = IndexCache(shelf.keyring, ROOM)
    shelf.publish({day(0): {"1": {"a"}}})
    first = shelf.serve(cache)
    assert shelf.serve(cache) is first
    shelf.publish({day(1): {"1": {"b"}}})
    second = shelf.serve(cache)
    assert (first.generation, second.generation) == (1, 2)
    assert second.as_of == NOON + timedelta(hours=2)
    assert shown(first.index) == {day(0): {"1": {"a"}}}


def test_segments_come_with_their_birth_by_number(shelf: Shelf) -> None:
    for number in ("10", "9", "1"):
        shelf.name(number, label="ours" if number == "9" else None)
    assert shelf.serve(IndexCache(shelf.keyring, ROOM)).segments == dict.fromkeys(["1", "9", "10"], NOON)
    with shelf.data.reading() as session:
        held = index_store.segments(session, shelf.sealer("L1"), "L1", "acme")
    assert [(one.segment_id, one.name, one.label) for one in held] == [
        ("1", "name", None),
        ("9", "name", "ours"),
        ("10", "name", None),
    ]


@pytest.mark.parametrize("raw", [b"not a day", None])
def test_a_damaged_day_is_incomplete_and_absent_and_never_a_wrong_answer(
    shelf: Shelf, raw: bytes | None
) -> None:
    world = some_world(random.Random(1), 9)
    shelf.publish(world)
    told: list[tuple[str, str]] = []
    cache = IndexCache(shelf.keyring, ROOM, lambda *which: told.append(which))
    shelf.serve(cache)
    shelf.publish({day(3): {"1": {"x"}}}, raw=raw)
    if raw is None:
        damage_in_place(shelf, day(3))
    whole = {at: members for at, members in world.items() if at != day(3)}
    for one in (cache, IndexCache(shelf.keyring, ROOM)):
        with capture_logs() as logs:
            served = shelf.serve(one)
        assert shown(served.index) == whole
        assert {at: held.state for at, held in served.days.items()} == {
            at: "incomplete" if at == day(3) else "complete" for at in world
        }
        assert [line["event"] for line in logs] == ["day_damaged"]
    assert [customer for _, customer in told] == ["acme"]
    shelf.publish({day(5): {"1": {"y"}}})
    assert day(3) not in shelf.serve(cache).index.days
    shelf.publish({day(3): {"1": {"mended"}}})
    assert shown(shelf.serve(cache).index)[day(3)] == {"1": {"mended"}}


def damage_in_place(shelf: Shelf, at: date) -> None:
    """A value that was moved here from another row."""
    with shelf.data.transaction() as session:
        for row in session.query(Reading).where(Reading.day == at):
            other = shelf.reading("L1", at)
            row.value = shelf.sealer("L1").seal(other.place(), b"elsewhere")


def test_a_quarantined_reading_is_incomplete_in_the_database_too(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"x"}}}, raw=b"?")

    def quarantine(reading_id: str, customer_id: str) -> None:
        with shelf.data.transaction() as session:
            index_store.mark_damaged(session, reading_id, customer_id)
            index_store.mark_damaged(session, reading_id, "somebody else")

    served = shelf.serve(IndexCache(shelf.keyring, ROOM, quarantine))
    assert served.days[day(0)].state == "incomplete"
    with shelf.data.reading() as session:
        row = session.query(Reading).one()
        assert (row.state, row.reasons) == ("incomplete", ["damaged"])


def test_least_recently_used_links_leave_when_the_bytes_are_used_up(shelf: Shelf) -> None:
    for number in ("L2", "L3"):
        shelf.link(number)
    for number in ("L1", "L2", "L3"):
        shelf.publish(some_world(random.Random(2), 5), link_id=number)
    size = shelf.serve(IndexCache(shelf.keyring, ROOM)).nbytes
    cache = IndexCache(shelf.keyring, 2 * size + size // 2)
    one, two = shelf.serve(cache, "L1"), shelf.serve(cache, "L2")
    assert shelf.serve(cache, "L1") is one
    shelf.serve(cache, "L3")
    assert shelf.serve(cache, "L1") is one
    assert shelf.serve(cache, "L2") is not two


def test_one_index_is_kept_however_large_it_is(shelf: Shelf) -> None:
    shelf.publish(some_world(random.Random(3), 5))
    cache = IndexCache(shelf.keyring, 1)
    assert shelf.serve(cache) is shelf.serve(cache)


def test_a_dropped_link_is_forgotten_also_by_whoever_assembles_it_just_now(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"x"}}}, raw=b"?")
    cache = IndexCache(shelf.keyring, ROOM)
    dropping = IndexCache(shelf.keyring, ROOM, lambda *_which: dropping.drop("L1"))
    assert shelf.serve(dropping) is not shelf.serve(dropping)
    first = shelf.serve(cache)
    cache.drop("L1")
    assert shelf.serve(cache) is not first
    cache.drop("unknown")


def test_a_link_without_its_key_is_gone(shelf: Shelf) -> None:
    shelf.keyring.destroy([Owner("link", "L1")], "acme", NOON)
    with pytest.raises(DataKeyGone):
        shelf.serve(IndexCache(shelf.keyring, ROOM))


def test_a_publication_between_two_statements_never_mixes_generations(shelf: Shelf) -> None:
    """Where the database shows the newer commit (PostgreSQL by default), all of the answer is the newer one's."""
    shelf.publish({day(0): {"1": {"old"}}, day(1): {"1": {"old"}}}, raw=b"?")
    shelf.publish({day(1): {"1": {"old"}}})
    new: World = {day(0): {"1": {"new"}}, day(1): {"1": {"new"}}}
    once = iter([lambda: shelf.publish(new)])
    cache = IndexCache(shelf.keyring, ROOM, lambda *_which: next(once, lambda: None)())
    served = shelf.serve(cache)
    if served.generation == 3:
        assert (shown(served.index), served.as_of) == (new, NOON + timedelta(hours=3))
    else:
        assert (served.generation, shown(served.index)) == (2, {day(1): {"1": {"old"}}})
    assert shown(shelf.serve(cache).index) == new


def test_a_link_removed_while_it_is_read_is_gone_or_whole(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"x"}}}, raw=b"?")

    def remove(*_which: str) -> None:
        with shelf.data.transaction() as session:
            row = session.get(Link, "L1")
            assert row is not None
            row.status = LinkStatus.REMOVED

    cache = IndexCache(shelf.keyring, ROOM, remove)
    if shelf.data.is_sqlite:
        assert shelf.serve(cache).generation == 1
        return
    with pytest.raises(DataKeyGone):
        shelf.serve(cache)


def test_an_older_snapshot_is_answered_whole_and_does_not_displace_the_newer_one(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"old"}}})
    cache = IndexCache(shelf.keyring, ROOM)
    with shelf.data.reading() as session:
        row = index_store.link(session, "L1", "acme")
        assert row is not None
        shelf.publish({day(0): {"1": {"new"}}})
        newer = shelf.serve(cache)
        older = cache.serve(session, row)
    if shelf.data.is_sqlite:
        assert (older.generation, shown(older.index)) == (1, {day(0): {"1": {"old"}}})
    else:
        assert (older.generation, shown(older.index)) == (2, {day(0): {"1": {"new"}}})
    assert shelf.serve(cache).generation == newer.generation == 2


def test_concurrent_questions_never_see_half_a_publication(shelf: Shelf) -> None:
    """Every generation writes its own number as the only id of every day."""
    days = [day(n) for n in range(5)]
    shelf.publish({at: {"1": {"1"}} for at in days})
    cache = IndexCache(shelf.keyring, ROOM)
    done, barrier = Event(), Barrier(4)

    def ask() -> list[int]:
        barrier.wait()
        seen = []
        while not done.is_set():
            served = shelf.serve(cache)
            ids = {id_ for at in days for id_, _ in served.index.export(Leaf("1"), at, at)}
            assert ids == {str(served.generation)}
            seen.append(served.generation)
        return seen

    with ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask) for _ in range(3)]
        barrier.wait()
        for number in range(2, 22):
            shelf.publish({at: {"1": {str(number)}} for at in days})
        done.set()
        for asker in askers:
            seen = asker.result()
            assert seen == sorted(seen)
    assert shelf.serve(cache).generation == 21
