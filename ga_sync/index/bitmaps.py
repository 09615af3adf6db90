"""Each segment's bitmap over all ordinals, brought up to date when somebody asks for it.

Replacing a day moves the ordinals of all days after it, in every segment. A question names a few segments, and only
those are worked out; the others wait with what is to be done to them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from ga_sync.index.ids import Positions
from ga_sync.index.sets import NOBODY, size_of, span

MAX_STEPS = 8
"""So many replaced days may wait for a segment that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The ordinals `low` to `high` (not included) give way to `size` others; before it, `end` was one past the last."""

    low: int
    high: int
    size: int
    end: int

    @property
    def shift(self) -> int:
        """How far what stands behind the gap moves."""
        return self.low + self.size - self.high

    def moved(self, ordinals: Positions) -> Positions:
        """Give ascending ordinals without those in the gap, each where it stands now."""
        before, after = ordinals[ordinals < self.low], ordinals[ordinals >= self.high]
        return np.concatenate([before, after + self.shift])

    def filled(self, bitmap: BitMap, members: BitMap) -> BitMap:
        """Give the bitmap with the gap filled by `members`, which count from 0."""
        filled = bitmap & span(0, self.low)
        filled |= members.shift(self.low)
        if self.high < self.end:
            filled |= (bitmap & span(self.high, self.end)).shift(self.shift)
        return filled


Step = tuple[Gap, BitMap]
Waiting = tuple[BitMap, tuple[Step, ...]]


class Bitmaps(Mapping[str, BitMap]):
    """Segment id → ordinals; only segments with members. What it says never changes; what it holds does.

    Two threads that ask for the same segment at once do the same work and get the same.
    """

    def __init__(self, held: dict[str, BitMap], waiting: dict[str, Waiting] | None = None) -> None:
        self._held = held
        self._waiting = waiting or {}

    def patched(self, gap: Gap, members: Mapping[str, BitMap]) -> "Bitmaps":
        """Give the same with one day replaced."""
        former: dict[str, Waiting] = dict.fromkeys(members, (NOBODY, ()))
        former |= dict(self._waiting.copy())
        former |= {name: (bitmap, ()) for name, bitmap in self._held.copy().items()}
        waiting = {
            name: (bitmap, (*steps, (gap, members.get(name, NOBODY))))
            for name, (bitmap, steps) in former.items()
        }
        new = Bitmaps({}, waiting)
        for name, (_, steps) in list(waiting.items()):
            if len(steps) >= MAX_STEPS:
                new.get(name)
        return new

    def __getitem__(self, name: str) -> BitMap:
        held = self._held.get(name)
        if held is not None:
            return held
        waiting = self._waiting.get(name)
        if waiting is None:
            # whoever worked it out just now has put it where it belongs
            return self._held[name]
        bitmap, steps = waiting
        for gap, members in steps:
            bitmap = gap.filled(bitmap, members)
        if bitmap:
            bitmap = self._held.setdefault(name, bitmap)
        self._waiting.pop(name, None)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        for name in list(self._waiting):
            self.get(name)
        return iter(list(self._held))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, within a few percent; nothing is worked out for it."""
        waiting = self._waiting.copy().values()
        return sum(map(size_of, self._held.copy().values())) + sum(size_of(bitmap) for bitmap, _ in waiting)
