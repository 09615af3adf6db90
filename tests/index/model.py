"""The naive model of the filter index: days of segments of ids, and Python sets. Slow, and obviously right."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from ga_sync.index.expression import All, Any_, Expression, Not, Segment

World = dict[date, dict[str, set[str]]]
"""Day → segment → recording ids."""

EPOCH = date(2026, 9, 1)


def day(number: int) -> date:
    return EPOCH + timedelta(days=number)


def used_days(world: World, frm: date | None, to: date | None) -> list[date]:
    return [d for d in sorted(world) if (frm is None or d >= frm) and (to is None or d <= to)]


def segments_of_id(world: World, recording: str, frm: date | None = None, to: date | None = None) -> set[str]:
    days = used_days(world, frm, to)
    return {segment for d in days for segment, ids in world[d].items() if recording in ids}


def holds(expression: Expression, segments: set[str]) -> bool:
    if isinstance(expression, Segment):
        return expression.segment_id in segments
    if isinstance(expression, Not):
        return not holds(expression.part, segments)
    if isinstance(expression, All):
        return all(holds(part, segments) for part in expression.parts)
    assert isinstance(expression, Any_)
    return any(holds(part, segments) for part in expression.parts)


def universe(world: World, frm: date | None, to: date | None) -> set[str]:
    return {id_ for d in used_days(world, frm, to) for ids in world[d].values() for id_ in ids}


def answer(world: World, expression: Expression, frm: date | None, to: date | None) -> set[str]:
    """Who, among the recordings of the window, the filter is true of."""
    return {id_ for id_ in universe(world, frm, to) if holds(expression, segments_of_id(world, id_, frm, to))}


def last_seen(world: World, recording: str, frm: date | None, to: date | None) -> date:
    return max(d for d in used_days(world, frm, to) if any(recording in ids for ids in world[d].values()))


def days_of(world: World, segment: str, recording: str) -> list[date]:
    return [d for d in sorted(world) if recording in world[d].get(segment, set())]


def known_days(world: World, recording: str) -> tuple[date, ...]:
    return tuple(d for d in sorted(world) if any(recording in ids for ids in world[d].values()))


def count_by_day(
    world: World,
    expression: Expression,
    frm: date | None,
    to: date | None,
    among: Iterable[str] | None = None,
) -> list[tuple[date, int]]:
    kept = None if among is None else set(among)
    found = ((d, answer(world, expression, d, d)) for d in used_days(world, frm, to))
    return [(d, len(ids if kept is None else ids & kept)) for d, ids in found]


def three_valued(
    expression: Expression, segments: set[str], own_day: date | None, false_on: Callable[[str, date], bool]
) -> bool | None:
    """Kleene's logic, spelled out."""
    if isinstance(expression, Segment):
        if expression.segment_id in segments:
            return True
        return False if own_day is None or false_on(expression.segment_id, own_day) else None
    if isinstance(expression, Not):
        inner = three_valued(expression.part, segments, own_day, false_on)
        return None if inner is None else not inner
    values = [three_valued(part, segments, own_day, false_on) for part in expression.parts]
    decisive = isinstance(expression, Any_)
    if decisive in values:
        return decisive
    return None if None in values else not decisive
