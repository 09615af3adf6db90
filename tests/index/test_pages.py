"""However a page is found — piece by piece, by a few recordings or by slots, wide or narrow — it is the same page."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from ga_sync.index.evaluate import WIDE, evaluate
from ga_sync.index.expression import All, Any_, Expression, Not, Segment
from ga_sync.index.recurring import OFTEN
from ga_sync.index.sets import span
from tests.index import model
from tests.index.worlds import DAYS, SEGMENTS, expressions, index_of

A, B, C = Segment("1"), Segment("2"), Segment("3")
held = st.dictionaries(st.sampled_from(SEGMENTS), st.sets(st.integers(0, 2 * WIDE), max_size=30))


@given(segments=held, expression=expressions, covered=st.booleans())
def test_a_wide_universe_gives_what_its_parts_give(
    segments: dict[str, set[int]], expression: Expression, *, covered: bool
) -> None:
    leaves = {name: BitMap(members) for name, members in segments.items()}

    def leaf(name: str) -> BitMap:
        return leaves.get(name, BitMap())

    end = 2 * WIDE + 1 if covered else WIDE
    narrow = [
        evaluate(expression, leaf, span(low, min(end, low + WIDE // 2))) for low in range(0, end, WIDE // 2)
    ]
    assert evaluate(expression, leaf, span(0, end), covered=covered) == BitMap.union(*narrow)


@pytest.mark.parametrize(
    "expression",
    [
        All((A, B)),
        All((A, B, C, Not(A))),
        All((A, Not(B))),
        All(
            (A, Any_((B, C))),
        ),
    ],
)
def test_several_segments_of_a_wide_universe_are_joined_before_it_is(expression: Expression) -> None:
    leaves = {"1": BitMap([1, 2, 3, WIDE]), "2": BitMap([2, 3, WIDE]), "3": BitMap([3])}
    wide = evaluate(expression, leaves.__getitem__, span(0, WIDE))
    assert wide == evaluate(expression, leaves.__getitem__, span(0, 10))
    assert leaves == {"1": BitMap([1, 2, 3, WIDE]), "2": BitMap([2, 3, WIDE]), "3": BitMap([3])}


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
