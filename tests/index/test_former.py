"""Days of version 1 are read as days of today; a token of `changes` that goes on behind one of its hashes ends."""

import hashlib
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from ga_sync.index import former
from ga_sync.index.day import build_day, decode
from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import is_packable
from tests.index.worlds import KEY, memberships


def former_hash(id_: str) -> int:
    """The hash by which version 1 ordered ids."""
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=8, key=KEY).digest(), "little")


def written(held: Mapping[str, set[str]]) -> bytes:
    """A day as version 1 wrote it."""
    ids = sorted(set().union(*held.values()), key=lambda one: (former_hash(one), one.encode()))
    place = {id_: at for at, id_ in enumerate(ids)}
    texts = [id_ for id_ in ids if not is_packable(id_.encode())]
    encoded = [text.encode() for text in texts]
    parts = [struct.pack("<BIIII", 1, len(ids), len(texts), sum(map(len, encoded)), len(held))]
    parts += [hash_bytes([former_hash(id_) for id_ in ids])]
    parts += [bytes.fromhex(id_) for id_ in ids if is_packable(id_.encode())]
    parts += [struct.pack("<I", place[text]) for text in texts]
    parts += [struct.pack("<H", len(text)) for text in encoded] + encoded
    for segment, members in sorted(held.items()):
        name, bitmap = segment.encode(), BitMap([place[id_] for id_ in members])
        bitmap.run_optimize()
        stored = bitmap.serialize()
        parts += [struct.pack("<H", len(name)), name, struct.pack("<I", len(stored)), stored]
    return ended(b"".join(parts))


def ended(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def hash_bytes(hashes: list[int]) -> bytes:
    """Ascending hashes, their upper bytes as ones among bits (Elias-Fano)."""
    upper = sum(len(hashes) >= floor for floor in (256, 65_536))
    low = b"".join(one.to_bytes(8, "little")[: 8 - upper] for one in hashes)
    if not upper:
        return low
    bits = np.zeros(len(hashes) + (1 << 8 * upper), np.uint8)
    bits[[(one >> 64 - 8 * upper) + at for at, one in enumerate(hashes)]] = 1
    return np.packbits(bits).tobytes() + low


@given(memberships)
def test_a_day_of_version_1_is_the_day_that_it_would_be_today(held: dict[str, set[str]]) -> None:
    assert decode(written(held), KEY) == build_day(held, KEY)


@pytest.mark.parametrize("count", [255, 256, 65_536])
def test_days_of_any_size_come_back_whole(count: int) -> None:
    held = {"1": {f"{n:032x}" for n in range(count)}, "2": {f"{n:032x}" for n in range(0, count, 3)} | {"a"}}
    assert decode(written(held), KEY) == build_day(held, KEY)


def test_every_cut_and_every_flipped_byte_is_noticed() -> None:
    data = written({"1": {"a" * 32, "b", "c"}, "2": {"b"}})
    for cut in range(len(data)):
        with pytest.raises(DamagedDay):
            decode(data[:cut], KEY)
    for at in range(len(data)):
        with pytest.raises(DamagedDay):
            decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], KEY)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 255)), min_size=1, max_size=4))
def test_bytes_mutated_behind_a_right_checksum_end_in_a_value_or_in_damaged_day(
    changes: list[tuple[int, int]],
) -> None:
    body = bytearray(written({"1": {"a" * 32, "b", "c\u00e9"}, "2": {"b", "d" * 32}})[:-4])
    for at, value in changes:
        body[at % (len(body) - 1) + 1] = value
    assert former.is_former(bytes(body))
    try:
        day = decode(ended(bytes(body)), KEY)
    except DamagedDay:
        return
    assert day.memberships >= day.recordings


def test_ids_that_repeat_are_no_day() -> None:
    data = written({"1": {"b", "c"}})[:-4]
    assert data.count(b"bc") + data.count(b"cb") == 1
    with pytest.raises(DamagedDay, match="earlier version"):
        decode(ended(data.replace(b"bc", b"bb").replace(b"cb", b"bb")), KEY)
