"""What is answered at once is, in everything, what the long way answers; whatever is not plain is not answered."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from ga_sync.accounts.at_once import MAX_CANDIDATES, MAX_PAGE, MAX_SIZE, AtOnce
from ga_sync.accounts.generation import Window
from ga_sync.accounts.keys import Keys
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.views import View
from ga_sync.index.cache import IndexCache
from ga_sync.index.errors import FilterIndexError
from ga_sync.index.expression import refuse_unbounded
from ga_sync.index.recurring import OFTEN
from ga_sync.index.store import AskedLink
from models.keyring import Owner
from models.link import Link, LinkStatus
from models.session import Store
from tests.accounts.test_first_pages import ALL, NOW, TODAY, fixed
from tests.benchmarks.questions import as_json
from tests.clock import SettableClock
from tests.index.model import World, answer, day
from tests.index.shelves import ROOM, Shelf
from tests.index.worlds import HEX, ODD, SEGMENTS, expressions, windows, worlds

CANDIDATES = [*HEX, *ODD, "nobody", HEX[0]]
ROLES = ("store", "console")
Ask = Callable[[], View | None]


@dataclass
class Door:
    """Both ways to the same link."""

    shelf: Shelf
    link_id: str = "L1"
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))

    def __post_init__(self) -> None:
        self.cache = IndexCache(self.shelf.keyring, ROOM, start=lambda _work: None)
        self.keys = Keys(self.shelf.data, self.clock, os.urandom)
        self.long = Recordings(
            self.shelf.data, self.shelf.keyring, self.cache, clock=self.clock, random=fixed
        )
        self.short = self.over(self.shelf.data)

    def over(self, data: Store) -> AtOnce:
        return AtOnce(data, self.keys, self.shelf.keyring, self.cache, clock=self.clock, random=fixed)

    def key(self, role: str = "store", customer: str = "acme", lives: timedelta | None = None) -> str:
        return self.keys.create(role, customer, "test", lives)

    def admitted(self, key: str) -> AskedLink:
        found = self.short.admit(key, self.link_id, ROLES)
        assert found is not None
        return found.link

    def warm(self) -> None:
        """Bring all of it into memory, and work out what the whole range needs."""
        self.shelf.serve(self.cache, self.link_id).index.warm()

    def change(self, **values: object) -> None:
        with self.shelf.data.transaction() as session:
            session.execute(update(Link).where(Link.link_id == self.link_id).values(**values))


@pytest.fixture
def door(shelf: Shelf) -> Door:
    """Six days; "each" is there on all of them, and the others on one."""
    for segment in SEGMENTS:
        shelf.name(segment)
    shelf.publish({day(n): {"1": {"each", f"a{n}", f"b{n}"}, "2": {f"b{n}"}} for n in range(6)})
    found = Door(shelf)
    found.warm()
    return found


def told(ask: Ask) -> View | None:
    """An answer; a refusal is none."""
    try:
        return ask()
    except FilterIndexError:
        return None


def test_any_question_is_answered_as_the_long_way_answers_it(shelf: Shelf) -> None:
    numbers = count(2)
    at_once: list[bool] = []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(worlds, expressions, windows(), st.integers(1, 6), st.integers(1, 8))
    def check(
        world: World, expression: object, days: tuple[date | None, date | None], limit: int, retention: int
    ) -> None:
        door = Door(shelf, shelf.link(f"L{next(numbers)}"))
        for segment in SEGMENTS:
            shelf.name(segment, link_id=door.link_id)
        shelf.publish(world, link_id=door.link_id)
        door.change(retention_days=retention)
        link, filter_, window = door.admitted(door.key()), as_json(expression), Window(*days)  # type: ignore[arg-type]
        dayless = [(one, None) for one in CANDIDATES]
        long: tuple[Ask, ...] = (
            lambda: door.long.count(door.link_id, "acme", filter_, window, None, None),
            lambda: door.long.query(door.link_id, "acme", filter_, window, limit, None),
            lambda: door.long.match(door.link_id, "acme", filter_, dayless, window),
        )
        short: tuple[Ask, ...] = (
            lambda: door.short.count(link, filter_, window),
            lambda: door.short.query(link, filter_, window, limit),
            lambda: door.short.match(link, filter_, dayless, window),
        )
        assert [ask() for ask in short] == [None, None, None], "nothing is in memory yet"
        for slow, quick in zip(long, short, strict=True):
            expected, found = told(slow), quick()
            assert found is None or found == expected
            at_once.append(found is not None)
        if (counted := short[0]()) is not None:
            kept = {at: held for at, held in world.items() if at > TODAY - timedelta(days=retention)}
            assert counted["count"] == len(answer(kept, refuse_unbounded(expression), *days))  # type: ignore[arg-type]

    check()
    assert sum(at_once) > len(at_once) / 4, "the short way was taken"


def test_the_cursor_of_a_page_at_once_goes_on_the_long_way(door: Door) -> None:
    first = door.short.query(door.admitted(door.key()), ALL, Window(), 4)
    assert first is not None
    rest = door.long.query("L1", "acme", ALL, Window(), 50, first["next_cursor"])
    whole = door.long.query("L1", "acme", ALL, Window(), 50, None)
    assert [*first["recording_ids"], *rest["recording_ids"]] == whole["recording_ids"]


def test_who_may_ask_nothing_is_not_admitted(door: Door) -> None:
    good = door.key()
    admitted = door.short.admit(good, "L1", ROLES)
    assert admitted is not None
    assert (admitted.key_id, admitted.link.link_id) == (good.removeprefix("gas_").partition(".")[0], "L1")
    for key in (None, "", "gas_", good[:-1], good + "a", good.removeprefix("gas_"), "gas_aaaa.aaaa"):
        assert door.short.admit(key, "L1", ROLES) is None, key
    for link_id in ("", "L2", "l1", "L1\0", "L" * 500):
        assert door.short.admit(good, link_id, ROLES) is None, link_id
    assert door.short.admit(door.key(customer="globex"), "L1", ROLES) is None
    assert door.short.admit(good, "L1", ("console",)) is None
    assert door.short.admit(door.key("admin", "*"), "L1", ROLES) is not None
    assert door.short.admit(door.key("console", "*"), "L1", ROLES) is not None


def test_what_ends_is_seen_by_the_next_question(door: Door) -> None:
    short_lived = door.key(lives=timedelta(days=1))
    revoked = door.key()
    for key in (short_lived, revoked):
        assert door.short.admit(key, "L1", ROLES) is not None
    door.keys.revoke(revoked.partition(".")[0], "test")
    door.clock.advance(timedelta(days=1))
    for key in (short_lived, revoked):
        assert door.short.admit(key, "L1", ROLES) is None


@pytest.mark.parametrize("status", [LinkStatus.PAUSED, LinkStatus.REMOVED])
def test_a_link_that_answers_nothing_answers_nothing_at_once(door: Door, status: LinkStatus) -> None:
    key = door.key()
    assert door.short.admit(key, "L1", ROLES) is not None
    door.change(status=status)
    assert door.short.admit(key, "L1", ROLES) is None
    door.change(status=LinkStatus.BROKEN)
    assert door.short.admit(key, "L1", ROLES) is not None


def test_a_new_generation_is_seen_by_the_next_question(door: Door) -> None:
    key, one = door.key(), {"segment": "1"}
    before = door.short.count(door.admitted(key), one, Window())
    assert before is not None
    door.shelf.publish({day(5): {"1": {"new"}}})
    assert door.short.count(door.admitted(key), one, Window()) is None, "it is not in memory"
    after = door.long.count("L1", "acme", one, Window(), None, None)
    assert after == door.short.count(door.admitted(key), one, Window()) != before


def test_a_day_that_left_retention_since_is_in_no_answer(door: Door) -> None:
    key, window = door.key(), Window(day(0), day(0))
    door.change(retention_days=6)
    door.warm()
    assert door.short.match(door.admitted(key), ALL, [("a0", None)], Window()) == door.long.match(
        "L1", "acme", ALL, [("a0", None)], Window()
    )
    held = door.long.count("L1", "acme", ALL, window, None, None)
    assert held["count"] == 3
    assert door.short.count(door.admitted(key), ALL, window) == held
    door.clock.advance(timedelta(days=1))
    late = door.short.count(door.admitted(key), ALL, window)
    assert late in (None, door.long.count("L1", "acme", ALL, window, None, None))
    assert door.long.count("L1", "acme", ALL, window, None, None)["count"] == 0


def test_what_is_long_is_left_to_the_long_way(door: Door) -> None:
    link = door.admitted(door.key())
    assert door.short.query(link, ALL, Window(), MAX_PAGE) is not None
    for limit in (-1, 0, MAX_PAGE + 1):
        assert door.short.query(link, ALL, Window(), limit) is None
    few = [("each", None)] * MAX_CANDIDATES
    assert door.short.match(link, ALL, few, Window()) is not None
    for candidates in ([*few, ("each", None)], [("", None)], [("\ud800", None)], [("x" * 101, None)]):
        assert door.short.match(link, ALL, candidates, Window()) is None


def test_a_large_filter_is_left_to_the_long_way_whichever_segments_it_repeats(door: Door) -> None:
    link, one = door.admitted(door.key()), {"segment": "1"}
    most: object = {"any": [one] * (MAX_SIZE - 1)}
    deep: object = {"all": [{"any": [one, {"not": {"not": one}}]}] * 5}
    for filter_, answered in ((most, True), ({"any": [one] * MAX_SIZE}, False), (deep, False)):
        assert (door.short.count(link, filter_, Window()) is not None) == answered
        assert (door.short.query(link, filter_, Window(), 5) is not None) == answered
        assert (door.short.match(link, filter_, [("each", None)], Window()) is not None) == answered


def test_a_window_that_was_never_asked_is_left_to_the_long_way(door: Door) -> None:
    """Also for a segment that nobody is in: the window's own sets have to be worked out."""
    link = door.admitted(door.key())
    for segment, window in (("1", Window(day(1), day(4))), ("44", Window(day(2), day(4)))):
        assert door.short.count(link, {"segment": segment}, window) is None
        counted = door.long.count("L1", "acme", {"segment": segment}, window, None, None)
        assert door.short.count(link, {"segment": segment}, window) == counted


def test_a_match_needs_nothing_that_is_worked_out_of_a_window(door: Door) -> None:
    link, window, asked = door.admitted(door.key()), Window(day(1), day(4)), [("a1", None), ("a0", None)]
    at_once = door.short.match(link, {"segment": "1"}, asked, window)
    assert at_once == door.long.match("L1", "acme", {"segment": "1"}, asked, window)
    assert at_once["matches"] == ["a1"]
    assert door.short.count(link, {"segment": "1"}, window) is None


def test_what_was_counted_once_is_counted_at_once_whichever_part_of_it_decided(door: Door) -> None:
    """Nobody is in both of the first two, so the answer itself needs nothing of the third."""
    door.shelf.publish({day(5): {"1": {"each"}, "2": {"b5"}, "3": {"each", "b5"}}})
    link = door.admitted(door.key())
    filter_ = {"all": [{"segment": "1"}, {"segment": "2"}, {"not": {"segment": "3"}}]}
    counted = door.long.count("L1", "acme", filter_, Window(), None, None)
    assert door.short.count(link, filter_, Window()) == counted
    assert door.short.query(link, filter_, Window(), 5) is not None


def test_a_window_that_is_asked_for_pages_often_is_worked_out_for_each_filter(door: Door) -> None:
    link, window = door.admitted(door.key()), Window(day(1), day(4))
    filters = [{"all": [{"segment": one}, {"segment": "2"}, {"segment": "1"}]} for one in ("1", "44")]
    for _ in range(OFTEN):
        door.long.query("L1", "acme", ALL, window, 5, None)
        assert [door.short.query(link, one, window, 5) for one in filters] == [None, None]
    for filter_ in filters:
        page = door.long.query("L1", "acme", filter_, window, 5, None)
        assert door.short.query(link, filter_, window, 5) == page


@pytest.mark.parametrize(
    "filter_", [None, {}, {"segment": "404"}, {"segment": 1}, {"not": {"segment": "1"}}, {"all": []}]
)
def test_a_refused_filter_is_left_to_the_long_way(door: Door, filter_: object) -> None:
    link = door.admitted(door.key())
    assert door.short.query(link, filter_, Window(), 5) is None
    assert door.short.count(link, filter_, Window()) is None
    bounded_only = filter_ == {"not": {"segment": "1"}}
    assert (door.short.match(link, filter_, [("each", None)], Window()) is not None) == bounded_only


def test_without_the_links_key_there_is_no_page(door: Door) -> None:
    link = door.admitted(door.key())
    assert door.short.query(link, ALL, Window(), 5) is not None
    door.shelf.keyring.forget_cached([Owner("link", "L1")])
    assert door.short.query(link, ALL, Window(), 5) is None, "the key has to be unwrapped first"
    door.long.query("L1", "acme", ALL, Window(), 5, None)
    assert door.short.query(link, ALL, Window(), 5) is not None


def test_a_database_that_cannot_be_asked_now_admits_nobody(
    door: Door, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = Store(f"sqlite:///{tmp_path_factory.mktemp('empty') / 'data.db'}")
    try:
        assert door.over(empty).admit(door.key(), "L1", ROLES) is None
    finally:
        empty.close()
