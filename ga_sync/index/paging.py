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

import numpy as np
from pyroaring import BitMap

from ga_sync.index.assemble import Ground
from ga_sync.index.evaluate import evaluate
from ga_sync.index.expression import Expression
from ga_sync.index.ids import Numbers, Positions, column
from ga_sync.index.recurring import Window
from ga_sync.index.sets import NO_NUMBERS, numbers, set_of, span

SMALLEST_PIECE = 256
LARGEST_FIRST = 65_536
"""The first piece shows how wrong the guess is; a bitmap is kept in parts of this size."""
TRUSTED = 4
"""The guess weighs as much as so many finds."""
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
    expression, share = ground.plan(expression)
    found: list[Numbers] = []
    count = 0
    for hits in _descend(
        ground, window, expression, below, lambda *known: _next_size(limit, max(share, RAREST), *known)
    ):
        found.append(hits)
        count += len(hits)
        if count > limit:
            break
    ordinals = (found[0] if len(found) == 1 else np.concatenate([NO_NUMBERS, *found]))[:limit]
    ids = ground.layout.strings_at(ordinals)
    return ids, _position(ground, int(ordinals[-1]), ids[-1]) if count > limit else None


def stream(ground: Ground, window: Window, expression: Expression) -> Iterator[tuple[date, list[str]]]:
    """Give all ids in order, in batches of one last-seen day and of at most `EXPORT_WINDOW` ids."""
    expression = ground.plan(expression).expression
    for hits in _descend(ground, window, expression, window.high, lambda *_: EXPORT_WINDOW):
        yield from _named(ground, hits.astype(np.int64))


def _next_size(limit: int, guess: float, left: int, seen: int, found: int) -> int:
    """How many of the ordinals left to look at next, after so many that held so many of the answer.

    The guess weighs as much as `TRUSTED` finds; a third more is looked at than it takes on average.
    """
    share = (found + TRUSTED) / (seen + TRUSTED / guess)
    wanted = int((limit + 1 - found) * 4 / 3 / share)
    if not seen and 2 * wanted < left:
        return max(SMALLEST_PIECE, min(wanted, LARGEST_FIRST))
    return left if 4 * wanted > 3 * left else max(SMALLEST_PIECE, wanted)


def _descend(
    ground: Ground,
    window: Window,
    expression: Expression,
    high: int,
    next_size: Callable[[int, int, int], int],
) -> Iterator[Numbers]:
    """Give the ordinals of the answer below `high`, descending, in pieces."""
    seen = found = 0
    while high > window.low:
        low = max(window.low, high - next_size(high - window.low, seen, found))
        hits = _hits(ground, window, expression, low, high)
        if hits:
            yield numbers(hits)[::-1]
        seen, found, high = seen + high - low, found + len(hits), low


def _hits(ground: Ground, window: Window, expression: Expression, low: int, high: int) -> BitMap:
    """Give the answer between two ordinals: whoever occurs once by its occurrence, whoever recurs by its slot."""
    all_of_it = high - low == window.high - window.low
    within = window.within if all_of_it else span(low, high)
    found = evaluate(expression, ground.leaf, within, covered=window.whole and all_of_it)
    once = found - (
        found & ground.recurring.bitmap
    )  # a few among many are found by leaps, and removed by steps
    few = window.few_between(low, high, expression)
    if few is not None:
        canonical, held, among = few.canonical, few.slots, span(0, len(few.canonical))
    else:
        canonical, held, among = window.canonical, window.held, span(*window.slots_between(low, high))
    slots = evaluate(expression, held, among) if among else among
    return once | set_of(canonical[numbers(slots)]) if slots else once


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
