"""A filter's recordings in order, page by page, and all of them as a stream.

The order is last-seen day descending, and within a day the day's own order from its end. That is ordinals from the
top down, so a page is found by evaluating in windows from the newest end: 4,096 ordinals, then as many as the share
found so far says, until it is full. A frequent filter ends in the first window; a rare one pays for three or four.
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
from ga_sync.index.ids import Numbers, Positions
from ga_sync.index.recurring import Window
from ga_sync.index.sets import numbers, set_of, span

FIRST_WINDOW = 4096
GROWTH = 16
TRUSTED = 8
"""A share found in so many ordinals is believed for so many times as many: a rare filter's first find says little."""
EXPORT_WINDOW = 65_536


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a recording in the order of answers: it does not depend on the generation.

    Attributes:
        day: Its last-seen day in the window asked.
        hash: Its keyed hash.
        recording_id: The id itself, for two that share a hash.
    """

    day: date
    hash: int
    recording_id: str


def page(
    ground: Ground, window: Window, expression: Expression, after: Position | None, limit: int
) -> tuple[list[str], Position | None]:
    """Give up to `limit` ids behind a position, and the position of the last where more follow."""
    below = window.high if after is None else min(window.high, _below(ground, after))
    found, count = [np.empty(0, np.uint32)], 0
    for hits in _descend(ground, window, expression, below, lambda *known: _next_size(limit, *known)):
        found.append(hits[: limit + 1 - count])
        count += len(found[-1])
        if count > limit:
            break
    ordinals = np.concatenate(found)[:limit].astype(np.int64)
    ids = [id_ for _, part in _named(ground, ordinals) for id_ in part]
    return ids, _position(ground, int(ordinals[-1]), ids[-1]) if count > limit else None


def stream(ground: Ground, window: Window, expression: Expression) -> Iterator[tuple[date, list[str]]]:
    """Give all ids in order, in batches of one last-seen day and of at most `EXPORT_WINDOW` ids."""
    for hits in _descend(ground, window, expression, window.high, lambda *_: EXPORT_WINDOW):
        yield from _named(ground, hits.astype(np.int64))


def _next_size(limit: int, seen: int, found: int) -> int:
    """How many ordinals to look at next, after so many that held so many of the answer."""
    if not seen:
        return FIRST_WINDOW
    if not found:
        return seen * GROWTH
    wanted = (limit + 1 - found) * seen * 4 // (found * 3)  # a third more than the share so far says
    return max(FIRST_WINDOW, min(wanted, seen * TRUSTED))


def _descend(
    ground: Ground, window: Window, expression: Expression, high: int, next_size: Callable[[int, int], int]
) -> Iterator[Numbers]:
    """Give the ordinals of the answer below `high`, descending, in pieces."""
    seen = found = 0
    while high > window.low:
        low = max(window.low, high - next_size(seen, found))
        hits = _hits(ground, window, expression, low, high)
        if hits:
            yield numbers(hits)[::-1]
        seen, found, high = seen + high - low, found + len(hits), low


def _hits(ground: Ground, window: Window, expression: Expression, low: int, high: int) -> BitMap:
    """Give the answer between two ordinals: whoever occurs once by its occurrence, whoever recurs by its slot."""
    once = evaluate(expression, ground.leaf, span(low, high)) - ground.recurring.bitmap
    few = window.few_between(low, high, expression)
    if few is not None:
        if not len(few.canonical):
            return once
        slots = evaluate(expression, few.slots, span(0, len(few.canonical)))
        return once | set_of(few.canonical[numbers(slots)])
    first, last = window.slots_between(low, high)
    slots = evaluate(expression, window.slots, span(first, last))
    return once | set_of(window.canonical[numbers(slots)])


def _named(ground: Ground, ordinals: Positions) -> Iterator[tuple[date, list[str]]]:
    layout = ground.layout
    for number, positions in layout.runs(ordinals):
        yield layout.days[number], layout.blocks[number].ids.strings(positions)


def _position(ground: Ground, ordinal: int, recording_id: str) -> Position:
    layout = ground.layout
    number = layout.block_of(ordinal)
    hashed = layout.blocks[number].hashes[ordinal - int(layout.bounds[number])]
    return Position(layout.days[number], int(hashed), recording_id)


def _below(ground: Ground, after: Position) -> int:
    """Give the ordinal that everything behind the position lies below, whether or not its recording is still there."""
    layout = ground.layout
    number = bisect_left(layout.days, after.day)
    if number == len(layout.days) or layout.days[number] != after.day:
        return int(layout.bounds[number])
    block, utf8 = layout.blocks[number], after.recording_id.encode()
    place = int(block.hashes.searchsorted(np.uint64(after.hash)))
    while place < len(block.ids) and block.hashes[place] == after.hash and block.ids.utf8(place) < utf8:
        place += 1
    return int(layout.bounds[number]) + place
