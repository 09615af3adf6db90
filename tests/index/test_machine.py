"""The index through any life: days come, are replaced, expire and lose recordings while pages are being read.

A Hypothesis machine changes a link's days as syncs, retention and erasure do, and asks everything of it in between;
each answer must be the naive model's. The usual run is short; `GA_SYNC_MACHINE_EXAMPLES=2000` (or `make prove`) is the
long one.
"""

import os
from dataclasses import dataclass, field
from datetime import date

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from ga_sync.index.codec import DayData
from ga_sync.index.day import build_day, decode, encode, without
from ga_sync.index.expression import All, Expression, Segment
from ga_sync.index.newest import Purse, first_page
from ga_sync.index.query import LinkIndex, Position
from ga_sync.sync.changes import differences, only_left, unless_held
from tests.index import model
from tests.index.model import World
from tests.index.onlookers import Follower, Stored
from tests.index.worlds import (
    HEX,
    KEY,
    ODD,
    SEGMENTS,
    days,
    expressions,
    ids,
    memberships,
    segment_ids,
    widths,
    windows,
)

EXAMPLES = int(os.environ.get("GA_SYNC_MACHINE_EXAMPLES", "40"))
STEPS = 30
Days = tuple[date | None, date | None]
asked_ids = st.lists(st.sampled_from([*HEX, *ODD, "stranger"]), max_size=8)


@dataclass
class Reading:
    """Somebody who reads page by page, while days change."""

    expression: Expression
    window: Days
    after: Position | None = None
    over: bool = False
    listed: list[str] = field(default_factory=list)
    states: list[World] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    """One link. `world` is what is true, `stored` what is at rest, `index` what answers, `log` what changed."""

    readings = Bundle("readings")
    followers = Bundle("followers")

    @initialize(bits=widths)
    def begin(self, bits: int) -> None:
        self.bits = bits
        self.world: World = {}
        self.stored: dict[date, bytes] = {}
        self.names = {segment: f"Segment {segment}" for segment in SEGMENTS}
        self.archived: set[str] = set()
        self.index = LinkIndex.assemble({}, KEY, bits)
        self.log: list[DayData] = []
        self.open: list[Reading] = []
        self.older: list[tuple[LinkIndex, World]] = []

    def publish(self, days: dict[date, DayData | None]) -> None:
        """A generation: whoever reads goes on in it, and the former one stays as it was."""
        self.older = [*self.older[-2:], (self.index, dict(self.world))]
        self.log.append(self.account(days))
        for day, data in days.items():
            self.index = self.index.patched(day, data)
            self.stored.pop(day, None)
            if data is not None:
                self.stored[day] = encode(data)

    def account(self, days: dict[date, DayData | None]) -> DayData:
        """What the generation changes about who is in which segment, written and read as the log does."""
        gone = [decode(self.stored[day], KEY, self.bits) for day in days if day in self.stored]
        come = [data for data in days.values() if data is not None]
        account = differences(gone, come, KEY, self.bits)
        for day in self.stored.keys() - days.keys():
            account = unless_held(account, decode(self.stored[day], KEY, self.bits), KEY, self.bits)
        return decode(encode(account), KEY, self.bits)

    def changed(self) -> None:
        for reading in self.open:
            reading.states.append(dict(self.world))

    @rule(day=days, members=memberships)
    def a_day_is_synced_or_replaced(self, day: date, members: dict[str, set[str]]) -> None:
        self.publish({day: decode(encode(build_day(members, KEY, self.bits)), KEY, self.bits)})
        self.world[day] = members
        self.changed()

    @rule(day=days)
    def a_day_expires(self, day: date) -> None:
        self.publish({day: None})
        self.world.pop(day, None)
        self.changed()

    @rule(forgotten=st.sets(ids, max_size=3))
    def recordings_are_forgotten(self, forgotten: set[str]) -> None:
        self.publish(
            {
                day: without(decode(data, KEY, self.bits), forgotten, KEY, self.bits)
                for day, data in sorted(self.stored.items())
            }
        )
        self.log = [only_left(account, sorted(forgotten), KEY, self.bits) for account in self.log]
        for day, members in self.world.items():
            self.world[day] = {
                segment: held - forgotten for segment, held in members.items() if held - forgotten
            }
        self.changed()
        assert self.index.lookup(sorted(forgotten)) == [()] * len(forgotten)

    @rule(segment=st.sampled_from(SEGMENTS), name=st.text(max_size=5))
    def a_segment_is_renamed(self, segment: str, name: str) -> None:
        """Names are data beside the index: no answer knows them."""
        before = self.index.segment_stats()
        self.names[segment] = name
        assert self.index.segment_stats() == before

    @rule(segment=st.sampled_from(SEGMENTS))
    def a_segment_is_archived_and_still_answers(self, segment: str) -> None:
        self.archived.add(segment)
        held = model.answer(self.world, Segment(segment), None, None)
        assert self.index.count(Segment(segment), None, None) == len(held)

    @rule()
    def the_process_starts_anew(self) -> None:
        self.index = LinkIndex.assemble(
            {day: decode(data, KEY, self.bits) for day, data in self.stored.items()}, KEY, self.bits
        )

    @rule(target=readings, expression=expressions, window=windows())
    def somebody_begins_to_read(self, expression: Expression, window: Days) -> Reading:
        reading = Reading(expression, window, states=[dict(self.world)])
        self.open.append(reading)
        return reading

    @rule(reading=readings, limit=st.integers(1, 4))
    def a_page_is_read(self, reading: Reading, limit: int) -> None:
        if reading.over:
            return
        page, reading.after = self.index.query(reading.expression, *reading.window, reading.after, limit)
        reading.listed += page
        assert set(page) <= model.answer(self.world, reading.expression, *reading.window)
        reading.over = reading.after is None
        if reading.over:
            self.open.remove(reading)
            self.steady_ones_came_once(reading)

    def steady_ones_came_once(self, reading: Reading) -> None:
        """Ids that the filter was true of all the time, and whose last-seen day stayed, came exactly once."""
        answers = [model.answer(state, reading.expression, *reading.window) for state in reading.states]
        for id_ in set.intersection(*answers):
            if len({model.last_seen(state, id_, *reading.window) for state in reading.states}) == 1:
                assert reading.listed.count(id_) == 1

    @rule(target=followers)
    def somebody_begins_to_follow(self) -> Follower:
        return Follower(len(self.log))

    @rule(follower=followers, limit=st.integers(1, 4))
    def a_page_of_changes_is_read(self, follower: Follower, limit: int) -> None:
        follower.told(self.index, self.log, limit)

    @rule(follower=followers, limit=st.integers(1, 9))
    def whoever_has_read_all_changes_holds_what_the_export_says(self, follower: Follower, limit: int) -> None:
        while follower.told(self.index, self.log, limit):
            pass
        assert follower.held == {
            (segment, id_)
            for segment in SEGMENTS
            for id_, _ in self.index.export(Segment(segment), None, None)
        }

    @rule(expression=expressions, window=windows(), limit=st.integers(1, 6))
    def the_first_page_is_the_same_from_the_database(
        self, expression: Expression, window: Days, limit: int
    ) -> None:
        frm, to = window
        shelf = [
            Stored(day, decode(data, KEY, self.bits), data)
            for day, data in sorted(self.stored.items())
            if (frm is None or day >= frm) and (to is None or day <= to)
        ]
        assert first_page(shelf, expression, limit, Purse()) == self.index.query(
            expression, frm, to, None, limit
        )

    @rule(expression=expressions, window=windows())
    def everything_is_counted_and_exported(self, expression: Expression, window: Days) -> None:
        expected = model.answer(self.world, expression, *window)
        assert self.index.count(expression, *window) == len(expected)
        exported = list(self.index.export(expression, *window))
        assert sorted(exported) == sorted(
            (id_, model.last_seen(self.world, id_, *window)) for id_ in expected
        )
        by_day = model.count_by_day(self.world, expression, *window)
        assert self.index.count_by_day(expression, *window) == by_day
        facets = [
            (segment, len(model.answer(self.world, All((expression, Segment(segment))), *window)))
            for segment in SEGMENTS
        ]
        assert self.index.count_by_segment(expression, *window, SEGMENTS) == facets

    @rule(expression=expressions, window=windows(), asked=asked_ids)
    def candidates_are_matched(self, expression: Expression, window: Days, asked: list[str]) -> None:
        held = [model.segments_of_id(self.world, id_, *window) for id_ in asked]
        expected = [model.holds(expression, segments) for segments in held]
        assert self.index.match(expression, asked, *window) == expected
        assert self.index.members(asked, *window) == held
        found = model.answer(self.world, expression, *window) & set(asked)
        assert self.index.count_among(expression, asked, *window) == len(found)

    @rule(
        expression=expressions,
        window=windows(),
        asked=st.lists(st.tuples(st.sampled_from([*HEX, *ODD, "stranger"]), st.none() | days), max_size=8),
        ruled_out=st.sets(st.tuples(segment_ids, days)),
    )
    def candidates_with_days_are_matched_with_three_values(
        self,
        expression: Expression,
        window: Days,
        asked: list[tuple[str, date | None]],
        ruled_out: set[tuple[str, date]],
    ) -> None:
        def false_on(segment: str, day: date) -> bool:
            return (segment, day) in ruled_out

        expected = [
            model.three_valued(expression, model.segments_of_id(self.world, id_, *window), day, false_on)
            for id_, day in asked
        ]
        assert self.index.match3(expression, asked, *window, false_on) == expected

    @invariant()
    def it_holds_what_is_true(self) -> None:
        assert self.index.days == tuple(sorted(self.world))
        assert self.index.recordings == len(model.universe(self.world, None, None))

    @invariant()
    def former_generations_answer_as_they_did(self) -> None:
        for index, world in self.older:
            everybody = model.universe(world, None, None)
            assert {
                id_ for id_, days_ in zip(HEX, index.lookup(HEX), strict=True) if days_
            } == everybody & set(HEX)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
