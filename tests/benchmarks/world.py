"""The customer that everything is measured on: seeded, with sizes of segments as uneven as real ones.

`size` million recordings over 90 days, in 200 segments (100 for the side by side), 9.7 memberships a recording; two
of a hundred recordings come again on the next day. The largest segments hold two recordings of five, the smallest one
of seventy. Ids are 32 hex digits, as recorders issue them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

DAYS = 90
SEGMENTS = 200
PER_RECORDING = 9.7
RECURRING = 0.02
SEED = 20_261_123
LARGEST = 0.42


@dataclass(frozen=True, slots=True)
class RawDay:
    """One day as it comes from the sync: distinct ids, and per segment the positions of its members."""

    day: date
    ids: list[str]
    members: dict[str, NDArray[np.uint32]]

    @property
    def memberships(self) -> int:
        """How many (segment, recording) pairs there are."""
        return sum(map(len, self.members.values()))


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the customer is.

    Attributes:
        recordings: Over all days; one on two days counts twice.
        last_day: The newest.
        days: How many.
        segments: How many.
    """

    recordings: int
    last_day: date
    days: int = DAYS
    segments: int = SEGMENTS

    @property
    def per_day(self) -> int:
        """Recordings a day."""
        return max(1, self.recordings // self.days)

    @property
    def names(self) -> list[str]:
        """Segment ids, the largest first: numbers of ten digits, as Google's are."""
        return [str(9_000_000_000 + number) for number in range(self.segments)]

    @property
    def dates(self) -> list[date]:
        """Ascending."""
        return [self.last_day - timedelta(days=back) for back in reversed(range(self.days))]


def rates(segments: int) -> NDArray[np.float64]:
    """The share of a day's recordings that each segment holds, descending; they sum to `PER_RECORDING`."""
    skewed = 1 / np.arange(1, segments + 1) ** 0.8
    found: NDArray[np.float64] = np.minimum(LARGEST, skewed * PER_RECORDING / skewed.sum())
    for _ in range(20):
        open_ = found < LARGEST
        found[open_] *= (PER_RECORDING - LARGEST * (~open_).sum()) / found[open_].sum()
        found = np.minimum(LARGEST, found)
    return found


def generate(shape: Shape, seed: int = SEED) -> Iterator[RawDay]:
    """Give the days, ascending; the same for the same shape and seed."""
    chance = np.random.default_rng(seed)
    held: list[str] = []
    for day in shape.dates:
        fresh = _names(chance, shape.per_day - int(len(held) * RECURRING))
        again = chance.permutation(len(held))[: int(len(held) * RECURRING)].tolist()
        held = [*fresh, *(held[at] for at in again)]
        yield RawDay(day, held, dict(zip(shape.names, _members(chance, shape, len(held)), strict=True)))


def day_again(shape: Shape, raw: RawDay, seed: int) -> RawDay:
    """Give a day as another reading shows it: nine of ten ids the same, memberships drawn anew."""
    chance = np.random.default_rng(seed)
    kept = raw.ids[: len(raw.ids) * 9 // 10]
    ids = [*kept, *_names(chance, len(raw.ids) - len(kept))]
    return RawDay(raw.day, ids, dict(zip(shape.names, _members(chance, shape, len(ids)), strict=True)))


def _names(chance: np.random.Generator, count: int) -> list[str]:
    digits = chance.bytes(16 * count).hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


def _members(chance: np.random.Generator, shape: Shape, size: int) -> Iterator[NDArray[np.uint32]]:
    for rate in rates(shape.segments):
        yield np.flatnonzero(chance.random(size, dtype=np.float32) < rate).astype(np.uint32)
