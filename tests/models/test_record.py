"""The sealed record: what it looks like, and everything that must not open."""

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from models import record
from models.errors import SealBroken
from models.sealed import Place, Sealed
from tests.models.bench import MIB, PLACE, independent_open

KEY = bytes(range(32))
FULL = MIB + record.OVERHEAD
THREE = 3 * MIB - 5
"""What is sealed as three whole chunks."""
SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB]
# Inside the encryption: powers of two, then sixteenths of one.
BUCKETS = [64 << n for n in range(11)] + [4096 * part << n for n in range(7) for part in range(17, 33)]
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
places = st.builds(Place, names, names, names, names, st.integers(0, 2**63))


def sealed(plaintext: bytes, place: Place = PLACE, dek_id: int = 7) -> Sealed:
    return record.seal(KEY, dek_id, place, plaintext, os.urandom)


def refused(box: Sealed, place: Place = PLACE, key: bytes = KEY) -> str:
    with pytest.raises(SealBroken) as caught:
        record.open_(key, place, box)
    return str(caught.value)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_here_and_by_the_description_alone(size: int) -> None:
    plaintext = os.urandom(size)
    box = sealed(plaintext)
    assert record.open_(KEY, PLACE, box) == plaintext
    assert independent_open(KEY, PLACE, box.ciphertext) == plaintext


@pytest.mark.parametrize(
    ("size", "inside", "chunks"),
    [
        (0, 64, 1),
        (63, 64, 1),
        (64, 128, 1),
        (40_000, 65_536, 1),
        (65_535, 65_536, 1),
        (65_536, 69_632, 1),
        (MIB - 1, MIB, 1),
        (MIB, MIB * 17 // 16, 2),
        (3 * MIB, MIB * 25 // 8, 4),
    ],
)
def test_a_record_is_35_bytes_a_chunk_longer_than_what_its_plaintext_is_padded_to(
    size: int, inside: int, chunks: int
) -> None:
    assert len(sealed(bytes(size)).ciphertext) == inside + 35 * chunks
    assert record.messages(size) == chunks


@given(
    st.sampled_from([bucket for bucket in BUCKETS if bucket < 2 * MIB]),
    st.integers(-2, 2),
    st.sampled_from([b"\0", b"\x80", b"x"]),
)
def test_every_length_around_a_bucket_comes_back_whole_whatever_it_ends_with(
    bucket: int, off: int, last: bytes
) -> None:
    plaintext = bytes(bucket + off - 1) + last
    box = sealed(plaintext)
    assert record.open_(KEY, PLACE, box) == plaintext
    assert independent_open(KEY, PLACE, box.ciphertext) == plaintext


@given(st.integers(0, 5 * MIB), st.integers(0, 5 * MIB))
def test_lengths_of_one_bucket_look_alike_and_none_grows_by_more_than_a_sixteenth_from_64_kib_on(
    one: int, other: int
) -> None:
    def bucket(size: int) -> int:
        return next(bucket for bucket in BUCKETS if bucket > size)

    for size in (one, other):
        assert record.padded(size) == bucket(size)
        assert size < 64 * 1024 or bucket(size) <= (size + 1) * 17 / 16
    alike = len(sealed(bytes(one)).ciphertext) == len(sealed(bytes(other)).ciphertext)
    assert alike == (bucket(one) == bucket(other))


@pytest.mark.parametrize(
    "inside", [b"", b"\0", bytes(64), b"value", b"value\x80\0\1", b"\x80" + bytes(63) + b"x"]
)
def test_what_is_authentic_but_not_padded_as_ours_does_not_open(inside: bytes) -> None:
    """Only a mistake of ours can seal such a value; it ends in the words of every other refusal."""
    nonce = os.urandom(12)
    closed = AESGCM(KEY).encrypt(nonce, inside, record.associated_data(PLACE, 7, 0, 1))
    box = Sealed(record.HEADER.pack(0x47, 1, 1, 7) + nonce + closed)
    assert refused(box) == "a sealed value does not open in its place"


def test_a_value_whose_padding_fills_chunks_of_its_own_opens_and_its_beginning_does_too() -> None:
    """From 32 MiB on a sixteenth is longer than a chunk, so whole chunks are padding."""
    plaintext = b"x" * (32 * MIB)
    data = sealed(plaintext).ciphertext
    assert len(data) == 34 * FULL
    assert record.open_(KEY, PLACE, Sealed(data)) == plaintext
    assert record.open_prefix(KEY, PLACE, Sealed(data[: 2 * FULL]), len(data)) == plaintext[: 2 * MIB]
    beyond = record.open_prefix(KEY, PLACE, Sealed(data[: 33 * FULL]), len(data))
    assert beyond == plaintext + b"\x80" + bytes(MIB - 1)


@given(places, st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_value_opens_in_any_place(place: Place, plaintext: bytes, dek_id: int) -> None:
    box = sealed(plaintext, place, dek_id)
    assert record.dek_id_of(box) == dek_id
    assert record.open_(KEY, place, box) == plaintext
    assert independent_open(KEY, place, box.ciphertext) == plaintext


def test_the_same_value_never_looks_the_same() -> None:
    assert len({sealed(b"same").ciphertext for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, customer_id="other"),
        replace(PLACE, table="links"),
        replace(PLACE, column="name"),
        replace(PLACE, row="row-2"),
        replace(PLACE, generation=PLACE.generation - 1),
        # Lengths are bound too: the same letters cut at another place are another place.
        replace(PLACE, customer_id="acmeg", table="rants"),
    ],
)
def test_a_value_moved_elsewhere_does_not_open(elsewhere: Place) -> None:
    assert refused(sealed(b"value"), elsewhere) == "a sealed value does not open in its place"


def test_another_key_does_not_open() -> None:
    refused(sealed(b"value"), key=bytes(32))


def test_a_record_relabelled_with_another_data_key_does_not_open() -> None:
    data = sealed(b"value", dek_id=7).ciphertext
    refused(Sealed(data[:3] + (8).to_bytes(4, "big") + data[7:]))


def test_any_changed_byte_is_noticed() -> None:
    data = sealed(b"0123456789").ciphertext
    for index in range(len(data)):
        refused(Sealed(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]))


def test_any_truncation_is_noticed() -> None:
    data = sealed(b"0123456789").ciphertext
    for length in range(len(data)):
        refused(Sealed(data[:length]))


@pytest.mark.parametrize("more", [1, 34, 35, 100])
def test_any_extension_is_noticed(more: int) -> None:
    refused(Sealed(sealed(b"value").ciphertext + bytes(more)))


def test_chunks_can_be_neither_dropped_repeated_reordered_nor_mixed() -> None:
    def pieces() -> list[bytes]:
        data = sealed(bytes(THREE)).ciphertext
        return [data[start : start + FULL] for start in range(0, len(data), FULL)]

    a, b, c = pieces()
    other = sealed(bytes(THREE), replace(PLACE, row="row-2")).ciphertext[:FULL]
    assert record.open_(KEY, PLACE, Sealed(a + b + c)) == bytes(THREE)
    for wrong in ([a, b], [b, c], [a], [a, c, b], [a, b, b], [a, b, c, c], [other, b, c]):
        refused(Sealed(b"".join(wrong)))


@pytest.mark.parametrize("size", SIZES)
def test_the_chunks_at_the_beginning_open_without_the_others(size: int) -> None:
    plaintext = os.urandom(size)
    data = sealed(plaintext).ciphertext
    for wanted in {1, min(size, MIB), min(size, MIB + 1), size}:
        prefix = Sealed(data[: record.prefix_bytes(wanted)])
        opened = record.open_prefix(KEY, PLACE, prefix, len(data)) if wanted else b""
        whole = plaintext + b"\x80" + bytes(record.padded(size) - size - 1)
        assert (plaintext if len(prefix.ciphertext) >= len(data) else whole).startswith(opened)
        assert len(opened) >= min(wanted, size)


def test_a_prefix_shows_nothing_but_the_true_beginning_of_the_whole_value() -> None:
    """Neither altered, cut inside a chunk, moved, nor with chunks of another number or of a value of another length."""
    data = sealed(os.urandom(THREE)).ciphertext
    total, one, two = len(data), data[:FULL], data[: 2 * FULL]
    assert (
        record.open_prefix(KEY, PLACE, Sealed(two), total)
        == record.open_(KEY, PLACE, Sealed(data))[: 2 * MIB]
    )
    longer = sealed(bytes(4 * MIB)).ciphertext
    for prefix, whole, place, key in (
        (one[:100] + bytes([one[100] ^ 1]) + one[101:], total, PLACE, KEY),
        (two[:-1], total, PLACE, KEY),
        (two[: FULL + 20], total, PLACE, KEY),
        (one[:9], total, PLACE, KEY),
        (b"", total, PLACE, KEY),
        (one, FULL, PLACE, KEY),
        (one, 2 * FULL, PLACE, KEY),
        (one, total + FULL, PLACE, KEY),
        (one, 0, PLACE, KEY),
        (two[FULL:], total, PLACE, KEY),
        (longer[:FULL], total, PLACE, KEY),
        (one + longer[FULL : 2 * FULL], total, PLACE, KEY),
        (data + longer[-FULL:], total, PLACE, KEY),
        (one, total, replace(PLACE, row="row-2"), KEY),
        (one, total, PLACE, bytes(32)),
    ):
        with pytest.raises(SealBroken):
            record.open_prefix(key, place, Sealed(prefix), whole)


def test_a_later_chunk_cut_short_or_relabelled_is_noticed() -> None:
    data = sealed(bytes(MIB + 1)).ciphertext
    refused(Sealed(data[:-1]))
    refused(Sealed(data[: FULL + 20]))
    relabelled = data[: FULL + 3] + (8).to_bytes(4, "big") + data[FULL + 7 :]
    refused(Sealed(relabelled))


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_format_from_elsewhere_or_from_the_future_fails_closed(offset: int) -> None:
    data = bytearray(sealed(b"value").ciphertext)
    data[offset] += 1
    assert "format" in refused(Sealed(bytes(data)))


def test_every_tampering_is_told_in_the_same_words() -> None:
    data = sealed(b"value").ciphertext
    flipped = Sealed(data[:-1] + bytes([data[-1] ^ 1]))
    assert (
        refused(flipped)
        == refused(sealed(b"value"), replace(PLACE, row="x"))
        == refused(sealed(b""), key=bytes(32))
    )


def test_a_name_too_long_to_be_bound_is_refused_when_sealing() -> None:
    with pytest.raises(Exception, match="format requires"):
        sealed(b"", replace(PLACE, row="x" * 65536))
