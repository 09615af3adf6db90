"""Where an id stands: one sorted array of keys over all days.

A key is the upper bits of the 64-bit hash with the address of the recording in the lower bits, so that one array of
eight bytes a recording is both the sorted hashes and the way back. What agrees in the upper bits is only a candidate:
the caller compares the ids.

Hashes are spread evenly, so where one belongs is known from its first bits: the keys that share them are a *bucket* of
two to five, and a table says where each begins. That is two looks into memory where a binary search makes twenty.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ga_sync.index.ids import Numbers, Positions

PIECE = 1 << 20
"""So many keys are compared with their neighbours at once."""


class Directory:
    """Immutable. An address counts through the days in the order given, from 0.

    Attributes:
        keys: Sorted; uint64.
        bounds: First address of each day, and one past the last; int64.
    """

    __slots__ = ("_bucket_bits", "_mask", "_shift", "_starts", "bounds", "keys")

    def __init__(self, hashes: Sequence[NDArray[np.uint64]]) -> None:
        self.bounds = np.cumsum([0, *map(len, hashes)], dtype=np.int64)
        address_bits = max(1, int(self.bounds[-1]).bit_length())
        self._mask = np.uint64((1 << address_bits) - 1)  # what of a key is the address
        self.keys = np.concatenate([np.empty(0, np.uint64), *hashes])
        for first, last in pairwise(self.bounds.tolist()):  # a day at a time: no second array of that length
            keys = self.keys[first:last]
            keys &= ~self._mask
            keys |= np.arange(first, last, dtype=np.uint64)
        self.keys.sort(kind="stable")  # merges the days, each of which ascends: half the time
        self._bucket_bits = max(1, address_bits - 2)
        self._shift = np.uint64(64 - self._bucket_bits)
        self._starts = self._work_out_starts()

    def _work_out_starts(self) -> Numbers:
        """Give the place of each bucket's first key, and one past the last."""
        counts = np.zeros((1 << self._bucket_bits) + 1, np.uint32)
        for start in range(0, len(self.keys), PIECE):
            buckets = self._buckets(self.keys[start : start + PIECE])
            first = int(buckets[0])
            found = np.bincount(buckets - first)
            counts[first + 1 : first + 1 + len(found)] += found.astype(np.uint32)
        return np.cumsum(counts, dtype=np.uint32)

    def _buckets(self, hashes: NDArray[np.uint64]) -> Positions:
        return (hashes >> self._shift).astype(np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.keys.nbytes + self._starts.nbytes + self.bounds.nbytes

    def candidates(self, hashes: NDArray[np.uint64]) -> tuple[Positions, Positions]:
        """Find what may have these hashes.

        Returns:
            Two arrays of one length: which of the hashes asked, and an address that may have it. Every address that has
            it is there.
        """
        buckets = self._buckets(hashes)
        first = self._starts[buckets].astype(np.int64)
        count = self._starts[buckets + 1] - first
        asked = np.repeat(np.arange(len(hashes)), count)
        keys = self.keys[np.arange(len(asked)) + (first - np.cumsum(count) + count)[asked]]
        agrees = (keys ^ hashes[asked]) <= self._mask
        return asked[agrees], (keys[agrees] & self._mask).astype(np.int64)

    def shared(self) -> Positions:
        """Give the addresses, ascending, that agree with another in the upper bits: whoever recurs is among them."""
        agrees = np.zeros(len(self.keys), np.bool_)
        for start in range(0, len(self.keys) - 1, PIECE):
            keys = self.keys[start : start + PIECE + 1]
            first = np.flatnonzero((keys[1:] ^ keys[:-1]) <= self._mask) + start
            agrees[first] = agrees[first + 1] = True
        return np.sort((self.keys[agrees] & self._mask).astype(np.int64))
