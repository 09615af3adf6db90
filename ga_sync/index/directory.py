"""Where an id stands: one sorted array of keys over all days.

A key is the upper bits of the 64-bit hash with the address of the recording in the lower bits, so that one array of
eight bytes a recording is both the sorted hashes and the way back. What agrees in the upper bits is only a candidate:
the caller compares the ids.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ga_sync.index.ids import Positions

PIECE = 1 << 20
"""So many keys are compared with their neighbours at once."""


class Directory:
    """Immutable. An address counts through the days in the order given, from 0.

    Attributes:
        keys: Sorted; uint64.
        bounds: First address of each day, and one past the last; int64.
    """

    __slots__ = ("_address_bits", "bounds", "keys")

    def __init__(self, hashes: Sequence[NDArray[np.uint64]]) -> None:
        self.bounds = np.cumsum([0, *map(len, hashes)], dtype=np.int64)
        self._address_bits = np.uint64(max(1, int(self.bounds[-1]).bit_length()))
        self.keys = np.concatenate([np.empty(0, np.uint64), *hashes])
        for first, last in pairwise(self.bounds.tolist()):  # a day at a time: no second array of that length
            keys = self.keys[first:last]
            keys &= ~self._mask
            keys |= np.arange(first, last, dtype=np.uint64)
        self.keys.sort()

    @property
    def _mask(self) -> np.uint64:
        return np.uint64((1 << int(self._address_bits)) - 1)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.keys.nbytes + self.bounds.nbytes

    def _upper(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        upper: NDArray[np.uint64] = hashes >> self._address_bits
        return upper

    def candidates(self, hashes: NDArray[np.uint64]) -> tuple[Positions, Positions]:
        """Find what may have these hashes.

        Returns:
            Two arrays of one length: which of the hashes asked, and an address that may have it. Every address that has
            it is there.
        """
        upper = self._upper(hashes)
        asked = np.argsort(
            upper
        )  # neighbours in the array are asked for one after the other: kinder to the memory
        at = self.keys.searchsorted(upper[asked] << self._address_bits)
        return self._run(upper, asked, at)

    def _run(self, upper: NDArray[np.uint64], asked: Positions, at: Positions) -> tuple[Positions, Positions]:
        """From its first place, follow each hash while the upper bits agree."""
        found_asked, found_at = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        while len(asked):
            inside = at < len(self.keys)
            asked, at = asked[inside], at[inside]
            agrees = self._upper(self.keys[at]) == upper[asked]
            asked, at = asked[agrees], at[agrees]
            found_asked.append(asked)
            found_at.append(at)
            at = at + 1
        return np.concatenate(found_asked), self._addresses(np.concatenate(found_at))

    def shared(self) -> Positions:
        """Give the addresses, ascending, that agree with another in the upper bits: whoever recurs is among them."""
        either = [np.empty(0, np.int64)]
        for start in range(0, len(self.keys) - 1, PIECE):
            keys = self.keys[start : start + PIECE + 1]
            first = np.flatnonzero((keys[1:] ^ keys[:-1]) <= self._mask) + start
            either += [first, first + 1]
        return np.sort(self._addresses(np.unique(np.concatenate(either))))

    def _addresses(self, at: Positions) -> Positions:
        return (self.keys[at] & self._mask).astype(np.int64)
