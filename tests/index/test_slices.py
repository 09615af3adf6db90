"""Everything an index holds, slice by slice, in the order of the hashes."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index.day import build_day
from ga_sync.index.query import LinkIndex
from ga_sync.index.slices import Slice, slice_of_day

KEY = b"k" * 32
IDS = st.sampled_from([f"{number:032x}" for number in range(12)] + ["a", "ü", "\0", "x" * 100])
MEMBERSHIPS = st.dictionaries(st.sampled_from(["1", "2", "10"]), st.sets(IDS, max_size=9), max_size=3)
DAYS = st.lists(MEMBERSHIPS, max_size=5)
BITS = st.sampled_from([64, 3, 1])


def walk(index: LinkIndex, limit: int) -> list[tuple[str, list[str]]]:
    """Every slice, one after the other."""
    found: list[tuple[str, list[str]]] = []
    after: int | None = None
    while True:
        page: Slice = index.slice_by_hash(after, limit)
        found += page.recordings
        if page.last is None:
            return found
        after = page.last


@given(DAYS, BITS, st.integers(1, 6))
def test_slices_hold_every_recording_once_with_all_its_segments(
    days: list[dict[str, set[str]]], bits: int, limit: int
) -> None:
    built = {date(2026, 11, 1 + at): build_day(day, KEY, bits) for at, day in enumerate(days)}
    true: dict[str, set[str]] = {}
    for day in days:
        for segment, ids in day.items():
            for one in ids:
                true.setdefault(one, set()).add(segment)
    found = walk(LinkIndex.assemble(built, KEY, bits), limit)
    assert len(found) == len(true)
    assert {name: set(segments) for name, segments in found} == true
    assert all(segments == sorted(segments, key=lambda one: (len(one), one)) for _, segments in found)


@given(DAYS, BITS, st.integers(1, 6), MEMBERSHIPS)
def test_a_day_that_is_replaced_between_slices_moves_nobody_else(
    days: list[dict[str, set[str]]], bits: int, limit: int, new: dict[str, set[str]]
) -> None:
    built = {date(2026, 11, 1 + at): build_day(day, KEY, bits) for at, day in enumerate(days)}
    before = LinkIndex.assemble(built, KEY, bits)
    after = before.patched(date(2026, 11, 3), build_day(new, KEY, bits))
    first = before.slice_by_hash(None, limit)
    rest: list[tuple[str, list[str]]] = []
    place = first.last
    while place is not None:
        page = after.slice_by_hash(place, limit)
        rest += page.recordings
        place = page.last
    met = [name for name, _ in [*first.recordings, *rest]]
    stays = {name for name, _ in walk(before, 100)} & {name for name, _ in walk(after, 100)}
    assert len(met) == len(set(met))
    assert first.last is None or stays <= set(met)


@given(MEMBERSHIPS, BITS, st.integers(1, 6))
def test_a_single_day_is_sliced_alike(day: dict[str, set[str]], bits: int, limit: int) -> None:
    built = build_day(day, KEY, bits)
    index = LinkIndex.assemble({date(2026, 11, 1): built}, KEY, bits)
    after: int | None = None
    while True:
        mine, theirs = slice_of_day(built, after, limit), index.slice_by_hash(after, limit)
        assert mine == theirs
        if mine.last is None:
            return
        after = mine.last
