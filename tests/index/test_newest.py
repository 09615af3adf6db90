"""First pages of a link that is not in memory are the whole index's, and read no more than they need."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, in_background
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.codec import DayData, LazyDay, decode_leads, open_day, prefix_bytes
from ga_sync.index.day import build_day, encode
from ga_sync.index.errors import Closing, DamagedDay
from ga_sync.index.expression import All, Expression, Not
from ga_sync.index.expression import Segment as Leaf
from ga_sync.index.glance import Glance
from ga_sync.index.ids import Words
from ga_sync.index.newest import A_SEARCH, Purse, TooFar, first_page
from ga_sync.index.query import LinkIndex
from ga_sync.index.store import AskedLink
from models.day import Reading
from models.errors import DataKeyGone
from models.keyring import Owner
from models.link import Link, LinkStatus
from tests.clock import NOON
from tests.index.model import World, day
from tests.index.shelves import ROOM, Shelf
from tests.index.worlds import DAYS, KEY, SEGMENTS, built, expressions, index_of, widths, windows, worlds


@dataclass
class Closed:
    """A day that counts how often it is opened."""

    day: date
    data: DayData
    opened: int = field(default=0)

    @property
    def leads(self) -> Words:
        return self.data.ids.leads

    def open(self) -> LazyDay:
        self.opened += 1
        return open_day(encode(self.data), KEY, self.data.ids.cipher.bits)


def shelved(days: dict[date, DayData], frm: date | None = None, to: date | None = None) -> list[Closed]:
    return [
        Closed(at, days[at]) for at in sorted(days) if (frm is None or at >= frm) and (to is None or at <= to)
    ]


@given(worlds, expressions, windows(), st.integers(1, 8), widths)
def test_a_first_page_is_what_the_whole_index_says(
    world: World, expression: Expression, window: tuple[date | None, date | None], limit: int, bits: int
) -> None:
    found = first_page(shelved(built(world, bits), *window), expression, limit, Purse())
    assert found == index_of(world, bits).query(expression, *window, None, limit)


def many(number: int, size: int = 5000) -> dict[str, set[str]]:
    """A day of thousands, of which a fiftieth was there the day before."""
    names = [f"{number * (size - size // 50) + n:032x}" for n in range(size)]
    return {
        segment: {id_ for n, id_ in enumerate(names) if (n * 2654435761 >> at) % 3 == 0}
        for at, segment in enumerate(SEGMENTS)
    }


def test_pages_of_thousands_read_only_the_days_that_can_change_them() -> None:
    days = built({at: many(number) for number, at in enumerate(DAYS)})
    index = LinkIndex.assemble(days, KEY)
    for expression in (
        Leaf("1"),
        All((Leaf("1"), Leaf("2"), Not(Leaf("3")))),
        All((Leaf("1"), Not(Leaf("1")))),
    ):
        for limit in (50, 3000, 100_000):
            assert first_page(shelved(days), expression, limit, Purse()) == index.query(
                expression, None, None, None, limit
            )
    shelf = shelved(days)
    first_page(shelf, All((Leaf("1"), Not(Leaf("2")))), 50, Purse())
    assert [one.opened > 0 for one in shelf] == [False] * (len(DAYS) - 2) + [True, True]


def test_a_page_takes_no_more_than_it_may() -> None:
    days = built({at: many(number) for number, at in enumerate(DAYS)})
    nobody, a_piece = All((Leaf("1"), Not(Leaf("1")))), (1024 + A_SEARCH) * len(DAYS)
    assert len(first_page(shelved(days), Leaf("1"), 50, Purse(a_piece))[0]) == 50
    with pytest.raises(TooFar):
        first_page(shelved(days), Leaf("1"), 50, Purse(a_piece - 1))
    shelf = shelved(days)
    with pytest.raises(TooFar):
        first_page(shelf, nobody, 50, Purse(2 * a_piece))
    assert sum(one.opened > 0 for one in shelf) < len(DAYS)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 70_000])
def test_the_beginning_of_a_day_holds_the_first_words_of_its_ids(count: int) -> None:
    data = build_day({"1": {f"{n:032x}" for n in range(count)}}, KEY)
    whole = encode(data)
    size = prefix_bytes(count)
    assert np.array_equal(decode_leads(whole[:size]), data.ids.leads)
    for cut in (size - 1, 3):
        if count or cut == 3:
            with pytest.raises(DamagedDay):
                decode_leads(whole[:cut])


def test_first_words_that_do_not_ascend_are_damaged() -> None:
    data = build_day({"1": {"a", "b", "c"}}, KEY)
    turned = DayData(data.ids.take(np.array([2, 1, 0])), data.segments)
    with pytest.raises(DamagedDay, match="out of order"):
        decode_leads(encode(turned))


def nothing(_work: object) -> None:
    """Nobody is in the background."""


@contextmanager
def glance(shelf: Shelf, cache: IndexCache, session: Session) -> Iterator[Glance | None]:
    row = index_store.link(session, "L1", "acme")
    assert row is not None
    with cache.glance(session, row) as found:
        yield found


def test_a_glance_answers_from_the_database_what_the_index_answers(shelf: Shelf) -> None:
    world = {at: many(number, 400) for number, at in enumerate(DAYS)}
    shelf.publish(world)
    for number in ("1", "2"):
        shelf.name(number)
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    expression = All((Leaf("1"), Not(Leaf("2"))))
    asked: list[tuple[date | None, date | None]] = [(None, None), (DAYS[1], DAYS[3])]
    with shelf.data.reading() as session, glance(shelf, cache, session) as found:
        assert found is not None
        pages = [found.page(expression, *window, 60) for window in asked]
    served = shelf.serve(cache)
    assert pages == [served.index.query(expression, *window, None, 60) for window in asked]
    assert (found.generation, found.as_of, found.days, found.segments) == (
        served.generation,
        served.as_of,
        served.days,
        served.segments,
    )
    with shelf.data.reading() as session, glance(shelf, cache, session) as found:
        assert found is None


def test_a_page_that_is_far_is_left_to_the_whole_index(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ga_sync.index.glance.EFFORT", 1)
    shelf.publish({at: many(number, 400) for number, at in enumerate(DAYS)})
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    with shelf.data.reading() as session, capture_logs() as logs, glance(shelf, cache, session) as found:
        assert found is not None
        assert found.page(All((Leaf("1"), Not(Leaf("1")))), None, None, 5) is None
    assert logs == []


def test_behind_the_first_page_the_whole_index_is_begun_once(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    begun: list[partial[None]] = []
    cache = IndexCache(shelf.keyring, ROOM, start=lambda work: begun.append(partial(work)))
    for count in (0, 1):
        with shelf.data.reading() as session, glance(shelf, cache, session) as found:
            assert found is not None
            assert found.page(Leaf("1"), None, None, 5) == (["a"], None)
            assert len(begun) == count
    assert len(begun) == 1
    begun[0]()
    first = shelf.serve(cache)
    assert shelf.serve(cache) is first


def test_glances_come_one_at_a_time(shelf: Shelf) -> None:
    """Each holds every hash of its link; who comes second waits for the index as everybody else does."""
    shelf.publish({day(0): {"1": {"a"}}})
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    with shelf.data.reading() as session:
        with glance(shelf, cache, session) as one, glance(shelf, cache, session) as two:
            assert (one is None, two is None) == (False, True)
        with pytest.raises(KeyError), glance(shelf, cache, session):
            raise KeyError
        with glance(shelf, cache, session) as again:
            assert again is not None


def test_a_glance_lets_go_of_its_days_also_where_the_index_came_meanwhile(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    begun: list[object] = []
    cache = IndexCache(shelf.keyring, ROOM, start=begun.append)
    with shelf.data.reading() as session, glance(shelf, cache, session) as found:
        assert found is not None
        assert len(found.shelf) == 1
        shelf.serve(cache)
    assert (found.shelf, begun) == ([], [])


def test_what_fails_in_the_background_is_told_and_may_be_begun_again(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    begun: list[partial[None]] = []
    cache = IndexCache(shelf.keyring, ROOM, start=lambda work: begun.append(partial(work)))
    with shelf.data.reading() as session, glance(shelf, cache, session):
        pass
    shelf.keyring.destroy([Owner("link", "L1")], "acme", NOON)
    with capture_logs() as logs:
        begun[0]()
    assert [(line["event"], line["error"]) for line in logs] == [("warming_failed", "DataKeyGone")]
    gone = AskedLink("L1", "acme", "active", "UTC", 30, NOON.date(), 1, None, None, None)
    with shelf.data.reading() as session, pytest.raises(DataKeyGone), cache.glance(session, gone):
        pass
    assert len(begun) == 1


def test_a_link_that_is_removed_meanwhile_is_not_assembled(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    begun: list[partial[None]] = []
    cache = IndexCache(shelf.keyring, ROOM, start=lambda work: begun.append(partial(work)))
    for _ in range(2):
        with shelf.data.reading() as session, glance(shelf, cache, session):
            pass
        with shelf.data.transaction() as session:
            session.execute(update(Link).values(status=LinkStatus.REMOVED))
        begun.pop()()
        with shelf.data.transaction() as session:
            session.execute(update(Link).values(status=LinkStatus.ACTIVE))


def test_closing_ends_what_is_begun_and_begins_nothing_more(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    gate, begun = Event(), list[Callable[[], None]]()

    def later(work: Callable[[], None]) -> None:
        begun.append(work)
        in_background(lambda: work() if gate.wait(10) else None)

    cache = IndexCache(shelf.keyring, ROOM, start=later)
    with shelf.data.reading() as session, glance(shelf, cache, session):
        pass
    closer = Thread(target=cache.close)
    closer.start()
    while not cache._closing:  # noqa: SLF001 -- the only sign of it
        pass
    with capture_logs() as told:
        gate.set()
        closer.join(10)
    assert [(line["event"], line["error"]) for line in told] == [("warming_failed", "Closing")]
    with shelf.data.reading() as session:
        with glance(shelf, cache, session) as found:
            assert found is not None
        assert len(begun) == 1
        row = index_store.link(session, "L1", "acme")
        assert row is not None
        with pytest.raises(Closing):
            cache.serve(session, row)


def test_work_in_the_background_runs_in_a_thread_of_its_own() -> None:
    done = Event()
    in_background(done.set)
    assert done.wait(10)


def test_a_damaged_day_is_left_to_the_whole_index(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}, day(1): {"1": {"b"}}})
    shelf.publish({day(1): {"1": {"b"}}}, raw=b"?" * 40)
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    with shelf.data.reading() as session, capture_logs() as logs, glance(shelf, cache, session) as found:
        assert found is None
    assert logs[0]["event"] == "glance_failed"


def test_a_day_that_does_not_open_behind_its_beginning_is_left_to_the_whole_index(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    whole = encode(build_day({"1": {"a"}}, shelf.sealer("L1").key(LOOKUP)))
    shelf.publish({day(0): {"1": {"a"}}}, raw=whole[:-1] + bytes([whole[-1] ^ 1]))
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    with shelf.data.reading() as session, glance(shelf, cache, session) as found:
        assert found is not None
        with capture_logs() as logs:
            assert found.page(Leaf("1"), None, None, 5) is None
    assert logs[0]["error"] == "DamagedDay"


def test_a_publication_in_between_is_left_to_the_whole_index(shelf: Shelf) -> None:
    """A row read before a publication is another generation's where the database shows newer commits."""
    shelf.publish({day(0): {"1": {"a"}}})
    with shelf.data.reading() as session:
        row = index_store.link(session, "L1", "acme")
        assert row is not None
        shelf.publish({day(0): {"1": {"b"}}})
        with IndexCache(shelf.keyring, ROOM, start=nothing).glance(session, row) as found:
            if shelf.data.is_sqlite:
                assert found is not None
                assert found.page(Leaf("1"), None, None, 5) == (["a"], None)
            else:
                assert found is None


def test_a_reading_that_is_gone_when_it_is_opened_is_left_to_the_whole_index(shelf: Shelf) -> None:
    shelf.publish({day(0): {"1": {"a"}}})
    cache = IndexCache(shelf.keyring, ROOM, start=nothing)
    with shelf.data.transaction() as session, glance(shelf, cache, session) as found:
        assert found is not None
        session.execute(update(Reading).values(reading_id="other"))
        assert found.page(Leaf("1"), None, None, 5) is None
