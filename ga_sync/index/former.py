"""Days as version 1 wrote them: read until the last of them has been read anew from Google or has left retention.

They differ from version 2 (`codec`) in two places. After the head stand hashes that are not in use any more: 8 bytes
each; from 256 recordings on, 7 each behind n + 2^8 bits, and from 65,536 on, 6 each behind n + 2^16 bits, the bits
padded to whole bytes. Then 16(n - t) bytes of packed ids. Members are in the portable roaring format.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ga_sync.index import gaps
from ga_sync.index.codec import checked, read_head, read_segments, read_texts
from ga_sync.index.ids import BYTES
from ga_sync.index.sets import numbers

VERSION = 1
_FLOORS = (256, 65_536)


def is_former(data: bytes) -> bool:
    """Say whether these bytes claim to be a day of version 1."""
    return data[:1] == bytes([VERSION])


def read(data: bytes) -> tuple[list[str], dict[str, NDArray[np.uint32]]]:
    """Read a day back: its ids, and per segment the positions of its members in them.

    Raises:
        DamagedDay: the bytes are not what version 1 wrote.
    """
    head, reader = read_head(checked(data), VERSION)
    reader.bytes(_hash_bytes(head.recordings))
    packed = iter(reader.bytes(BYTES * (head.recordings - head.texts)).hex(" ", BYTES).split())
    text_at, text, bounds = read_texts(reader, head)
    texts = iter([text[start:stop].decode() for start, stop in pairwise(bounds.tolist())])
    places = set(text_at.tolist())  # ascending and below n: so many texts, and all others packed
    ids = [next(texts if place in places else packed) for place in range(head.recordings)]
    members = {
        segment: numbers(gaps.read(gaps.ROARING + stored, head.recordings))
        for segment, stored in read_segments(reader, head).items()
    }
    return ids, members


def _hash_bytes(count: int) -> int:
    upper = sum(count >= floor for floor in _FLOORS)
    bits = (count + (1 << 8 * upper) + 7) // 8 if upper else 0
    return bits + count * (8 - upper)
