"""However a page is found — piece by piece, by a few recordings or by slots, wide or narrow — it is the same page."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from ga_sync.index import paging
from ga_sync.index.assemble import MAX_PLANS
from ga_sync.index.day import build_day_from_columns
from ga_sync.index.evaluate import LEAP, among, count_among, evaluate, plan
from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from ga_sync.index.paging import DEAR, LARGEST_FIRST
from ga_sync.index.query import LinkIndex, Position
from ga_sync.index.recurring import FEW, MAX_ASKED, OFTEN
from ga_sync.index.sets import span, written_union
from tests.index import model
from tests.index.worlds import DAYS, KEY, SEGMENTS, expressions, index_of

A, B, C, D, E = Segment("1"), Segment("2"), Segment("3"), Segment("44"), Segment("E")
PIECE = 1 << 16
held = st.dictionaries(st.sampled_from(SEGMENTS), st.sets(st.integers(0, 2 * PIECE), max_size=30))


@given(segments=held, expression=expressions, covered=st.booleans())
def test_a_plan_gives_what_the_filter_says_of_each_number(
    segments: dict[str, set[int]], expression: Expression, *, covered: bool
) -> None:
    leaves = {name: BitMap(members) for name, members in segments.items()}

    def leaf(name: str) -> BitMap:
        return leaves.get(name, BitMap())

    low, high = (0, 2 * PIECE + 1) if covered else (10, PIECE)
    planned = plan(expression, leaf, 2 * PIECE + 1)
    within = span(low, high)
    found = evaluate(planned.expression, leaf, within, covered=covered)
    numbers = {number for members in segments.values() for number in members} | {low, high - 1}
    for number in numbers & set(range(low, high)):
        inside = {name for name, members in segments.items() if number in members}
        assert (number in found) == model.holds(expression, inside)
    assert found == evaluate(expression, leaf, within)
    assert among(planned.prepared, leaf, within, covered=covered) == found
    assert count_among(planned.counted, leaf, within, covered=covered) == len(found)
    assert 0 <= planned.share <= 1
    assert leaves == {name: BitMap(members) for name, members in segments.items()}
    assert within == span(low, high)


def test_a_plan_begins_with_what_is_smallest_and_ends_with_what_removes() -> None:
    leaves = {"1": span(0, 9), "2": span(0, 5), "3": span(0, 2), "44": span(0, 1)}
    expression = All((Not(D), Any_((A, C)), A, Not(All((A, B))), B))
    planned = plan(expression, leaves.__getitem__, 10)
    assert planned.expression == All((B, A, Any_((A, C)), Not(All((B, A))), Not(D)))
    assert planned.share == pytest.approx(0.9 * (1 - 0.1 * 0.8) * 0.9 * (1 - 0.45) * 0.5)


@pytest.mark.parametrize("many", [1, 3 * LEAP])
def test_a_few_are_removed_from_many_as_many_from_a_few(many: int) -> None:
    leaves = {"1": BitMap([1, 2, 70_000]), "2": BitMap([2, 70_000, *range(100_000, 100_000 + many)])}
    assert evaluate(All((A, Not(B))), leaves.__getitem__, span(0, 1 << 20)) == BitMap([1])
    assert leaves["1"] == BitMap([1, 2, 70_000])


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize(
    "expression",
    [
        A,
        Not(A),
        All((A, B)),
        All((A, Not(B))),
        All((A, Not(B), Not(D))),
        All((A, B, Not(C))),
        All((A, B, C, Not(D), Not(E))),
        All((A, D, Not(B), Not(C))),
        All((D, E, Not(A))),
        All((A, Any_((B, D)), Not(C), Not(E))),
        All((A, Not(All((B, C))), Not(D))),
        Any_((All((A, B)), D)),
    ],
)
def test_many_and_few_are_found_removed_and_counted_alike(expression: Expression, *, covered: bool) -> None:
    steps = {"1": 2, "2": 3, "3": 5, "44": 601, "E": 307}
    leaves = {name: BitMap(range(0, 3 * PIECE, step)) for name, step in steps.items()}
    before = {name: BitMap(members) for name, members in leaves.items()}
    low, high = (0, 3 * PIECE) if covered else (1_000, PIECE + 5)
    planned, within = plan(expression, leaves.__getitem__, 3 * PIECE), span(low, high)
    expected = [
        number
        for number in range(low, high)
        if model.holds(expression, {name for name, step in steps.items() if number % step == 0})
    ]
    found = among(planned.prepared, leaves.__getitem__, within, covered=covered)
    assert list(found) == expected
    assert count_among(planned.counted, leaves.__getitem__, within, covered=covered) == len(expected)
    assert leaves == before
    assert within == span(low, high)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_union_that_is_written_down_is_read_again(count: int) -> None:
    parts = [BitMap(range(0, 1 << 20, 3)), BitMap(range(5_000, 300_000)), BitMap()][-count:]
    expected = {number for part in parts for number in part}
    assert set(BitMap.deserialize(written_union(parts))) == expected


@pytest.fixture(scope="module")
def large() -> LinkIndex:
    """Three days whose segments keep to no rule: together, apart, and in some parts of a day only."""
    size, days = 2 * LARGEST_FIRST, {}
    for at, day in enumerate(DAYS[:3]):
        numbers = np.arange(size)
        names = [f"{number + at * (size - 500):032x}" for number in range(size)]  # some hundred on two days
        segments = {
            "1": numbers[numbers % 2 == at % 2],
            "2": numbers[numbers % 2 != at % 2],
            "3": numbers[numbers % 601 == 0] if at != 1 else numbers[:0],
            "44": numbers[numbers % 1202 == 0],
        }
        days[day] = build_day_from_columns(names, segments, KEY)
    return LinkIndex.assemble(days, KEY)


def walked(index: LinkIndex, expression: Expression, to: date | None, limit: int) -> list[str]:
    after: Position | None = None
    ids: list[str] = []
    while True:
        page, after = index.query(expression, None, to, after, limit)
        ids += page
        assert len(page) == limit or after is None
        if after is None:
            return ids


@pytest.mark.parametrize("dear", [1, DEAR])
@pytest.mark.parametrize("to", [None, DAYS[1]])
@pytest.mark.parametrize(
    "expression",
    [
        C,
        All((A, B)),  # only who came again, however many are guessed
        All((A, C)),
        All((C, D)),  # as many as the smaller has, where far fewer are guessed
        All((A, C, D, Not(B))),
        Any_((D, All((A, B, C)))),
        All((C, Not(A), Not(B))),
        Segment("unknown"),
    ],
)
def test_whatever_is_guessed_of_a_filter_its_pages_are_what_the_export_says(
    large: LinkIndex, monkeypatch: pytest.MonkeyPatch, expression: Expression, to: date | None, dear: int
) -> None:
    monkeypatch.setattr(paging, "DEAR", dear)
    exported = [id_ for id_, _ in large.export(expression, None, to)]
    assert len(exported) == len(set(exported)) == large.count(expression, None, to)
    for limit in (7, 50, 5_000):
        assert walked(large, expression, to, limit) == exported


def test_filters_beyond_those_that_are_kept_answer_as_before() -> None:
    index = index_of({DAYS[0]: {"1": {"a", "b"}, "2": {"b"}}})
    for number in range(max(MAX_PLANS, MAX_ASKED) + 2):
        index.count(Any_((A, Segment(str(1_000 + number)))), None, None)
    assert index.query(All((A, B)), None, None, None, 5) == (["b"], None)


def test_many_who_recur_are_answered_at_the_first_question_as_few_are() -> None:
    ids = {f"id-{number}" for number in range(FEW + 1)}
    index = index_of({DAYS[0]: {"1": ids, "3": {"id-7"}}, DAYS[1]: {"1": ids, "2": ids}})
    found, after = index.query(All((A, B, Not(C))), None, None, None, 2 * FEW)
    assert len(found) == FEW
    assert set(found) == ids - {"id-7"}
    assert after is None


def test_a_window_that_is_asked_often_answers_as_it_did_at_first() -> None:
    names = [f"id-{number}" for number in range(40)]
    world = {
        day: {
            s: {id_ for n, id_ in enumerate(names) if (n + at * (shift + 2)) % (shift + 2) == 0}
            for shift, s in enumerate(SEGMENTS)
        }
        for at, day in enumerate(DAYS)
    }
    index, expression = index_of(world), All((Any_((A, B)), Not(C)))
    asked: list[tuple[date | None, date | None]] = [(None, None), (DAYS[1], DAYS[3])]
    for window in asked:
        expected = model.answer(world, expression, *window)
        pages = [index.query(expression, *window, None, 100) for _ in range(OFTEN + 5)]
        assert set(pages[0][0]) == expected
        assert all(page == pages[0] for page in pages)
