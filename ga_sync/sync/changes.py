"""What replacing days changes about who is in which segment (pure).

A recording is in a segment when any day says so, so a change of some days changes a membership only where no other day
says so. An account of changes is written like a day: its "segments" are ``+S`` (entered S) and ``-S`` (left S).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from ga_sync.index.codec import DayData
from ga_sync.index.day import build_day, build_day_from_columns
from ga_sync.index.ids import HASH_BITS, IdCipher, IdColumn, chained
from ga_sync.index.sets import numbers, set_of

ENTERED, LEFT = "+", "-"
Groups = NDArray[np.int64]


def differences(
    before: Sequence[DayData], after: Sequence[DayData], key: bytes, bits: int = HASH_BITS
) -> DayData:
    """Who entered and who left which segment, where ``before`` gives way to ``after`` and there are no other days.

    Args:
        before: the days that go.
        after: the days that come.
        key: the link's hash key, with which all of them were built.
        bits: width of the hash; 64 except in tests of collisions.
    """
    days = [*before, *after]
    ids = chained([day.ids for day in days], IdCipher(key, bits))
    groups = _grouped(ids)
    starts = np.cumsum([0, *(len(day.ids) for day in days)], dtype=np.int64).tolist()
    was, is_ = _members(before, groups, starts), _members(after, groups, starts[len(before) :])
    told: dict[str, BitMap] = {}
    for segment in {*was, *is_}:
        old, new = was.get(segment, BitMap()), is_.get(segment, BitMap())
        told |= {f"{ENTERED}{segment}": new - old, f"{LEFT}{segment}": old - new}
    return _account(ids, groups, told, key, bits)


def _grouped(ids: IdColumn) -> Groups:
    """The number of each occurrence's recording: the place of its first occurrence."""
    hashes = ids.hashes
    order = np.argsort(hashes, kind="stable")
    same_hash = hashes[order][1:] == hashes[order][:-1]
    alike = np.flatnonzero(same_hash)
    same, taken = same_hash.copy(), ids.take(order)
    same[alike] = taken.same(alike, taken, alike + 1)
    if (same != same_hash).any():
        return _grouped_slowly(ids)
    firsts = np.flatnonzero(np.append(np.ones(min(1, len(order)), np.bool_), ~same))
    groups = np.empty(len(order), np.int64)
    groups[order] = np.repeat(order[firsts], np.diff(np.append(firsts, len(order))))
    return groups


def _grouped_slowly(ids: IdColumn) -> Groups:
    """Two recordings share a hash: told apart by their ids."""
    firsts: dict[str, int] = {}
    return np.fromiter((firsts.setdefault(one, place) for place, one in enumerate(ids)), np.int64, len(ids))


def _members(days: Sequence[DayData], groups: Groups, starts: Sequence[int]) -> dict[str, BitMap]:
    """Segment → the numbers of its recordings on any of the days."""
    parts: dict[str, list[BitMap]] = {}
    for day, start in zip(days, starts, strict=False):
        for segment, bitmap in day.segments.items():
            found = groups[numbers(bitmap).astype(np.int64) + start]
            parts.setdefault(segment, []).append(set_of(np.sort(found)))
    return {segment: BitMap.union(*found) for segment, found in parts.items()}


def _account(ids: IdColumn, groups: Groups, told: Mapping[str, BitMap], key: bytes, bits: int) -> DayData:
    used = BitMap.union(*told.values()) if told else BitMap()
    places = numbers(used).astype(np.int64)
    rank = np.zeros(len(groups), np.int64)
    rank[places] = np.arange(len(places))
    columns = {name: rank[numbers(found).astype(np.int64)] for name, found in told.items()}
    return build_day_from_columns(ids.take(places).strings(np.arange(len(places))), columns, key, bits)


def unless_held(account: DayData, other: DayData, key: bytes, bits: int = HASH_BITS) -> DayData:
    """The account without the memberships that another day shows, before and after; itself where there are none."""
    mine, theirs = other.ids.find(account.ids)
    gone = {
        name: BitMap(mine[np.isin(theirs, numbers(other.segments[name[1:]]))].tolist())
        for name in account.segments
        if name[1:] in other.segments
    }
    if not any(gone[name] & account.segments[name] for name in gone):
        return account
    left = {name: bitmap - gone.get(name, BitMap()) for name, bitmap in account.segments.items()}
    columns = {name: numbers(bitmap).astype(np.int64) for name, bitmap in left.items()}
    return build_day_from_columns(list(account.ids), columns, key, bits)


def only_left(account: DayData, ids: Sequence[str], key: bytes, bits: int = HASH_BITS) -> DayData:
    """An earlier account, where these recordings are forgotten: nothing of them but that they left."""
    gone = set(ids)
    told = {name: [one for one in _named(account, name) if one not in gone] for name in account.segments}
    for name in account.segments:
        if name.startswith(LEFT):
            told[name] = list(_named(account, name))
    return build_day({name: found for name, found in told.items() if found}, key, bits)


def _named(account: DayData, name: str) -> Iterator[str]:
    return iter(account.ids.strings(numbers(account.segments[name]).astype(np.int64)))
