"""Ascending 64-bit numbers as bytes: what their place tells of them is not written.

Numbers that are spread evenly have upper bits that are nearly known from their place (Elias, 1974; Fano, 1971). From
256 numbers on the upper 8 bits of each, from 65,536 on the upper 16, are kept as n + 2^8 (2^16) bits in which the one
of number i stands at i + upper bits, padded to whole bytes; the 7 (6) bytes below follow, little-endian. Fewer numbers:
8 bytes each.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ga_sync.index.errors import DamagedDay


def _upper_bytes(count: int) -> int:
    return sum(count >= floor for floor in (256, 65_536))


def size(count: int) -> int:
    """Give how many bytes so many numbers take."""
    upper = _upper_bytes(count)
    return _bits_size(count, upper) + count * (8 - upper)


def _bits_size(count: int, upper: int) -> int:
    return (count + (1 << 8 * upper) + 7) // 8 if upper else 0


def write(numbers: NDArray[np.uint64]) -> bytes:
    """Write ascending numbers."""
    upper = _upper_bytes(len(numbers))
    low = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)[:, : 8 - upper]
    if not upper:
        return low.tobytes()
    bits = np.zeros(len(numbers) + (1 << 8 * upper), np.uint8)
    bits[(numbers >> np.uint64(64 - 8 * upper)).astype(np.int64) + np.arange(len(numbers))] = 1
    return np.packbits(bits).tobytes() + low.tobytes()


def read(take: Callable[[int], bytes], count: int) -> NDArray[np.uint64]:
    """Read so many numbers.

    Args:
        take: Gives the next so many bytes, or raises.
        count: How many numbers.

    Raises:
        DamagedDay: the bytes are not what `write` wrote of ascending numbers.
    """
    upper = _upper_bytes(count)
    above = _read_upper(take, count, upper) if upper else np.uint64(0)
    below = np.frombuffer(take(count * (8 - upper)), np.uint8).reshape(count, 8 - upper)
    low = np.zeros((count, 8), np.uint8)
    low[:, : 8 - upper] = below
    numbers: NDArray[np.uint64] = low.view("<u8").reshape(-1).astype(np.uint64) | above
    if (numbers[1:] < numbers[:-1]).any():
        raise DamagedDay("The stored day's ids are out of order. Quarantine it and fetch the day again.")
    return numbers


def _read_upper(take: Callable[[int], bytes], count: int, upper: int) -> NDArray[np.uint64]:
    bits = np.frombuffer(take(_bits_size(count, upper)), np.uint8)
    place = np.flatnonzero(np.unpackbits(bits).view(np.bool_))
    if len(place) != count or place[-1] >= count + (1 << 8 * upper):
        raise DamagedDay("The stored day's hashes do not add up. Quarantine it and fetch the day again.")
    return (place - np.arange(count)).astype(np.uint64) << np.uint64(64 - 8 * upper)
