"""All days of a link in memory, side by side: the ground that every answer stands on.

Each occurrence of a recording on a day has an *ordinal*: days ascending, and within the day the day's own order. Per
segment one bitmap over all ordinals says on which days who is in it. Nothing here is ever changed: replacing a day
gives a new value that shares with the old one what is the same, and answers already under way go on from the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from pyroaring import BitMap

from ga_sync.index.bitmaps import Bitmaps, Gap
from ga_sync.index.codec import DayData
from ga_sync.index.evaluate import Plan, plan
from ga_sync.index.expression import Expression
from ga_sync.index.ids import IdCipher, Positions, column
from ga_sync.index.layout import Block, Layout, lay_out
from ga_sync.index.recurring import Recurring, find_recurring
from ga_sync.index.sets import NOBODY, size_of, written_union

MAX_PLANS = 128
"""So many filters are kept as they are best evaluated: the largest take some kilobytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """All that is known of a link's memberships, from exactly one generation.

    Attributes:
        layout: Days and ids.
        bitmaps: Segment id → the ordinals at which somebody is in it; only segments with members.
        recurring: The recordings that occur on several days.
        plans: Filters asked lately, as they are best evaluated here.
    """

    layout: Layout
    bitmaps: Bitmaps
    recurring: Recurring
    plans: dict[Expression, Plan] = field(default_factory=dict)

    def plan(self, expression: Expression) -> Plan:
        """Give the filter as it is best evaluated; the last few are kept."""
        known = self.plans.get(expression)
        if known is None:
            if len(self.plans) >= MAX_PLANS:
                self.plans.clear()
            known = self.plans[expression] = plan(expression, self.leaf, self.layout.size)
        return known

    def leaf(self, segment_id: str) -> BitMap:
        """Give the ordinals in a segment; none for a segment that is not known."""
        return self.bitmaps.get(segment_id, NOBODY)

    def find(self, ids: Sequence[str]) -> tuple[Positions, Positions]:
        """Find every occurrence of these ids: which of them, and an ordinal."""
        return self.layout.find(column(ids, self.layout.cipher))

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, within a few percent."""
        sets = self.bitmaps.nbytes + size_of(self.recurring.bitmap)
        return self.layout.nbytes + sets + self.recurring.nbytes


def assemble(days: Mapping[date, DayData], cipher: IdCipher) -> Ground:
    """Put the days of a link side by side."""
    order = sorted(days)
    layout = lay_out(order, [Block(days[day].ids) for day in order], None, cipher)
    bases = list(zip((days[day].segments for day in order), layout.bounds.tolist(), strict=False))
    written = {
        # one segment after the other: the moved parts of all of them together are as large as the index
        segment: written_union([held[segment].shift(base) for held, base in bases if segment in held])
        for segment in dict.fromkeys(segment for held, _ in bases for segment in held)
    }
    # A set that grew lies in pieces all over the memory, and who reads it from end to end waits for each of them. Read
    # again when all that they were made of is freed, the pieces of each set lie side by side.
    bitmaps = Bitmaps({segment: BitMap.deserialize(written.pop(segment)) for segment in list(written)})
    recurring = _recurring(layout, layout.listing.directory.shared())
    return Ground(layout, bitmaps, recurring)


def _recurring(layout: Layout, candidates: Positions) -> Recurring:
    return find_recurring(candidates, layout.ids_at(candidates))


def replace_day(ground: Ground, day: date, data: DayData | None) -> Ground:
    """Give the ground with one day replaced, added, or (None) removed; the old one stays as it is."""
    old = ground.layout
    first, last = old.between(day, day)
    new_block = [] if data is None else [Block(data.ids)]
    blocks = [*old.blocks[:first], *new_block, *old.blocks[last:]]
    days = [*old.days[:first], *([day] if new_block else []), *old.days[last:]]
    layout = lay_out(days, blocks, old.listing, old.cipher)
    gap = Gap(
        int(old.bounds[first]),
        int(old.bounds[last]),
        0 if data is None else len(data.ids),
        int(old.bounds[-1]),
    )
    bitmaps = ground.bitmaps.patched(gap, {} if data is None else data.segments)
    candidates = gap.moved(ground.recurring.ordinals.astype(np.int64))
    if data is not None:
        candidates = _distinct(np.concatenate([candidates, _also_elsewhere(layout, data)]))
    return Ground(layout, bitmaps, _recurring(layout, candidates))


def _distinct(ordinals: Positions) -> Positions:
    ordinals = np.sort(ordinals)
    distinct: Positions = ordinals[
        np.append(np.ones(min(1, len(ordinals)), np.bool_), ordinals[1:] != ordinals[:-1])
    ]
    return distinct


def _also_elsewhere(layout: Layout, data: DayData) -> Positions:
    """Give every occurrence of the ids of a day that occur on other days too."""
    asked, ordinals = layout.find(data.ids)
    return ordinals[np.bincount(asked, minlength=len(data.ids))[asked] > 1]
