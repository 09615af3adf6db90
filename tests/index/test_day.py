"""A day as a value and as bytes: what is kept apart, what is refused, and what damaged bytes end in."""

import hashlib
import random
import struct
import zlib
from math import log2
from time import perf_counter

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from ga_sync.index import gaps
from ga_sync.index.codec import DayData
from ga_sync.index.day import build_day, build_day_from_columns, encode, without
from ga_sync.index.day import decode as decode_under
from ga_sync.index.errors import DamagedDay
from ga_sync.index.expression import Segment
from ga_sync.index.ids import IdCipher, IdColumn, chained, column
from ga_sync.index.query import LinkIndex
from tests.index.worlds import DAYS, HEX, KEY, ODD, ids, memberships, widths

CIPHER = IdCipher(KEY)


def decode(data: bytes, bits: int = 64) -> DayData:
    return decode_under(data, KEY, bits)


def members(day: DayData) -> dict[str, set[str]]:
    names = list(day.ids)
    return {segment: {names[at] for at in held} for segment, held in day.segments.items()}


@given(memberships, widths)
def test_a_day_holds_what_it_was_built_from_and_its_bytes_hold_it_too(
    held: dict[str, set[str]], bits: int
) -> None:
    day = build_day(held, KEY, bits)
    assert members(day) == held
    assert members(decode(encode(day), bits)) == held
    assert decode(encode(day), bits) == day
    assert day.recordings == len(set().union(*held.values()))
    assert day.memberships == sum(map(len, held.values()))


@given(memberships, widths)
def test_the_order_depends_on_key_and_ids_alone(held: dict[str, set[str]], bits: int) -> None:
    day, cipher = build_day(held, KEY, bits), IdCipher(KEY, bits)
    keys = [column([id_], cipher).sort_key(0) for id_ in day.ids]
    assert keys == sorted(set(keys))
    assert [lead for lead, *_ in keys] == day.ids.leads.tolist()
    assert (day.ids.hashes[1:] >= day.ids.hashes[:-1]).all()
    assert len(set((day.ids.hashes >> np.uint64(64 - bits)).tolist())) <= 2**bits
    assert encode(build_day(dict(reversed(held.items())), KEY, bits)) == encode(day)


def test_a_hash_is_the_keyed_block_or_the_keyed_hash_of_a_text() -> None:
    block_key = hashlib.blake2b(digest_size=32, key=KEY, person=b"recording ids").digest()
    aes = Cipher(algorithms.AES256(block_key), modes.ECB()).encryptor()  # what is held
    held = column([HEX[3], "text"], CIPHER)
    assert held.leads[0].tobytes() + held.rests[0].tobytes() == aes.update(bytes.fromhex(HEX[3]))
    assert held.leads[1].tobytes() == hashlib.blake2b(b"text", digest_size=8, key=KEY).digest()
    assert column([HEX[3]], IdCipher(bytes(32))).hashes != held.hashes[:1]


def test_two_ids_with_one_hash_are_two_ids() -> None:
    """The key is known here, so that blocks can be turned into ids."""
    one, other = CIPHER.packed(np.full(2, 7, np.uint64), np.array([1, 2], np.uint64)).hex(" ", 16).split()
    day = decode(encode(build_day({"1": [one, "text"], "2": [other]}, KEY)))
    assert day.ids.hashes[:2].tolist() == [7, 7]
    assert members(day) == {"1": {one, "text"}, "2": {other}}
    index = LinkIndex.assemble({DAYS[0]: day, DAYS[1]: build_day({"3": [other]}, KEY)}, KEY)
    assert index.members([one, other], None, None) == [{"1"}, {"2", "3"}]
    assert index.query(Segment("3"), None, None, None, 9) == ([other], None)


def test_ids_that_look_alike_stay_different() -> None:
    alike = [
        "\u00e9",
        "e\u0301",
        "a",
        "A",
        "a ",
        " a",
        "a\n",
        "a\0",
        "\0",
        HEX[3],
        HEX[3].replace("3", "B"),
        HEX[3] + " ",
    ]
    day = decode(encode(build_day({"1": alike}, KEY)))
    assert sorted(day.ids) == sorted(alike)
    assert len(set(column(alike, CIPHER).hashes.tolist())) == len(alike)


def test_ids_of_32_digits_with_blanks_or_capitals_are_text_and_not_packed() -> None:
    tricky = ["A" * 32, "0" * 30 + "  ", "0" * 31 + "\n", "\u0660" * 32, "g" * 32]
    assert list(column(tricky, CIPHER)) == tricky
    for one in tricky:
        assert list(column([one, one], CIPHER)) == [one, one]
        assert len(column([one], CIPHER).rests) == 0


@given(st.lists(ids), st.lists(ids))
def test_columns_join_take_and_compare_like_lists(one: list[str], other: list[str]) -> None:
    joined = chained([column(one, CIPHER), column(other, CIPHER)], CIPHER)
    assert list(joined) == one + other
    assert joined == column(one + other, CIPHER)
    assert joined.nbytes == column(one + other, CIPHER).nbytes
    backwards = np.arange(len(joined), dtype=np.int64)[::-1]
    assert list(joined.take(backwards)) == [*reversed(one + other)]
    size = min(len(one), len(other))
    at = np.arange(size, dtype=np.int64)
    assert column(one, CIPHER).same(at, column(other, CIPHER), at).tolist() == [
        a == b for a, b in zip(one, other, strict=False)
    ]
    assert (column(one, CIPHER) == column(other, CIPHER)) == (one == other)


def test_values_are_compared_by_content_and_only_with_their_kind() -> None:
    day = build_day({"1": ["a"]}, KEY)
    assert day == build_day({"1": ["a"]}, KEY)
    assert day != build_day({"2": ["a"]}, KEY)
    assert day != "a day"
    assert day.ids != ["a"]


@pytest.mark.parametrize("bad", ["", "x" * 101, "\ud800"], ids=["empty", "long", "half a surrogate"])
def test_an_id_of_impossible_form_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"characters|surrogates"):
        build_day({"1": ["a", bad]}, KEY)


@pytest.mark.parametrize(
    ("names", "positions", "sentence"),
    [
        (["a", "a"], {"1": [0, 1]}, "distinct"),
        (["a"], {"1": [1]}, "outside"),
        (["a"], {"1": [-1]}, "outside"),
        (["a"], {"": [0]}, "segment id"),
        (["a"], {"x" * 65_536: [0]}, "segment id"),
    ],
    ids=["repeated", "beyond", "below", "unnamed", "overlong"],
)
def test_impossible_columns_are_refused(
    names: list[str], positions: dict[str, list[int]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_day_from_columns(names, {key: np.array(at) for key, at in positions.items()}, KEY)


def test_who_is_in_no_segment_and_segments_without_members_are_left_out() -> None:
    day = build_day_from_columns(["a", "b", "c"], {"1": np.array([2, 0, 2]), "2": np.array([], int)}, KEY)
    assert members(day) == {"1": {"a", "c"}}
    assert sorted(day.ids) == ["a", "c"]


@given(memberships, st.sets(ids), widths)
def test_forgotten_recordings_leave_no_trace_in_the_bytes(
    held: dict[str, set[str]], gone: set[str], bits: int
) -> None:
    day = build_day(held, KEY, bits)
    kept = {segment: names - gone for segment, names in held.items() if names - gone}
    assert encode(without(day, gone, KEY, bits)) == encode(build_day(kept, KEY, bits))
    assert without(day, {"stranger"}, KEY, bits) is day


def sample() -> bytes:
    spread = {str(number): (HEX * 3 + ODD)[number::3] for number in range(3)}
    runs = {"7": [f"{number:032x}" for number in range(300)]}
    return encode(build_day({**spread, **runs}, KEY))


def repaired(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def test_every_cut_and_every_flipped_byte_is_noticed() -> None:
    data = sample()
    for size in range(0, len(data), 7):
        with pytest.raises(DamagedDay):
            decode(data[:size])
    for at in range(len(data)):
        with pytest.raises(DamagedDay):
            decode(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
    with pytest.raises(DamagedDay, match="checksum"):
        decode(data + b"\0")


def test_bytes_mutated_behind_a_right_checksum_end_in_a_value_or_in_damaged_day() -> None:
    body, chance, refused = sample()[:-4], random.Random(7), 0
    for _ in range(6_000):
        mutated = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mutated) if chance.random() < 0.7 else 40)
            mutated[at] = chance.randrange(256)
        if chance.random() < 0.2:
            del mutated[chance.randrange(len(mutated)) :]
        try:
            day = decode(repaired(bytes(mutated)))
        except DamagedDay:
            refused += 1
        else:
            assert decode(encode(day)) == day  # one set has many Huffman codes
    assert refused > 1_000


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedDay):
        decode(data)
    with pytest.raises(DamagedDay):
        decode(repaired(b"\x01" + data))
    with pytest.raises(DamagedDay):
        decode(repaired(b"\x02" + data))


def raw(names: list[bytes], segments: list[tuple[bytes, bytes]], hashes: list[int] | None = None) -> bytes:
    """Bytes of a day whose ids are all text, put together by hand."""
    size = len(names)
    hashed = np.array(hashes or range(size), "<u8").tobytes()
    lengths = np.array([len(name) for name in names], "<u2").tobytes()
    text = b"".join(names)
    head = struct.pack("<BIIII", 2, size, size, len(text), len(segments))
    parts = [head, hashed, np.arange(size, dtype="<u4").tobytes(), lengths, text]
    parts += [struct.pack("<H", len(s)) + s + struct.pack("<I", len(b)) + b for s, b in segments]
    return repaired(b"".join(parts))


def roaring(*members: int) -> bytes:
    return b"\x00" + BitMap(members).serialize()


def gapped(*between: int, behind: bytes = b"") -> bytes:
    code = zlib.compressobj(wbits=-15)
    return b"\x01" + code.compress(bytes(between)) + code.flush() + behind


ONE = roaring(0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (raw([b"a"], [(b"1", ONE)]), None),
        (raw([b"\xff"], [(b"1", ONE)]), "not UTF-8"),
        (raw([b""], [(b"1", ONE)]), "impossible form"),
        (raw([b"x" * 101], [(b"1", ONE)]), "impossible form"),
        (raw([b"0" * 32], [(b"1", ONE)]), "impossible form"),
        (raw([b"a", b"b"], [(b"1", ONE)], [2, 1]), "out of order"),
        (raw([b"b", b"a"], [(b"1", ONE)], [1, 1]), "out of order"),
        (raw([b"a", b"a"], [(b"1", ONE)], [1, 1]), "out of order"),
        (raw([b"a"], [(b"2", ONE), (b"1", ONE)]), "segments are out of order"),
        (raw([b"a"], [(b"1", ONE), (b"1", ONE)]), "segments are out of order"),
        (raw([b"a"], [(b"", ONE)]), "segments are out of order"),
        (raw([b"a"], [(b"\xff", ONE)]), "segment id that is not UTF-8"),
        (raw([b"a"], [(b"1", b"")]), "unknown form"),
        (raw([b"a"], [(b"1", b"\x02")]), "unknown form"),
        (raw([b"a"], [(b"1", b"\x00nonsense")]), "cannot be read"),
        (raw([b"a"], [(b"1", ONE + b"x")]), "impossible content"),
        (raw([b"a"], [(b"1", roaring())]), "impossible content"),
        (raw([b"a"], [(b"1", roaring(1))]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(0))]), None),
        (raw([b"a"], [(b"1", b"\x01\xff")]), "cannot be read"),
        (raw([b"a"], [(b"1", b"\x01")]), "impossible content"),
        (raw([b"a"], [(b"1", gapped())]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(1))]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(255))]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(0, 0))]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(0, behind=b"x"))]), "impossible content"),
        (raw([b"a"], [(b"1", gapped(*[0] * 100_000))]), "impossible content"),
        (repaired(raw([b"a"], [(b"1", ONE)])[:-4] + b"x"), "after its end"),
        (repaired(raw([b"a"], [(b"1", ONE)])[:-6]), "before its own lengths"),
        (repaired(struct.pack("<BIIII", 2, 0xFFFFFFFF, 0, 0, 0)), "before its own lengths"),
        (repaired(struct.pack("<BIIII", 2, 0, 1, 0, 0)), "format"),
        (repaired(struct.pack("<BIIII", 9, 0, 0, 0, 0)), "format 9"),
    ],
    ids=range(32),
)
def test_each_way_to_be_damaged_has_its_sentence(data: bytes, sentence: str | None) -> None:
    if sentence is None:
        assert list(decode(data).ids) == ["a"]
    else:
        with pytest.raises(DamagedDay, match=sentence):
            decode(data)


def test_texts_out_of_place_or_not_adding_up_are_noticed() -> None:
    body = bytearray(encode(build_day({"1": ["a", "b"]}, KEY))[:-4])
    at = 17 + 16  # behind the head and two hashes stand the positions of the texts
    for positions in ([0, 0], [1, 0], [0, 2]):
        body[at : at + 8] = np.array(positions, "<u4").tobytes()
        with pytest.raises(DamagedDay, match="out of place"):
            decode(repaired(bytes(body)))
    body[at + 8 : at + 12] = np.array([2, 1], "<u2").tobytes()
    with pytest.raises(DamagedDay, match="add up"):
        decode(repaired(bytes(body)))


@given(st.sets(st.integers(0, 3_000), min_size=1))
def test_members_come_back_from_their_gaps(held: set[int]) -> None:
    for kept in (BitMap(held), BitMap(range(3_001)) - BitMap(held)):
        assert gaps.read(gaps.write(kept), max(kept) + 1) == kept


@pytest.mark.parametrize("rate", [0.4, 0.2, 0.05, 0.01, 0.001])
def test_members_that_are_spread_evenly_take_little_more_than_their_entropy(rate: float) -> None:
    held = BitMap(np.flatnonzero(np.random.default_rng(5).random(100_000) < rate).tolist())
    entropy = -(rate * log2(rate) + (1 - rate) * log2(1 - rate)) * 100_000 / 8
    print(f"{len(gaps.write(held)) / entropy:.2f} of the entropy")  # noqa: T201
    assert len(gaps.write(held)) <= 1.4 * entropy + 60  # roaring's where gaps save less than a quarter
    assert gaps.read(gaps.write(held), 100_000) == held


def test_a_set_that_roaring_writes_shorter_is_left_to_it() -> None:
    held = BitMap(range(50_000))
    assert gaps.write(held) == b"\x00" + held.serialize()
    held.run_optimize()
    assert gaps.read(gaps.write(held), 50_000) == held


def test_bytes_stay_within_one_a_membership_and_sixteen_a_recording() -> None:
    chance = np.random.default_rng(3)
    names = [chance.bytes(16).hex() for _ in range(20_000)]
    shares = 0.5 / np.arange(1, 101)
    held = {str(number): np.flatnonzero(chance.random(20_000) < share) for number, share in enumerate(shares)}
    started = perf_counter()
    day = build_day_from_columns(names, held, KEY)
    built = perf_counter()
    data = encode(day)
    decoded = decode(data)
    coded = perf_counter() - built
    print(f"built in {built - started:.3f} s, coded both ways in {coded:.3f} s, {len(data):,} bytes")  # noqa: T201
    assert decoded == day
    assert len(data) <= 1 * day.memberships + 16 * day.recordings


@pytest.mark.parametrize("count", [1, 255, 256, 257, 65_535, 65_536, 66_000])
@pytest.mark.parametrize("bits", [64, 4])
def test_hashes_of_any_number_of_recordings_come_back_whole(count: int, bits: int) -> None:
    names = [f"{number:032x}" for number in range(count)]
    day = build_day({"1": names}, KEY, bits)
    assert decode(encode(day), bits) == day
    assert sorted(day.ids) == names


def test_upper_bits_that_do_not_add_up_are_noticed() -> None:
    body = bytearray(encode(build_day({"1": [f"{number:032x}" for number in range(257)]}, KEY))[:-4])
    bits = np.unpackbits(np.frombuffer(bytes(body[17:82]), np.uint8))
    last, padding = int(np.flatnonzero(bits)[-1]), 257 + 256
    for off, on in ((last, None), (last, padding), (None, padding)):
        bent = bits.copy()
        if off is not None:
            bent[off] = 0
        if on is not None:
            bent[on] = 1
        body[17:82] = np.packbits(bent).tobytes()
        with pytest.raises(DamagedDay, match="add up"):
            decode(repaired(bytes(body)))


def test_an_empty_day_is_a_day() -> None:
    day = build_day({}, KEY)
    assert decode(encode(day)) == day
    assert isinstance(day.ids, IdColumn)
    assert list(day.ids) == []
