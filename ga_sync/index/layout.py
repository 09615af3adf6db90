"""The days of a link side by side: where each occurrence of a recording stands, and back.

Each occurrence of a recording on a day has an *ordinal*: days ascending, and within the day the day's own order. The
ids of all days lie in one column that is made together with the directory, and days that have been replaced since
beside it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from ga_sync.index.directory import Directory
from ga_sync.index.ids import IdCipher, IdColumn, Numbers, Pairs, Positions, Words, chained, digits

MAX_FRESH = 8
"""So many replaced days are searched one by one before the directory is sorted anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The ids of one day. Compared by identity: the same object is the same day, unchanged."""

    ids: IdColumn


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The days as they were when the directory was sorted; some may have been replaced since.

    Attributes:
        blocks: One a day.
        directory: Where their ids stand.
        ids: All of their ids end to end, by address; the blocks are parts of it.
    """

    blocks: tuple[Block, ...]
    directory: Directory
    ids: IdColumn

    def find(self, ids: IdColumn) -> Pairs:
        """Find the addresses of these ids. An equal hash proves nothing: every bit of the ids is compared."""
        asked, addresses = self.directory.candidates(ids.hashes)
        same = ids.same(asked, self.ids, addresses)
        return asked[same], addresses[same]


def _listing(columns: Sequence[IdColumn], cipher: IdCipher) -> Listing:
    ids = chained(columns, cipher)
    directory = Directory([one.hashes for one in columns])
    blocks = tuple(Block(ids.part(low, high)) for low, high in pairwise(directory.bounds.tolist()))
    return Listing(blocks, directory, ids)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The days in order, and where their ordinals begin.

    Attributes:
        days: Ascending.
        blocks: One a day.
        bounds: First ordinal of each day, and one past the last; int64.
        begins: The same as plain numbers: a single ordinal is found in it sooner.
        listing: The days when the directory was sorted.
        bases: First ordinal of each day of the listing, or -1 where it is not among these any more.
        starts: First address of each day, or -1 where it is not in the listing.
        plain: Whether no id is held as text.
        as_listed: Whether no day was replaced since: then every address in the listing is an ordinal.
    """

    days: tuple[date, ...]
    blocks: tuple[Block, ...]
    bounds: Positions
    begins: tuple[int, ...]
    listing: Listing
    bases: Positions
    starts: Positions
    plain: bool
    as_listed: bool

    def find(self, ids: IdColumn) -> Pairs:
        """Find every occurrence of these ids.

        Returns:
            Two arrays of one length: which of the ids asked, and an ordinal where it stands.
        """
        asked, addresses = self.listing.find(ids)
        if self.as_listed:
            return asked, addresses
        listed = self.listing.directory.bounds.searchsorted(addresses, side="right") - 1
        ordinals = self.bases[listed] + addresses - self.listing.directory.bounds[listed]
        held = self.bases[listed] >= 0
        found = [(asked[held], ordinals[held])]
        for number in np.flatnonzero(self.starts < 0).tolist():
            asked, at = self.blocks[number].ids.find(ids)
            found.append((asked, at + self.bounds[number]))
        return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])

    @property
    def cipher(self) -> IdCipher:
        """The link's."""
        return self.listing.ids.cipher

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        beside = sum(self.blocks[number].ids.nbytes for number in np.flatnonzero(self.starts < 0))
        return self.listing.directory.nbytes + self.listing.ids.nbytes + beside

    @property
    def size(self) -> int:
        """How many ordinals there are."""
        return int(self.bounds[-1])

    def block_of(self, ordinal: int) -> int:
        """Give the number of the day on which an ordinal lies."""
        return bisect_right(self.begins, ordinal) - 1

    def runs(self, ordinals: Numbers | Positions) -> list[tuple[int, Positions]]:
        """Split ascending or descending ordinals into (number of the day, positions in it)."""
        if not len(ordinals):
            return []
        only = self.block_of(int(ordinals[0]))
        if only == self.block_of(int(ordinals[-1])):  # as on most first pages
            return [(only, ordinals - self.bounds[only])]
        blocks = self.bounds.searchsorted(ordinals, side="right") - 1
        cuts = [0, *(np.flatnonzero(blocks[1:] != blocks[:-1]) + 1).tolist(), len(ordinals)]
        return [
            (int(blocks[start]), ordinals[start:stop] - self.bounds[blocks[start]])
            for start, stop in pairwise(cuts)
            if start < stop
        ]

    def strings_at(self, ordinals: Numbers | Positions) -> list[str]:
        """Give the ids at ascending or descending ordinals as text, in their order."""
        if not len(ordinals):
            return []
        if self.as_listed:
            return self.listing.ids.strings(ordinals)
        first, last = self.block_of(int(ordinals[0])), self.block_of(int(ordinals[-1]))
        if first == last:  # as on most first pages
            return self.blocks[first].ids.strings(ordinals - self.bounds[first])
        if not self.plain:
            parts = self.runs(ordinals)
            return [id_ for number, part in parts for id_ in self.blocks[number].ids.strings(part)]
        return digits(self.cipher, *self._words(ordinals))

    def _words(self, ordinals: Numbers | Positions) -> tuple[Words, Words]:
        """Give the words of packed ids wherever they stand."""
        numbers = self.bounds.searchsorted(ordinals, side="right") - 1
        starts, positions = self.starts[numbers], ordinals - self.bounds[numbers]
        addresses = np.maximum(starts, 0) + np.where(starts < 0, 0, positions)
        leads, rests = self.listing.ids.leads[addresses], self.listing.ids.rests[addresses]
        for place in np.flatnonzero(starts < 0).tolist():
            ids, at = self.blocks[numbers[place]].ids, positions[place]
            leads[place], rests[place] = ids.leads[at], ids.rests[at]
        return leads, rests

    def ids_at(self, ordinals: Positions) -> IdColumn:
        """Give the ids at ascending or descending ordinals."""
        parts = [self.blocks[number].ids.take(positions) for number, positions in self.runs(ordinals)]
        return chained(parts, self.cipher)

    def between(self, frm: date | None, to: date | None) -> tuple[int, int]:
        """Give the numbers of the days from..to: the first, and one past the last."""
        first = 0 if frm is None else bisect_left(self.days, frm)
        last = len(self.days) if to is None else bisect_right(self.days, to)
        return first, max(first, last)


def lay_out(days: Sequence[date], blocks: Sequence[Block], known: Listing | None, cipher: IdCipher) -> Layout:
    """Place the days; with a listing already known, go on using it while few of its days have been replaced."""
    if known is None or len(set(blocks) - set(known.blocks)) > MAX_FRESH:
        known = _listing([block.ids for block in blocks], cipher)
        blocks = known.blocks
    bounds = np.cumsum([0, *(len(block.ids) for block in blocks)], dtype=np.int64)
    bases = dict(zip(blocks, bounds.tolist(), strict=False))
    starts = dict(zip(known.blocks, known.directory.bounds.tolist(), strict=False))
    return Layout(
        tuple(days),
        tuple(blocks),
        bounds,
        tuple(bounds.tolist()),
        known,
        np.array([*(bases.get(block, -1) for block in known.blocks), -1], np.int64),
        np.array([starts.get(block, -1) for block in blocks], np.int64),
        not any(len(block.ids.text_at) for block in blocks),
        tuple(blocks) == known.blocks,
    )
