"""How many recordings a filter is true of: in all, by day, by segment. Exact, without listing them."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from pyroaring import BitMap

from ga_sync.index.assemble import Ground
from ga_sync.index.evaluate import Plan, among, count_among
from ga_sync.index.expression import Expression
from ga_sync.index.recurring import Window


class SegmentStats(NamedTuple):
    """One segment over all days held.

    Attributes:
        recordings: How many distinct recordings are in it.
        first_day: The oldest day on which somebody is in it.
        last_day: The newest.
    """

    recordings: int
    first_day: date
    last_day: date


def _occurrences(ground: Ground, window: Window, plan: Plan) -> BitMap:
    """Give the ordinals of the window at which the filter is true of that day alone."""
    return among(plan.prepared, ground.leaf, window.within, covered=window.whole)


def total(ground: Ground, window: Window, expression: Expression) -> int:
    """Count the recordings: every occurrence, but those that recur once, by their slot, and not by occurrences."""
    plan = ground.plan(expression)
    asked = window.asked(plan)
    occurrences = count_among(plan.counted, ground.leaf, window.within, covered=window.whole)
    apart = count_among(asked.apart_counted, window.apart, window.all_apart, covered=True)
    return occurrences - apart + count_among(asked.slots_counted, window.held, window.all_slots, covered=True)


def by_day(
    ground: Ground, days: tuple[int, int], window: Window, expression: Expression
) -> list[tuple[date, int]]:
    """Count for each day what the count with from = to = that day is: no union over days, so occurrences suffice."""
    found = _occurrences(ground, window, ground.plan(expression))
    layout = ground.layout
    bounds = layout.bounds.tolist()
    return [
        (layout.days[number], found.range_cardinality(*bounds[number : number + 2]))
        for number in range(*days)
    ]


def by_segment(
    ground: Ground, window: Window, expression: Expression, segment_ids: Iterable[str]
) -> list[tuple[str, int]]:
    """Count for each segment the recordings that the filter is true of and that are in the segment."""
    plan = ground.plan(expression)
    once = _occurrences(ground, window, plan) - window.occurrences
    slots = among(window.asked(plan).slots, window.held, window.all_slots, covered=True)
    return [
        (
            segment,
            once.intersection_cardinality(ground.leaf(segment))
            + slots.intersection_cardinality(window.held(segment)),
        )
        for segment in segment_ids
    ]


def stats(ground: Ground, window: Window) -> dict[str, SegmentStats]:
    """Sum up each segment, over the window of all days."""
    layout = ground.layout
    return {
        segment: SegmentStats(
            len(members) + len(window.held(segment)) - len(window.apart(segment)),
            layout.days[layout.block_of(members.min())],
            layout.days[layout.block_of(members.max())],
        )
        for segment, members in sorted(ground.bitmaps.items())
    }
