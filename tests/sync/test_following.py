"""Whoever follows a link's changes ends with what its export says, whatever happens to the link meanwhile."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from ga_sync.accounts.changes import Changes
from ga_sync.accounts.errors import CursorExpired
from ga_sync.accounts.forgetting import Forgetting
from ga_sync.accounts.generation import Window
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.retention import Retention
from ga_sync.analytics import errors as google
from ga_sync.index import heads
from ga_sync.index.cache import IndexCache
from ga_sync.sync.forgets import entries
from models.change import Change
from models.job import Job
from models.link import LinkStatus
from tests.sync.bench import CUSTOMER, Bench, new_id
from tests.sync.fake_google import BUYERS, RETURNING, FakeAnalytics, audience

IDS = ["often", "rare", "\u00fc\n", "a" * 32, "b" * 32, "c" * 32]
Pairs = set[tuple[str, str]]


@dataclass
class House:
    """The rights over one bench, with the link that it has now."""

    bench: Bench
    cache: IndexCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = IndexCache(self.bench.keyring, 10**9)

    @property
    def retention(self) -> Retention:
        return Retention(self.bench.data, self.bench.keyring, clock=self.bench.clock, new_id=new_id)

    def changes(self) -> Changes:
        data, keyring, clock = self.bench.data, self.bench.keyring, self.bench.clock
        return Changes(data, keyring, self.cache, self.retention, clock=clock, random=os.urandom)

    def forget(self, *ids: str) -> None:
        data, keyring = self.bench.data, self.bench.keyring
        forgetting = Forgetting(data, keyring, self.retention, self.cache, clock=self.bench.clock)
        forgetting.forget(self.bench.link_id, CUSTOMER, ids, "test")

    def exported(self) -> Pairs:
        data, keyring, clock = self.bench.data, self.bench.keyring, self.bench.clock
        recordings = Recordings(data, keyring, self.cache, clock=clock, random=os.urandom)
        listed, _ = recordings.segments(self.bench.link_id, CUSTOMER)
        found: Pairs = set()
        for segment in (one["segment_id"] for one in listed):
            _, batches = recordings.export(self.bench.link_id, CUSTOMER, segment, Window())
            found |= {(segment, one) for _, ids in batches for one in ids}
        return found


@dataclass
class Follower:
    """A consumer that knows nothing but what it was told."""

    house: House
    limit: int
    since: str | None = None
    held: Pairs = field(default_factory=set)
    restarts: int = 0

    def step(self) -> bool:
        """Read one page; whether there is more. Begin anew where the place is not known any more."""
        try:
            page = self.house.changes().page(self.house.bench.link_id, CUSTOMER, self.since, self.limit)
        except CursorExpired:
            self.since, self.held, self.restarts = None, set(), self.restarts + 1
            return True
        for change in page["changes"]:
            pair = (change["segment_id"], change["recording_id"])
            (self.held.add if change["change"] == "entered" else self.held.discard)(pair)
        self.since = page["next"]
        return bool(page["more"])

    def catch_up(self) -> Pairs:
        while self.step():
            pass
        return self.held


Step = Callable[["Story"], None]


@dataclass
class Story:
    """What a drawn step may turn."""

    house: House
    followers: list[Follower]
    forgotten: set[str] = field(default_factory=set)

    @property
    def world(self) -> FakeAnalytics:
        return self.house.bench.google

    def today(self) -> date:
        return self.house.bench.clock().date()


def members(days: list[dict[str, list[str]]]) -> Step:
    """Google shows these members of the newest days."""

    def step(story: Story) -> None:
        for back, day in enumerate(days):
            story.world.members[story.today() - timedelta(days=back)] = day

    return step


def sync(story: Story) -> None:
    story.house.bench.sync()


def failing_sync(story: Story) -> None:
    """Google fails in the middle of a run."""
    story.world.fail("run_report", *[google.GoogleUnavailable("down", "run_report")] * 3)
    story.house.bench.sync()


def next_days(days: int) -> Step:
    def step(story: Story) -> None:
        story.house.bench.clock.advance(timedelta(days=days))

    return step


def forget(one: str) -> Step:
    def step(story: Story) -> None:
        story.house.forget(one)
        story.forgotten.add(one)

    return step


def archive(story: Story) -> None:
    story.world.archive(RETURNING)


def bring_back(story: Story) -> None:
    archive(story)
    story.world.listed.append(audience(RETURNING, "Returning", of=story.world.facts.name))


def rename(story: Story) -> None:
    story.world.rename(BUYERS, "New name")


def upkeep(story: Story) -> None:
    story.house.retention.apply()


def follow(number: int) -> Step:
    def step(story: Story) -> None:
        story.followers[number].step()

    return step


DAY = st.dictionaries(st.sampled_from([BUYERS, RETURNING]), st.lists(st.sampled_from(IDS), unique=True))
STEPS = st.one_of(
    st.lists(DAY, min_size=1, max_size=4).map(members),
    st.sampled_from([sync, sync, failing_sync, archive, bring_back, rename, upkeep]),
    st.integers(0, 2).map(next_days),
    st.sampled_from(IDS).map(forget),
    st.integers(0, 1).map(follow),
)


EXAMPLES = max(25, int(os.environ.get("GA_SYNC_MACHINE_EXAMPLES", "25")))
"""`make prove` takes more."""


@pytest.mark.parametrize("examples", [EXAMPLES])
def test_a_follower_ends_with_what_the_export_says(bench: Bench, examples: int) -> None:
    numbers = count(1)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(STEPS, min_size=4, max_size=14), st.integers(1, 3))
    def check(steps: list[Step], limit: int) -> None:
        bench.google = fake = FakeAnalytics()
        fake.facts = replace(fake.facts, name=f"properties/{next(numbers)}")
        fake.listed = [audience(one.audience_id, one.display_name, of=fake.facts.name) for one in fake.listed]
        with bench.data.transaction() as session:
            session.execute(delete(Job))  # of the links of former examples
        bench.link_id = bench.make_link(fake.facts.name, retention_days=5)
        house = House(bench)
        story = Story(house, [Follower(house, limit), Follower(house, 100)])
        for step in steps:
            step(story)
        true = house.exported()
        assert not story.forgotten & {one for _, one in true}
        fresh = Follower(house, limit)
        assert [one.catch_up() for one in [*story.followers, fresh]] == [true] * 3
        assert fresh.restarts == 0
        with bench.data.reading() as session:
            assert not heads.compare(session, bench.keyring, bench.link_id, CUSTOMER)

    check()


def test_a_recording_that_was_forgotten_is_not_even_staged(bench: Bench) -> None:
    bench.sync()
    house = House(bench)
    house.forget("often")
    before = Follower(house, 3)
    before.catch_up()
    bench.clock.advance(timedelta(hours=1))
    bench.sync()
    assert all("often" not in ids for day in bench.days().values() for ids in day.values())
    assert before.catch_up() == house.exported()
    assert before.restarts == 0


def test_a_crash_between_remembering_and_rewriting_is_made_good_by_the_next_publication(bench: Bench) -> None:
    bench.sync()
    house = House(bench)
    follower = Follower(house, 2)
    follower.catch_up()
    bench.keyring.forgets.remember(bench.link_id, CUSTOMER, entries(["often"], bench.sealer()), bench.clock())
    assert "often" in {one for _, one in house.exported()}
    bench.google.fail("audiences", google.GoogleUnavailable("down", "audiences"))
    bench.clock.advance(timedelta(hours=1))
    bench.sync()
    assert "often" not in {one for _, one in house.exported()}
    assert follower.catch_up() == house.exported()
    assert bench.row().forgotten == 1


def test_a_crash_between_remembering_and_rewriting_is_made_good_by_the_next_start(bench: Bench) -> None:
    bench.sync()
    house = House(bench)
    bench.keyring.forgets.remember(bench.link_id, CUSTOMER, entries(["often"], bench.sealer()), bench.clock())
    bench.pause()
    house.retention.apply()
    bench.change_link(status=LinkStatus.ACTIVE)
    assert "often" not in {one for _, one in house.exported()}


def test_what_was_remembered_under_an_earlier_hash_stays_forgotten(bench: Bench) -> None:
    remembered = [(reference, lookup[:8]) for reference, lookup in entries(["often"], bench.sealer())]
    bench.keyring.forgets.remember(bench.link_id, CUSTOMER, remembered, bench.clock())
    bench.keyring.forgets.remember(bench.link_id, CUSTOMER, entries(["other"], bench.sealer()), bench.clock())
    bench.sync()
    assert "often" not in {one for _, one in House(bench).exported()}
    assert len(House(bench).exported()) > 0


def test_what_a_run_had_staged_before_is_forgotten_with_the_rest(bench: Bench) -> None:
    """A run that is under way while somebody is forgotten brings nobody back."""
    house = House(bench)
    forgotten: list[str] = []

    def meanwhile(method: str) -> None:
        if method == "run_report" and len(bench.google.calls) > 5 and not forgotten:
            forgotten.append("often")
            house.forget("often")

    bench.google.before = meanwhile
    bench.sync()
    assert forgotten
    assert "often" not in {one for _, one in house.exported()}
    assert house.exported()


def test_a_damaged_day_ends_every_place_in_the_log(bench: Bench) -> None:
    """Nobody can tell any more who left with it: followers begin anew."""
    bench.sync()
    house = House(bench)
    follower = Follower(house, 3)
    follower.catch_up()
    bench.damage(bench.clock().date())
    house.forget("nobody")
    bench.clock.advance(timedelta(hours=1))
    bench.sync()
    assert follower.catch_up() == house.exported()
    assert follower.restarts == 1


def test_a_place_behind_an_earlier_hash_is_refused_and_one_at_the_end_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sync()
    house = House(bench)
    within, at_the_end = Follower(house, 3), Follower(house, 1000)
    with monkeypatch.context() as earlier:  # a token then had no such flag
        earlier.setattr("ga_sync.accounts.following._BLOCKS", 0)
        assert within.step()
        assert not at_the_end.step()
    for follower, restarts in ((within, 1), (at_the_end, 0)):
        assert follower.catch_up() == house.exported()
        assert follower.restarts == restarts


def test_a_place_in_another_history_is_refused(bench: Bench) -> None:
    """After a restored backup the same number may mean another generation."""
    bench.sync()
    house = House(bench)
    follower = Follower(house, 3)
    follower.catch_up()
    bench.change_link(generated_at=bench.clock() + timedelta(seconds=5))
    assert follower.catch_up() == house.exported()
    assert follower.restarts == 1


def test_a_restored_log_does_not_tell_that_a_forgotten_recording_entered(bench: Bench) -> None:
    bench.sync()
    house = House(bench)
    follower = Follower(house, 50)
    follower.catch_up()
    bench.google.members[bench.clock().date()][BUYERS].append("late")
    bench.clock.advance(timedelta(hours=1))
    bench.sync()
    with bench.data.reading() as session:
        kept = session.get_one(Change, (bench.link_id, bench.row().generation))
        value, events = kept.value, kept.events
    house.forget("late")
    with bench.data.transaction() as session:  # as an older backup has it
        row = session.get_one(Change, (bench.link_id, bench.row().generation - 1))
        row.value, row.events = value, events
    told: list[str] = []
    with suppress(CursorExpired):
        page = house.changes().page(bench.link_id, CUSTOMER, follower.since, 50)
        told = [change["change"] for change in page["changes"] if change["recording_id"] == "late"]
    assert told == ["left"]


def test_accounts_are_kept_for_seven_days(bench: Bench) -> None:
    bench.sync()
    bench.clock.advance(timedelta(days=7, hours=2))
    House(bench).retention.apply()
    with bench.data.reading() as session:
        assert session.scalar(select(func.count()).select_from(Change)) == 0
