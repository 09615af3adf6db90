"""The cache answers exactly the generation that is asked for: patched or assembled, whole or told to be damaged."""

import platform
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier, Event

import pytest
from structlog.testing import capture_logs

from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache
from ga_sync.index.expression import Segment as Leaf
from ga_sync.index.memory import give_back
from ga_sync.index.query import LinkIndex
from models.day import Reading
from models.errors import DataKeyGone
from models.keyring import Owner
from models.link import Link, LinkStatus
from tests.clock import NOON
from tests.index.model import World, day
from tests.index.shelves import ROOM, Shelf


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


def test_memory_is_given_back_where_the_c_library_can() -> None:
    can = platform.libc_ver()[0] == "glibc"
    blocks = [bytes(1000) for _ in range(50_000)]
    kept = blocks[::50]
    del blocks
    assert give_back() is can
    assert len(kept) == 1000


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
