"""Every answer of the index equals the naive model's: ids on several days, NOT, windows, odd ids, colliding hashes."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ga_sync.index.day import build_day
from ga_sync.index.errors import InvalidWindow
from ga_sync.index.expression import All, Any_, Expression, Not, Segment, is_unbounded
from ga_sync.index.query import MAX_WINDOWS, LinkIndex, Position
from tests.index import model
from tests.index.model import World
from tests.index.worlds import (
    DAYS,
    HEX,
    KEY,
    ODD,
    SEGMENTS,
    built,
    days,
    expressions,
    ids,
    index_of,
    memberships,
    segment_ids,
    widths,
    windows,
    worlds,
)

Window = tuple[date | None, date | None]


def all_pages(index: LinkIndex, expression: Expression, window: Window, limit: int) -> list[list[str]]:
    pages, after = [], None
    while True:
        page, after = index.query(expression, *window, after, limit)
        pages.append(page)
        if after is None:
            return pages


@given(worlds, expressions, windows(), st.integers(1, 5), widths)
def test_pages_hold_every_recording_once_newest_last_seen_day_first(
    world: World, expression: Expression, window: Window, limit: int, bits: int
) -> None:
    pages = all_pages(index_of(world, bits), expression, window, limit)
    listed = [id_ for page in pages for id_ in page]
    assert len(listed) == len(set(listed))
    assert set(listed) == model.answer(world, expression, *window)
    seen = [model.last_seen(world, id_, *window) for id_ in listed]
    assert seen == sorted(seen, reverse=True)
    assert all(len(page) == limit for page in pages[:-1])


@given(worlds, expressions, windows(), widths)
def test_count_and_export_agree_with_the_model(
    world: World, expression: Expression, window: Window, bits: int
) -> None:
    index = index_of(world, bits)
    expected = model.answer(world, expression, *window)
    assert index.count(expression, *window) == len(expected)
    exported = list(index.export(expression, *window))
    assert sorted(exported) == sorted((id_, model.last_seen(world, id_, *window)) for id_ in expected)
    assert [id_ for id_, _ in exported] == [
        id_ for page in all_pages(index, expression, window, 3) for id_ in page
    ]


@given(worlds, expressions, windows(), widths)
def test_count_by_day_is_the_count_of_each_day_alone(
    world: World, expression: Expression, window: Window, bits: int
) -> None:
    assert index_of(world, bits).count_by_day(expression, *window) == model.count_by_day(
        world, expression, *window
    )


@given(worlds, expressions, windows(), widths)
def test_count_by_segment_is_the_count_of_both(
    world: World, expression: Expression, window: Window, bits: int
) -> None:
    asked = [*SEGMENTS, "unknown"]
    expected = [(s, len(model.answer(world, All((expression, Segment(s))), *window))) for s in asked]
    assert index_of(world, bits).count_by_segment(expression, *window, asked) == expected


@given(worlds, expressions, windows(), st.lists(st.sampled_from([*HEX, *ODD, "stranger", "\ud800"])), widths)
def test_match_is_the_truth_of_each_candidate_even_of_strangers(
    world: World, expression: Expression, window: Window, asked: list[str], bits: int
) -> None:
    index = index_of(world, bits)
    held = [model.segments_of_id(world, id_, *window) for id_ in asked]
    assert index.match(expression, asked, *window) == [model.holds(expression, segments) for segments in held]
    assert index.members(asked, *window) == held


@given(worlds, expressions, windows(), st.lists(st.sampled_from([*HEX, *ODD, "stranger"])), widths)
def test_counts_among_candidates_count_each_of_them_once(
    world: World, expression: Expression, window: Window, asked: list[str], bits: int
) -> None:
    index = index_of(world, bits)
    expected = model.answer(world, expression, *window) & set(asked)
    assert index.count_among(expression, asked, *window) == len(expected)
    by_day = model.count_by_day(world, expression, *window, among=asked)
    assert index.count_among_by_day(expression, asked, *window) == by_day
    by_segment = [
        (s, len(model.answer(world, All((expression, Segment(s))), *window) & set(asked))) for s in SEGMENTS
    ]
    assert index.count_among_by_segment(expression, asked, *window, SEGMENTS) == by_segment


@given(
    worlds,
    expressions,
    windows(),
    st.lists(st.tuples(st.sampled_from([*HEX, *ODD, "stranger"]), st.none() | days)),
    st.sets(st.tuples(segment_ids, days)),
)
def test_match3_is_kleenes_logic_over_what_complete_days_rule_out(
    world: World,
    expression: Expression,
    window: Window,
    asked: list[tuple[str, date | None]],
    ruled_out: set[tuple[str, date]],
) -> None:
    def false_on(segment: str, day: date) -> bool:
        return (segment, day) in ruled_out

    expected = [
        model.three_valued(expression, model.segments_of_id(world, id_, *window), day, false_on)
        for id_, day in asked
    ]
    assert index_of(world).match3(expression, asked, *window, false_on) == expected


@given(worlds, st.lists(st.sampled_from([*HEX, *ODD, "stranger"])), segment_ids, widths)
def test_days_of_and_lookup_name_the_days_that_say_so(
    world: World, asked: list[str], segment: str, bits: int
) -> None:
    index = index_of(world, bits)
    assert index.lookup(asked) == [model.known_days(world, id_) for id_ in asked]
    assert [index.days_of(segment, id_) for id_ in asked] == [
        model.days_of(world, segment, id_) for id_ in asked
    ]


@given(worlds, widths)
def test_segment_stats_and_totals_agree_with_the_model(world: World, bits: int) -> None:
    index = index_of(world, bits)
    index.warm()
    expected = {}
    for segment in SEGMENTS:
        on = [d for d in sorted(world) if world[d].get(segment)]
        if on:
            expected[segment] = (len(model.answer(world, Segment(segment), None, None)), on[0], on[-1])
    assert index.segment_stats() == expected
    assert index.segments == frozenset(expected)
    assert index.days == tuple(sorted(world))
    assert index.recordings == len(model.universe(world, None, None))
    assert index.nbytes > 0


changes = st.lists(st.tuples(days, st.none() | memberships), min_size=1, max_size=14)


@given(worlds, changes, expressions, windows(), widths)
@settings(max_examples=150)
def test_a_patched_index_equals_one_assembled_anew_and_the_old_one_stays(
    world: World,
    steps: list[tuple[date, dict[str, set[str]] | None]],
    expression: Expression,
    window: Window,
    bits: int,
) -> None:
    index, now, seen = index_of(world, bits), dict(world), []
    for day, segments in steps:
        seen.append((index, dict(now)))
        index = index.patched(day, None if segments is None else build_day(segments, KEY, bits))
        now.pop(day, None)
        if segments is not None:
            now[day] = segments
    fresh = index_of(now, bits)
    assert index.days == fresh.days
    assert index.segments == fresh.segments
    assert index.recordings == fresh.recordings
    assert list(index.export(expression, *window)) == list(fresh.export(expression, *window))
    assert index.lookup([*HEX, *ODD]) == fresh.lookup([*HEX, *ODD])
    assert index.match(expression, [*HEX, *ODD], *window) == fresh.match(expression, [*HEX, *ODD], *window)
    for old, then in seen:
        assert old.count(expression, *window) == len(model.answer(then, expression, *window))
        assert old.lookup(HEX) == [model.known_days(then, id_) for id_ in HEX]


@given(worlds, st.lists(st.tuples(days, st.none() | memberships), max_size=5), expressions, windows(), widths)
def test_ids_whose_last_seen_day_stays_come_exactly_once_under_syncs_between_pages(
    world: World,
    steps: list[tuple[date, dict[str, set[str]] | None]],
    expression: Expression,
    window: Window,
    bits: int,
) -> None:
    index, now, states = index_of(world, bits), dict(world), [dict(world)]
    listed: list[str] = []
    after: Position | None = None
    waiting = list(steps)
    while True:
        page, after = index.query(expression, *window, after, 2)
        listed += page
        if after is None:
            break
        if waiting:
            day, segments = waiting.pop(0)
            index = index.patched(day, None if segments is None else build_day(segments, KEY, bits))
            now.pop(day, None)
            now |= {} if segments is None else {day: segments}
            states.append(dict(now))
    always = set.intersection(*(model.answer(state, expression, *window) for state in states))
    steady = {id_ for id_ in always if len({model.last_seen(state, id_, *window) for state in states}) == 1}
    for id_ in steady:
        assert listed.count(id_) == 1


@given(worlds)
def test_the_order_within_a_day_does_not_depend_on_what_else_the_index_holds(world: World) -> None:
    whole = index_of(world)
    anyone = Any_(tuple(map(Segment, SEGMENTS)))
    for at, segments in world.items():
        alone = index_of({at: segments})
        assert list(whole.export(anyone, at, at)) == list(alone.export(anyone, None, None))


def test_a_window_that_begins_after_it_ends_is_refused() -> None:
    index = index_of({})
    with pytest.raises(InvalidWindow, match="Swap them"):
        index.count(Segment("1"), DAYS[1], DAYS[0])
    with pytest.raises(InvalidWindow):
        index.count_by_day(Segment("1"), DAYS[1], DAYS[0])
    with pytest.raises(InvalidWindow):
        index.export(Segment("1"), DAYS[1], DAYS[0])  # at once, not with the first line


def test_an_empty_index_answers_nothing_and_knows_nobody() -> None:
    index = index_of({})
    assert index.query(Segment("1"), None, None, None, 10) == ([], None)
    assert index.query(Segment("1"), None, None, Position(DAYS[0], "a"), 10) == ([], None)
    assert index.match(Not(Segment("1")), ["a"], None, None) == [True]
    assert index.lookup(["a"]) == [()]
    assert index.segment_stats() == {}
    assert index.patched(DAYS[0], None).days == ()


def test_a_day_in_which_nobody_is_in_any_segment_still_counts_as_a_day() -> None:
    index = index_of({DAYS[0]: {}, DAYS[1]: {"1": {"a"}}})
    assert index.count_by_day(Segment("1"), None, None) == [(DAYS[0], 0), (DAYS[1], 1)]
    assert index.query(Segment("1"), None, None, None, 10) == (["a"], None)


def test_more_windows_than_are_kept_are_all_answered() -> None:
    world = {day: {"1": {"a", str(day)}} for day in DAYS}
    index = index_of(world)
    pairs = [(frm, to) for frm in DAYS for to in DAYS if frm <= to]
    assert len(pairs) > MAX_WINDOWS
    for frm, to in pairs * 2:
        assert index.count(Segment("1"), frm, to) == len(model.answer(world, Segment("1"), frm, to))


def test_monday_in_a_and_tuesday_in_b_is_in_both() -> None:
    index = index_of({DAYS[0]: {"A": {"x"}}, DAYS[1]: {"B": {"x"}}})
    assert index.query(All((Segment("A"), Segment("B"))), None, None, None, 5) == (["x"], None)
    assert index.count(All((Segment("B"), Not(Segment("A")))), None, None) == 0
    assert index.count(All((Segment("B"), Not(Segment("A")))), DAYS[1], DAYS[1]) == 1


def big_world(bits: int) -> tuple[World, LinkIndex]:
    """Some thousands of recordings a day, so that windows of ordinals and comparisons by arrays are used."""
    world: World = {}
    for number, day in enumerate(DAYS):
        names = [f"{number * 4500 + n:032x}" for n in range(5000)] + [
            f"odd-{number * 90 + n}" for n in range(100)
        ]
        world[day] = {
            s: {id_ for id_ in names if (hash_of(id_) >> shift) % 3 == 0} for shift, s in enumerate(SEGMENTS)
        }
    return world, index_of(world, bits)


def hash_of(text: str) -> int:
    return sum(ord(character) * (17 + place) for place, character in enumerate(text))


@pytest.mark.parametrize("bits", [64, 12])
def test_thousands_of_recordings_are_answered_as_the_model_answers(bits: int) -> None:
    world, index = big_world(bits)
    expression = All((Any_((Segment("1"), Segment("2"))), Not(Segment("3"))))
    for window in [(None, None), (DAYS[1], DAYS[3])]:
        expected = model.answer(world, expression, *window)
        assert {id_ for page in all_pages(index, expression, window, 700) for id_ in page} == expected
        assert index.count(expression, *window) == len(expected)
        asked = [*sorted(model.universe(world, None, None))[::7], "stranger", "f" * 32]
        assert index.match(expression, asked, *window) == [id_ in expected for id_ in asked]
    patched = index.patched(DAYS[2], built({DAYS[2]: world[DAYS[3]]}, bits)[DAYS[2]])
    assert patched.count(expression, None, None) == len(
        model.answer({**world, DAYS[2]: world[DAYS[3]]}, expression, None, None)
    )
    assert patched.match(expression, asked, None, None) == [
        model.holds(expression, model.segments_of_id({**world, DAYS[2]: world[DAYS[3]]}, id_))
        for id_ in asked
    ]


def test_a_page_of_many_days_names_everybody_also_where_days_were_replaced() -> None:
    world: World = {
        day: {
            "1": {f"{400 * number + n:032x}" for n in range(4)},
            "2": {f"{400 * number + n:032x}" for n in range(300)},
        }
        for number, day in enumerate(DAYS)
    }
    new = {"1": {f"{9_000 + n:032x}" for n in range(3)}, "2": {f"{9_000 + n:032x}" for n in range(200)}}
    whole = index_of(world)
    patched = whole.patched(DAYS[2], built({DAYS[2]: new})[DAYS[2]])
    for index, held in ((whole, world), (patched, world | {DAYS[2]: new})):
        page, after = index.query(Segment("1"), None, None, None, 50)
        assert after is None
        assert page == [id_ for id_, _ in index.export(Segment("1"), None, None)]
        assert sorted(page) == sorted(id_ for segments in held.values() for id_ in segments["1"])


@given(worlds, expressions, ids)
def test_a_bounded_filter_is_never_true_of_a_stranger(world: World, expression: Expression, id_: str) -> None:
    index = index_of(world)
    stranger = f"stranger to {id_}"[:100]
    assert index.match(expression, [stranger], None, None) == [is_unbounded(expression)]
