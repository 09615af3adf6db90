"""The sealed record: what it looks like, and everything that must not open."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import record
from models.errors import SealBroken
from models.sealed import Place, Sealed
from tests.models.bench import MIB, PLACE, independent_open

KEY = bytes(range(32))
FULL = MIB + record.OVERHEAD
SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB]
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


@pytest.mark.parametrize(("size", "chunks"), list(zip(SIZES, [1, 1, 1, 1, 2, 3], strict=True)))
def test_a_record_is_35_bytes_a_chunk_longer_than_its_plaintext(size: int, chunks: int) -> None:
    assert len(sealed(bytes(size)).ciphertext) == size + 35 * chunks


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
        data = sealed(bytes(3 * MIB)).ciphertext
        return [data[start : start + FULL] for start in range(0, len(data), FULL)]

    a, b, c = pieces()
    other = sealed(bytes(3 * MIB), replace(PLACE, row="row-2")).ciphertext[:FULL]
    assert record.open_(KEY, PLACE, Sealed(a + b + c)) == bytes(3 * MIB)
    for wrong in ([a, b], [b, c], [a], [a, c, b], [a, b, b], [a, b, c, c], [other, b, c]):
        refused(Sealed(b"".join(wrong)))


@pytest.mark.parametrize("size", SIZES)
def test_the_chunks_at_the_beginning_open_without_the_others(size: int) -> None:
    plaintext = os.urandom(size)
    data = sealed(plaintext).ciphertext
    for wanted in {1, min(size, MIB), min(size, MIB + 1), size}:
        prefix = Sealed(data[: record.prefix_bytes(wanted)])
        opened = record.open_prefix(KEY, PLACE, prefix, len(data)) if wanted else b""
        assert plaintext.startswith(opened)
        assert len(opened) >= min(wanted, size)


def test_a_prefix_shows_nothing_but_the_true_beginning_of_the_whole_value() -> None:
    """Neither altered, cut inside a chunk, moved, nor with chunks of another number or of a value of another length."""
    data = sealed(os.urandom(3 * MIB - 5)).ciphertext
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
