"""Between sets of numbers (roaring bitmaps) and sorted arrays of them, the fast way.

A bitmap built from an array of the standard library is filled in one call; from a numpy array it would be filled
number by number, twenty times slower.
"""

from array import array

import numpy as np
from pyroaring import BitMap

from ga_sync.index.ids import Numbers, Positions

NOBODY = BitMap()
"""The empty set; read it, never change it."""
NO_NUMBERS = np.empty(0, np.uint32)


def size_of(bitmap: BitMap) -> int:
    """Give the bytes of memory that a set holds, within a few percent."""
    facts = bitmap.get_statistics()
    held = (
        facts["n_bytes_array_containers"]
        + facts["n_bytes_run_containers"]
        + facts["n_bytes_bitset_containers"]
    )
    return int(held) + 32 * facts["n_containers"] + 128


def written_union(parts: list[BitMap]) -> bytes:
    """Give the union of at least one set as bytes of which `BitMap.deserialize` makes a set, as small as it can be."""
    bitmap = BitMap.union(*parts) if len(parts) > 1 else parts[0]
    bitmap.run_optimize()
    written: bytes = bitmap.serialize()
    return written


def span(low: int, high: int) -> BitMap:
    """Give the set of `low` to `high`, not included."""
    return BitMap(range(low, max(low, high)))


def numbers(bitmap: BitMap) -> Numbers:
    """Give the members of a set, ascending; uint32."""
    return np.frombuffer(bitmap.to_array(), np.uint32) if bitmap else NO_NUMBERS


def set_of(ascending: Numbers | Positions) -> BitMap:
    """Give the set of these numbers of at most 32 bits; fastest where they ascend, repeated ones count once."""
    return BitMap(array("I", ascending.astype(np.uint32, copy=False).tobytes()))
