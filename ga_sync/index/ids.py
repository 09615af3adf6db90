"""A column of recording ids in compact form, and the keyed hash they are looked up by.

Ids are opaque: never trimmed, folded or normalised. An id of exactly 32 lower-case hex digits (what recorders
issue) is held in 16 bytes, as a block of the link's cipher; every other id is held as its UTF-8 bytes. The two forms
never overlap, so equal ids are always held alike.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ga_sync.index.cipher import HASH_BITS, IdCipher, Words

__all__ = [
    "HASH_BITS",
    "IdCipher",
    "IdColumn",
    "Words",
    "chained",
    "column",
    "digits",
    "is_packable",
]

Numbers: TypeAlias = NDArray[np.uint32]
Positions: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Pairs: TypeAlias = tuple[Positions, Positions]
"""Of one length: which of the ids asked, and where it stands."""

DIGITS = 32
BYTES = 16
_LONG = 1 << 32
_PACKABLE = re.compile(r"[0-9a-f]{32}\Z")


class IdColumn:
    """An immutable sequence of ids; positions count from 0. Columns are compared under one cipher alone.

    Attributes:
        cipher: The link's.
        leads: Of each id the first word of its block, or the hash of a text.
        rests: The second words of the packed ids, in order of position.
        text_at: Ascending positions of the ids that are held as text.
        text: Their UTF-8 bytes, one after the other.
        bounds: len(text_at) + 1 offsets into `text`.
    """

    __slots__ = ("bounds", "cipher", "leads", "rests", "text", "text_at")

    def __init__(
        self,
        cipher: IdCipher,
        leads: Words,
        rests: Words,
        text_at: Numbers,
        text: bytes | memoryview,
        bounds: Numbers | Positions,
    ) -> None:
        self.cipher = cipher
        self.leads = leads
        self.rests = rests
        self.text_at = text_at
        self.text = text
        self.bounds = bounds

    def __len__(self) -> int:
        return len(self.leads)

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings(np.arange(len(self), dtype=np.int64)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdColumn):
            return NotImplemented
        pairs = (
            (getattr(self, name), getattr(other, name)) for name in ("leads", "rests", "text_at", "bounds")
        )
        return self.text == other.text and all(np.array_equal(mine, theirs) for mine, theirs in pairs)

    __hash__ = None  # type: ignore[assignment]  # compared by value, never a key

    @property
    def hashes(self) -> Words:
        """The keyed hash of each id."""
        return self.cipher.hashes(self.leads)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        arrays = self.leads.nbytes + self.rests.nbytes + self.text_at.nbytes + self.bounds.nbytes
        return arrays + len(self.text)

    def sort_key(self, position: int) -> tuple[int, bool, bytes]:
        """Give what ids are ordered by: their first word, blocks before texts, and then what tells them apart.

        Equal for equal ids only.
        """
        lead = self.leads.item(position)
        if len(self.text_at):
            rank = int(self.text_at.searchsorted(np.uint32(position)))
            if rank < len(self.text_at) and self.text_at[rank] == position:
                return lead, True, self._text(rank)
            position -= rank
        return lead, False, int(self.rests[position]).to_bytes(8, "big")

    def is_same(self, mine: int, other: "IdColumn", theirs: int) -> bool:
        """Compare one id with one of another column."""
        if len(self.text_at) or len(other.text_at):
            return self.sort_key(mine) == other.sort_key(theirs)
        return bool(self.leads[mine] == other.leads[theirs] and self.rests[mine] == other.rests[theirs])

    def order(self) -> Positions:
        """Give the positions in the order of `sort_key`."""
        order = np.argsort(self.leads, kind="stable")
        ascending = self.leads[order]
        if (ascending[1:] == ascending[:-1]).any():
            order = np.array(sorted(range(len(self)), key=self.sort_key), np.int64)
        return order

    def _text(self, rank: int) -> bytes:
        return bytes(self.text[self.bounds[rank] : self.bounds[rank + 1]])

    def strings(self, positions: Numbers | Positions) -> list[str]:
        """Give the ids at these positions, in the order asked."""
        if not len(self.text_at):
            return digits(self.cipher, self.leads.take(positions), self.rests.take(positions))
        ranks, is_text = self.ranks(positions)
        packed = iter(
            digits(self.cipher, self.leads[positions[~is_text]], self._rests(positions, ranks, is_text))
        )
        return [
            self._text(rank).decode(errors="surrogatepass") if text else next(packed)
            for rank, text in zip(ranks.tolist(), is_text.tolist(), strict=True)
        ]

    def _rests(self, positions: Numbers | Positions, ranks: Positions, is_text: Flags) -> Words:
        rests: Words = self.rests[(positions - ranks)[~is_text]]
        return rests

    def part(self, start: int, stop: int) -> "IdColumn":
        """Give the ids from one position to another, not included; they share their memory with these."""
        low, high = self.text_at.searchsorted(np.array([start, stop], np.uint32)).tolist()
        bounds = self.bounds[low : high + 1]
        return IdColumn(
            self.cipher,
            self.leads[start:stop],
            self.rests[start - low : stop - high],
            self.text_at[low:high] - np.uint32(start),
            memoryview(self.text)[bounds[0] : bounds[-1]],
            (bounds - bounds[0]).astype(np.uint32),
        )

    def take(self, positions: Positions) -> "IdColumn":
        """Give the column of the ids at these positions, in the order asked."""
        leads = self.leads[positions]
        if not len(self.text_at):
            return IdColumn(self.cipher, leads, self.rests[positions], *_no_text())
        ranks, is_text = self.ranks(positions)
        texts = [self._text(rank) for rank in ranks[is_text]]
        at = np.flatnonzero(is_text).astype(np.uint32)
        return IdColumn(self.cipher, leads, self._rests(positions, ranks, is_text), at, *_joined(texts))

    def same(self, mine: Positions, other: "IdColumn", theirs: Positions) -> Flags:
        """Compare the ids at `mine` with those at `theirs` in the other column, pair by pair."""
        result: Flags = self.leads[mine] == other.leads[theirs]
        if not len(self.text_at) and not len(other.text_at):
            result &= self.rests[mine] == other.rests[theirs]
            return result
        my_ranks, my_text = self.ranks(mine)
        their_ranks, their_text = other.ranks(theirs)
        result &= my_text == their_text
        packed, texts = np.flatnonzero(result & ~my_text), np.flatnonzero(result & my_text)
        result[packed] = self.rests[(mine - my_ranks)[packed]] == other.rests[(theirs - their_ranks)[packed]]
        for pair in texts:
            result[pair] = self.sort_key(int(mine[pair])) == other.sort_key(int(theirs[pair]))
        return result

    def find(self, ids: "IdColumn") -> Pairs:
        """Find the positions of those of these ids that are here; this column must be in its order."""
        held, hashes = self.hashes, ids.hashes
        order = np.argsort(hashes)  # neighbours are looked up one after the other: kinder to the memory
        hashes = hashes[order]
        first = held.searchsorted(hashes)
        count = held.searchsorted(hashes, side="right") - first
        asked = np.repeat(order, count)
        at = np.arange(len(asked), dtype=np.int64) + np.repeat(first - np.cumsum(count) + count, count)
        same = ids.same(asked, self, at)
        return asked[same], at[same]

    def ranks(self, positions: Numbers | Positions) -> tuple[Positions, Flags]:
        """Count the texts before each position, and say whether a text stands on it."""
        ranks = self.text_at.searchsorted(positions.astype(np.uint32)).astype(np.int64)
        padded = np.append(self.text_at.astype(np.int64), -1)
        return ranks, padded[ranks] == positions


def digits(cipher: IdCipher, leads: Words, rests: Words) -> list[str]:
    """Give the packed ids of these words."""
    joined: str = cipher.packed(leads, rests).hex(" ", BYTES)
    return joined.split()


def _no_text() -> tuple[Numbers, bytes, Numbers]:
    return np.empty(0, np.uint32), b"", np.zeros(1, np.uint32)


def _joined(texts: Sequence[bytes]) -> tuple[bytes, Numbers]:
    lengths = np.fromiter(map(len, texts), np.uint32, len(texts))
    return b"".join(texts), np.append(np.zeros(1, np.uint32), np.cumsum(lengths, dtype=np.uint32))


def column(ids: Sequence[str], cipher: IdCipher) -> IdColumn:
    """Hold these ids, in this order. A lone surrogate is kept as such, and so equals no id that was ever stored."""
    packed = _all_packed(ids)
    if packed is not None:
        leads, rests = cipher.blocks(packed)
        return IdColumn(cipher, leads, rests, *_no_text())
    is_text = np.fromiter((_PACKABLE.match(id_) is None for id_ in ids), np.bool_, len(ids))
    written = "".join(id_ for id_, text in zip(ids, is_text.tolist(), strict=True) if not text)
    texts = [ids[at].encode(errors="surrogatepass") for at in np.flatnonzero(is_text).tolist()]
    leads = np.empty(len(ids), np.uint64)
    leads[~is_text], rests = cipher.blocks(unhexlify(written))
    leads[is_text] = cipher.leads(texts)
    return IdColumn(cipher, leads, rests, np.flatnonzero(is_text).astype(np.uint32), *_joined(texts))


def _all_packed(ids: Sequence[str]) -> bytes | None:
    """Pack ids all at once if every one of them can be: the usual case, and much faster than one by one.

    Between any two of them stands what is no digit; so if all else are digits, each id is what stands between.
    """
    joined = ",".join(ids).encode(errors="surrogatepass") + b","
    if len(joined) != (DIGITS + 1) * len(ids):
        return None
    lines = np.frombuffer(joined, np.uint8).reshape(-1, DIGITS + 1)
    written = lines[:, :DIGITS].tobytes()
    if (lines[:, DIGITS] != joined[-1]).any() or written != written.lower():
        return None
    try:
        return unhexlify(written)
    except ValueError:
        return None


def chained(columns: Sequence[IdColumn], cipher: IdCipher) -> IdColumn:
    """Join columns, all under this cipher, end to end."""
    lengths = np.cumsum([0, *map(len, columns)], dtype=np.int64)
    at = [part.text_at.astype(np.int64) + lengths[number] for number, part in enumerate(columns)]
    ends = np.cumsum([0, *(len(part.text) for part in columns)], dtype=np.int64)
    bounds = [part.bounds[1:].astype(np.int64) + ends[number] for number, part in enumerate(columns)]
    all_bounds = np.concatenate([np.zeros(1, np.int64), *bounds])
    no_words = np.empty(0, np.uint64)
    return IdColumn(
        cipher,
        np.concatenate([no_words, *(part.leads for part in columns)]),
        np.concatenate([no_words, *(part.rests for part in columns)]),
        np.concatenate([np.empty(0, np.int64), *at]).astype(np.uint32),
        b"".join(part.text for part in columns),
        all_bounds if ends[-1] >= _LONG else all_bounds.astype(np.uint32),
    )


def is_packable(text: bytes) -> bool:
    """Say whether these UTF-8 bytes are an id that must be held packed."""
    return len(text) == DIGITS and _PACKABLE.match(text.decode("latin-1")) is not None
