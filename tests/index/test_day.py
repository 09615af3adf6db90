"""A day as a value and as bytes: what is kept apart, what is refused, and what damaged bytes end in."""

import random
import struct
import zlib
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from ga_sync.index.codec import DayData
from ga_sync.index.day import build_day, build_day_from_columns, decode, encode, without
from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import IdColumn, chained, column, hash_ids
from tests.index.worlds import HEX, KEY, ODD, ids, memberships, widths


def members(day: DayData) -> dict[str, set[str]]:
    names = list(day.ids)
    return {segment: {names[at] for at in held} for segment, held in day.segments.items()}


@given(memberships, widths)
def test_a_day_holds_what_it_was_built_from_and_its_bytes_hold_it_too(
    held: dict[str, set[str]], bits: int
) -> None:
    day = build_day(held, KEY, bits)
    assert members(day) == held
    assert members(decode(encode(day))) == held
    assert decode(encode(day)) == day
    assert day.recordings == len(set().union(*held.values()))
    assert day.memberships == sum(map(len, held.values()))


@given(memberships)
def test_the_order_depends_on_hash_and_bytes_alone(held: dict[str, set[str]]) -> None:
    day = build_day(held, KEY)
    keys = [
        (int(hashed), id_.encode()) for id_, hashed in zip(day.ids, hash_ids(list(day.ids), KEY), strict=True)
    ]
    assert keys == sorted(keys)
    assert [hashed for hashed, _ in keys] == day.hashes.tolist()
    assert encode(build_day(dict(reversed(held.items())), KEY)) == encode(day)


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
    assert len(set(hash_ids(alike, KEY).tolist())) == len(alike)


def test_ids_of_32_digits_with_blanks_or_capitals_are_text_and_not_packed() -> None:
    tricky = ["A" * 32, "0" * 30 + "  ", "0" * 31 + "\n", "\u0660" * 32, "g" * 32]
    assert list(column(tricky)) == tricky
    for one in tricky:
        assert list(column([one, one])) == [one, one]
        assert len(column([one]).words) == 0


@given(st.lists(ids), st.lists(ids))
def test_columns_join_take_and_compare_like_lists(one: list[str], other: list[str]) -> None:
    joined = chained([column(one), column(other)])
    assert list(joined) == one + other
    assert joined == column(one + other)
    assert joined.nbytes == column(one + other).nbytes
    backwards = np.arange(len(joined), dtype=np.int64)[::-1]
    assert list(joined.take(backwards)) == [*reversed(one + other)]
    size = min(len(one), len(other))
    at = np.arange(size, dtype=np.int64)
    assert column(one).same(at, column(other), at).tolist() == [
        a == b for a, b in zip(one, other, strict=False)
    ]
    assert (column(one) == column(other)) == (one == other)


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
            assert encode(day) == repaired(bytes(mutated))
    assert refused > 1_000


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedDay):
        decode(data)
    with pytest.raises(DamagedDay):
        decode(repaired(b"\x02" + data))


def raw(names: list[bytes], segments: list[tuple[bytes, bytes]], hashes: list[int] | None = None) -> bytes:
    """Bytes of a day whose ids are all text, put together by hand."""
    size = len(names)
    hashed = np.array(hashes or range(size), "<u8").tobytes()
    lengths = np.array([len(name) for name in names], "<u2").tobytes()
    text = b"".join(names)
    head = struct.pack("<BIIII", 1, size, size, len(text), len(segments))
    parts = [head, hashed, np.arange(size, dtype="<u4").tobytes(), lengths, text]
    parts += [struct.pack("<H", len(s)) + s + struct.pack("<I", len(b)) + b for s, b in segments]
    return repaired(b"".join(parts))


ONE = BitMap([0]).serialize()


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
        (raw([b"a"], [(b"1", b"")]), "cannot be read"),
        (raw([b"a"], [(b"1", b"nonsense")]), "cannot be read"),
        (raw([b"a"], [(b"1", ONE + b"x")]), "impossible content"),
        (raw([b"a"], [(b"1", BitMap().serialize())]), "impossible content"),
        (raw([b"a"], [(b"1", BitMap([1]).serialize())]), "impossible content"),
        (repaired(raw([b"a"], [(b"1", ONE)])[:-4] + b"x"), "after its end"),
        (repaired(raw([b"a"], [(b"1", ONE)])[:-6]), "before its own lengths"),
        (repaired(struct.pack("<BIIII", 1, 0xFFFFFFFF, 0, 0, 0)), "before its own lengths"),
        (repaired(struct.pack("<BIIII", 1, 0, 1, 0, 0)), "format"),
        (repaired(struct.pack("<BIIII", 9, 0, 0, 0, 0)), "format 9"),
    ],
    ids=range(22),
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


def test_bytes_stay_within_two_a_membership_and_twenty_four_a_recording() -> None:
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
    assert len(data) <= 2 * day.memberships + 24 * day.recordings


@pytest.mark.parametrize("count", [1, 255, 256, 257, 65_535, 65_536, 66_000])
@pytest.mark.parametrize("bits", [64, 4])
def test_hashes_of_any_number_of_recordings_come_back_whole(count: int, bits: int) -> None:
    names = [f"{number:032x}" for number in range(count)]
    day = build_day({"1": names}, KEY, bits)
    assert decode(encode(day)) == day
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
