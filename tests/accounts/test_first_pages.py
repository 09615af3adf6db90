"""A first page of a link that is not in memory is, in everything, the page that its whole index gives."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from structlog.testing import capture_logs

from ga_sync.accounts.errors import NotFound, Paused
from ga_sync.accounts.forgetting import Forgetting
from ga_sync.accounts.generation import Window
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.retention import Retention
from ga_sync.accounts.views import View
from ga_sync.index.cache import IndexCache
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import build_day, encode
from ga_sync.index.errors import FilterIndexError, UnknownSegment
from ga_sync.index.expression import refuse_unbounded
from models.day import Reading
from models.keyring import Owner
from models.link import Link, LinkStatus
from tests.benchmarks.questions import as_json
from tests.clock import NOON
from tests.index.model import World, answer, day
from tests.index.shelves import ROOM, Shelf
from tests.index.worlds import SEGMENTS, expressions, windows, worlds

TODAY = day(5)
NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
ALL = {"any": [{"segment": segment} for segment in SEGMENTS]}


def fixed(size: int) -> bytes:
    """Two cursors of one position are then the same text."""
    return bytes(size)


@dataclass
class Door:
    """The same question to a link that is in memory, and to one that is not."""

    shelf: Shelf
    link_id: str = "L1"

    def recordings(self, cache: IndexCache) -> Recordings:
        return Recordings(self.shelf.data, self.shelf.keyring, cache, clock=lambda: NOW, random=fixed)

    def cold(self) -> IndexCache:
        """Nothing is in memory, and nobody is in the background."""
        return IndexCache(self.shelf.keyring, ROOM, start=lambda _work: None)

    def warm(self) -> IndexCache:
        cache = self.cold()
        self.shelf.serve(cache, self.link_id)
        return cache

    def ask(
        self,
        cache: IndexCache,
        filter_: object = ALL,
        window: Window = Window(),  # noqa: B008 -- it is frozen
        limit: int = 50,
        cursor: str | None = None,
    ) -> View:
        return self.recordings(cache).query(self.link_id, "acme", filter_, window, limit, cursor)

    def both(self, filter_: object = ALL, window: Window = Window(), limit: int = 50) -> View:  # noqa: B008
        """The answer, which is the same either way, and which was given without the index in memory."""
        cold = self.cold()
        given_cold = self.ask(cold, filter_, window, limit)
        assert given_cold == self.ask(self.warm(), filter_, window, limit)
        assert cold._held == {}  # noqa: SLF001 -- or the glance was not what answered
        return given_cold

    def change(self, **values: object) -> None:
        with self.shelf.data.transaction() as session:
            session.execute(update(Link).where(Link.link_id == self.link_id).values(**values))


def test_any_first_page_is_the_whole_indexs(shelf: Shelf) -> None:
    numbers = count(2)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        worlds, expressions, windows(), st.integers(1, 6), st.integers(1, 8), st.sampled_from([0, 0, 0, 1])
    )
    def check(
        world: World,
        expression: object,
        window: tuple[date | None, date | None],
        limit: int,
        retention: int,
        suspect: int,
    ) -> None:
        door = Door(shelf, shelf.link(f"L{next(numbers)}"))
        for segment in SEGMENTS:
            shelf.name(segment, link_id=door.link_id)
        shelf.publish(world, link_id=door.link_id)
        door.change(retention_days=retention)
        if suspect:
            with shelf.data.transaction() as session:
                session.execute(
                    update(Reading).where(Reading.link_id == door.link_id).values(state="suspect")
                )
        told = []
        for cache in (door.cold(), door.warm()):
            try:
                told.append(door.ask(cache, as_json(expression), Window(*window), limit))  # type: ignore[arg-type]
            except FilterIndexError as error:
                told.append({"refused": type(error)})
        assert told[0] == told[1]
        if "refused" not in told[0]:
            kept = {at: held for at, held in world.items() if at > TODAY - timedelta(days=retention)}
            expected = answer(kept, refuse_unbounded(expression), *window)  # type: ignore[arg-type]
            assert set(told[0]["recording_ids"]) <= expected
            assert len(told[0]["recording_ids"]) == min(limit, len(expected))
            assert (told[0]["next_cursor"] is None) == (len(expected) <= limit)

    check()


@pytest.fixture
def door(shelf: Shelf) -> Door:
    """Six days; "each" is there on all of them, and the others on one."""
    for segment in SEGMENTS:
        shelf.name(segment)
    shelf.publish({day(n): {"1": {"each", f"a{n}", f"b{n}"}, "2": {f"b{n}"}} for n in range(6)})
    return Door(shelf)


def test_the_cursor_of_a_first_page_goes_on_in_the_whole_index(door: Door) -> None:
    first = door.both(limit=4)
    rest = door.ask(door.warm(), limit=50, cursor=first["next_cursor"])
    assert [*first["recording_ids"], *rest["recording_ids"]] == door.both()["recording_ids"]
    assert rest["next_cursor"] is None


def test_a_window_outside_of_what_is_kept_is_empty(door: Door) -> None:
    door.change(retention_days=2)
    assert set(door.both()["recording_ids"]) == {"each", "a4", "b4", "a5", "b5"}
    assert door.both(window=Window(day(0), day(2)))["recording_ids"] == []
    assert set(door.both(window=Window(None, day(4)))["recording_ids"]) == {"each", "a4", "b4"}


def test_what_is_forgotten_is_on_no_first_page(door: Door) -> None:
    shelf = door.shelf
    retention = Retention(shelf.data, shelf.keyring, clock=lambda: NOW, new_id=lambda: os.urandom(8).hex())
    forgetting = Forgetting(shelf.data, shelf.keyring, retention, door.cold(), clock=lambda: NOW)
    assert {"each", "a5"} <= set(door.both()["recording_ids"])
    forgetting.forget("L1", "acme", ["each", "a5", "stranger"], "test")
    found = door.both()
    assert set(found["recording_ids"]) == {f"{kind}{n}" for n in range(6) for kind in "ab"} - {"a5"}


def test_a_paused_a_removed_and_a_foreign_link_give_no_first_page(door: Door) -> None:
    door.change(status=LinkStatus.PAUSED)
    with pytest.raises(Paused):
        door.ask(door.cold())
    door.change(status=LinkStatus.REMOVED)
    with pytest.raises(NotFound):
        door.ask(door.cold())
    door.change(status=LinkStatus.ACTIVE, customer_id="globex")
    with pytest.raises(NotFound):
        door.ask(door.cold())


def test_a_link_whose_key_is_gone_gives_no_first_page(door: Door) -> None:
    door.shelf.keyring.destroy([Owner("link", "L1")], "acme", NOON)
    with pytest.raises(NotFound):
        door.ask(door.cold())


def test_a_filter_that_is_refused_begins_the_index_all_the_same(door: Door) -> None:
    """So that a client that goes on asking nonsense does not have the days read again and again."""
    begun: list[object] = []
    cache = IndexCache(door.shelf.keyring, ROOM, start=begun.append)
    for _ in range(3):
        with pytest.raises(UnknownSegment):
            door.ask(cache, {"segment": "404"})
    assert len(begun) == 1


def damage(shelf: Shelf, at: date, *, beginning: bool) -> None:
    """Alter a stored value: so that its seal breaks, or behind an unbroken seal its last byte."""
    with shelf.data.transaction() as session:
        reading = session.query(Reading).where(Reading.day == at).one()
        sealer = shelf.sealer("L1")
        if beginning:
            reading.value = replace(reading.value, ciphertext=reading.value.ciphertext[:-1])
        else:
            whole = encode(build_day({"1": {"each", "x"}}, sealer.key(LOOKUP)))
            reading.value = sealer.seal(reading.place(), whole[:-1] + bytes([whole[-1] ^ 1]))


@pytest.mark.parametrize("where", ["beginning", "end"])
def test_a_damaged_day_is_left_to_the_whole_index_which_says_incomplete(door: Door, where: str) -> None:
    damage(door.shelf, day(5), beginning=where == "beginning")
    cold, told = door.cold(), list[tuple[str, str]]()
    cold._damaged = lambda *which: told.append(which)  # noqa: SLF001 -- who is told is another test's
    with capture_logs() as logs:
        found = door.ask(cold)
    assert [line["event"] for line in logs] == ["glance_failed", "day_damaged"]
    assert len(told) == 1
    assert found == door.ask(door.warm())
    assert not {"a5", "b5", "x"} & set(found["recording_ids"])
    assert found["completeness"]["days"]["incomplete"] == 1


def test_a_page_that_does_not_need_a_damaged_day_is_right_and_the_next_one_says_incomplete(
    door: Door,
) -> None:
    """The day is not even opened, so its damage changes no id, no order and no cursor."""
    shelf = door.shelf
    shelf.publish({day(n): {"1": {f"c{n}", f"d{n}"}} for n in range(6)})
    damage(shelf, day(0), beginning=False)
    begun: list[Callable[[], None]] = []
    cache = IndexCache(shelf.keyring, ROOM, start=begun.append)
    first = door.ask(cache, limit=4)
    whole = door.ask(door.warm(), limit=4)
    assert (first["recording_ids"], first["next_cursor"]) == (whole["recording_ids"], whole["next_cursor"])
    begun[0]()
    assert door.ask(cache, limit=4)["completeness"]["days"]["incomplete"] == 1


def test_a_generation_without_days_is_answered(shelf: Shelf) -> None:
    shelf.name("1")
    found = Door(shelf).both({"segment": "1"})
    assert (found["recording_ids"], found["next_cursor"], found["as_of"]) == ([], None, None)
