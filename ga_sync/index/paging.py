"""A filter's recordings in order, page by page, and all of them as a stream.

The order is last-seen day descending, and within a day the day's own order from its end. That is ordinals from the
top down, so a page is found by evaluating in pieces from the newest end: how large the first is, the sizes of the
segments say as if they were independent, and of the next, what was found. A frequent filter ends in a piece of some
hundred ordinals; one that is nearly never true is evaluated whole at once.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from math import sqrt

import numpy as np
from pyroaring import BitMap

from ga_sync.index.assemble import Ground
from ga_sync.index.evaluate import Plan, among, evaluate
from ga_sync.index.expression import Expression
from ga_sync.index.ids import Numbers, Positions, column
from ga_sync.index.recurring import Window
from ga_sync.index.sets import NO_NUMBERS, numbers, span

SMALLEST_PIECE = 256
LARGEST_FIRST = 65_536
"""The first piece shows how wrong the guess is; a bitmap is kept in parts of this size."""
TRUSTED = 4
"""The guess weighs as much as so many finds."""
DEAR = 8 * 65_536
"""To look at so many ordinals takes about as long as what a piece takes besides."""
A_FEW = 16
"""So few may be missing that a piece for them alone should be the last."""
NEARLY_ALL = 0.9
"""Where so much is wanted of what is left, all of it is looked at: to cut it costs more than it spares."""
RAREST = 1e-9
"""No filter is guessed to be true of less: a segment without members has no share at all."""
EXPORT_WINDOW = 65_536


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a recording in the order of answers: it does not depend on the generation.

    Attributes:
        day: Its last-seen day in the window asked.
        recording_id: The id itself; its place within the day follows from it and the link's key.
    """

    day: date
    recording_id: str


def page(
    ground: Ground, window: Window, expression: Expression, after: Position | None, limit: int
) -> tuple[list[str], Position | None]:
    """Give up to `limit` ids behind a position, and the position of the last where more follow."""
    below = window.high if after is None else min(window.high, _below(ground, after))
    plan = ground.plan(expression)
    guess = max(plan.share, RAREST)
    found: list[Numbers] = []
    count = 0
    for hits in _descend(ground, window, plan, below, lambda *known: _next_size(limit, guess, *known)):
        found.append(hits)
        count += len(hits)
        if count > limit:
            break
    ordinals = (found[0] if len(found) == 1 else np.concatenate([NO_NUMBERS, *found]))[:limit]
    ids = ground.layout.strings_at(ordinals)
    return ids, _position(ground, int(ordinals[-1]), ids[-1]) if count > limit else None


def stream(ground: Ground, window: Window, expression: Expression) -> Iterator[tuple[date, list[str]]]:
    """Give all ids in order, in batches of one last-seen day and of at most `EXPORT_WINDOW` ids."""
    for hits in _descend(ground, window, ground.plan(expression), window.high, lambda *_: EXPORT_WINDOW):
        yield from _named(ground, hits.astype(np.int64))


def _next_size(limit: int, guess: float, left: int, seen: int, found: int) -> int:
    """How many of the ordinals left to look at next, after so many that held so many of the answer.

    The guess weighs as much as `TRUSTED` finds. To what it takes on average some standard deviations are added where
    ordinals are cheap beside one more piece, and hardly anything where they are dear.
    """
    share = (found + TRUSTED) / (seen + TRUSTED / guess)
    missing = limit + 1 - found
    mean = missing / share
    spread = 0.3 if mean > DEAR and missing > A_FEW else 2.5
    wanted = int(mean + spread * sqrt(missing) / share)
    if not seen and 4 * wanted < left:
        return max(SMALLEST_PIECE, min(wanted, LARGEST_FIRST))
    return left if wanted > NEARLY_ALL * left else max(SMALLEST_PIECE, wanted)


def _descend(
    ground: Ground, window: Window, plan: Plan, high: int, next_size: Callable[[int, int, int], int]
) -> Iterator[Numbers]:
    """Give the ordinals of the answer below `high`, descending, in pieces."""
    seen = found = 0
    while high > window.low:
        low = max(window.low, high - next_size(high - window.low, seen, found))
        hits = _hits(ground, window, plan, low, high)
        if len(hits):
            yield hits[::-1]
        seen, found, high = seen + high - low, found + len(hits), low


def _hits(ground: Ground, window: Window, plan: Plan, low: int, high: int) -> Numbers:
    """Give the answer between two ordinals: whoever occurs once by its occurrence, whoever recurs by its slot."""
    all_of_it = high - low == window.high - window.low
    within = window.within if all_of_it else span(low, high)
    found = among(plan.prepared, ground.leaf, within, covered=window.whole and all_of_it)
    recurring = ground.recurring.bitmap
    once = numbers(found - (found & recurring))  # a few among many are found by leaps, and removed by steps
    again = _again(window, plan, low, high)
    if not len(again):
        return once
    both = np.concatenate([once, again])
    both.sort(kind="stable")  # two ascending runs are joined in one walk
    return both


def _again(window: Window, plan: Plan, low: int, high: int) -> Numbers:
    """Give the ordinals of whoever recurs and has its slot between two ordinals, ascending."""
    few = window.few_between(low, high, plan)
    if few is None:
        canonical, slots = window.canonical, _slots(window, plan, low, high)
    else:
        canonical = few.canonical
        slots = evaluate(plan.expression, few.slots, span(0, len(canonical)))
    ordinals: Numbers = canonical[numbers(slots)] if slots else NO_NUMBERS
    return ordinals


def _slots(window: Window, plan: Plan, low: int, high: int) -> BitMap:
    first, last = window.slots_between(low, high)
    all_of_them = last - first == len(window.canonical)
    slots = window.all_slots if all_of_them else span(first, last)
    return among(window.asked(plan).slots, window.held, slots, covered=all_of_them)


def _named(ground: Ground, ordinals: Positions) -> Iterator[tuple[date, list[str]]]:
    layout = ground.layout
    for number, positions in layout.runs(ordinals):
        yield layout.days[number], layout.blocks[number].ids.strings(positions)


def _position(ground: Ground, ordinal: int, recording_id: str) -> Position:
    layout = ground.layout
    return Position(layout.days[layout.block_of(ordinal)], recording_id)


def _below(ground: Ground, after: Position) -> int:
    """Give the ordinal that everything behind the position lies below, whether or not its recording is still there."""
    layout = ground.layout
    number = bisect_left(layout.days, after.day)
    if number == len(layout.days) or layout.days[number] != after.day:
        return int(layout.bounds[number])
    ids, key = layout.blocks[number].ids, column([after.recording_id], layout.cipher).sort_key(0)
    place = int(ids.leads.searchsorted(np.uint64(key[0])))
    while place < len(ids) and ids.sort_key(place) < key:
        place += 1
    return int(layout.bounds[number]) + place
