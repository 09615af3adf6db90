"""A column of recording ids in compact form, and the keyed hash they are looked up by.

Ids are opaque: never trimmed, folded or normalised. An id of exactly 32 lower-case hex digits (what recorders
issue) is held in 16 bytes; every other id is held as its UTF-8 bytes. The two forms never overlap, so equal ids
are always held alike.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
"""Shape (n, 2): 32 hex digits as two little-endian 64-bit words of their 16 bytes."""
Numbers: TypeAlias = NDArray[np.uint32]
Positions: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

HASH_BITS = 64
DIGITS = 32
_PACKED = b"\xff"
"""Stands before 16 packed bytes where they could be taken for a text: no UTF-8 begins with it."""
_PACKABLE = re.compile(r"[0-9a-f]{32}\Z")


class IdColumn:
    """An immutable sequence of ids; positions count from 0.

    Attributes:
        words: The packed ids, in order of position.
        text_at: Ascending positions of the ids that are held as text.
        text: Their UTF-8 bytes, one after the other.
        bounds: len(text_at) + 1 offsets into `text`.
    """

    __slots__ = ("bounds", "text", "text_at", "words")

    def __init__(self, words: Words, text_at: Numbers, text: bytes, bounds: Numbers) -> None:
        self.words = words
        self.text_at = text_at
        self.text = text
        self.bounds = bounds

    def __len__(self) -> int:
        return len(self.words) + len(self.text_at)

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings(np.arange(len(self), dtype=np.int64)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdColumn):
            return NotImplemented
        alike = np.array_equal(self.words, other.words) and np.array_equal(self.text_at, other.text_at)
        return alike and self.text == other.text and np.array_equal(self.bounds, other.bounds)

    __hash__ = None  # type: ignore[assignment]  # compared by value, never a key

    @property
    def nbytes(self) -> int:
        """Bytes of memory held."""
        return self.words.nbytes + self.text_at.nbytes + len(self.text) + self.bounds.nbytes

    def utf8(self, position: int) -> bytes:
        """Give one id as UTF-8 bytes."""
        held = self.identity(position)
        return held[1:].hex().encode() if held[:1] == _PACKED else held

    def identity(self, position: int) -> bytes:
        """Give bytes that are equal for equal ids only; cheaper than `utf8`, and of no meaning outside of this run."""
        if len(self.text_at):
            rank = int(self.text_at.searchsorted(np.uint32(position)))
            if rank < len(self.text_at) and self.text_at[rank] == position:
                return self.text[self.bounds[rank] : self.bounds[rank + 1]]
            position -= rank
        row: bytes = self.words[position].tobytes()
        return _PACKED + row

    def string(self, position: int) -> str:
        """Give one id."""
        if len(self.text_at):
            return self.utf8(position).decode(errors="surrogatepass")
        digits: str = self.words[position].tobytes().hex()
        return digits

    def strings(self, positions: Positions) -> list[str]:
        """Give the ids at these positions, in the order asked."""
        if len(self.text_at):
            return [self.string(position) for position in positions.tolist()]
        digits: str = self.words.take(positions, axis=0).tobytes().hex(" ", DIGITS // 2)
        return digits.split()

    def take(self, positions: Positions) -> "IdColumn":
        """Give the column of the ids at these positions, in the order asked."""
        if not len(self.text_at):
            return IdColumn(self.words[positions], *_no_text())
        ranks, is_text = self.ranks(positions)
        texts = [self.text[self.bounds[rank] : self.bounds[rank + 1]] for rank in ranks[is_text]]
        at = np.flatnonzero(is_text).astype(np.uint32)
        return IdColumn(self.words[(positions - ranks)[~is_text]], at, *_joined(texts))

    def same(self, mine: Positions, other: "IdColumn", theirs: Positions) -> Flags:
        """Compare the ids at `mine` with those at `theirs` in the other column, pair by pair."""
        if not len(self.text_at) and not len(other.text_at):
            return _equal_rows(self.words[mine], other.words[theirs])
        my_ranks, my_text = self.ranks(mine)
        their_ranks, their_text = other.ranks(theirs)
        result: Flags = my_text & their_text
        for pair in np.flatnonzero(result):
            result[pair] = self.utf8(int(mine[pair])) == other.utf8(int(theirs[pair]))
        packed = np.flatnonzero(~my_text & ~their_text)
        rows = self.words[(mine - my_ranks)[packed]], other.words[(theirs - their_ranks)[packed]]
        result[packed] = _equal_rows(*rows)
        return result

    def ranks(self, positions: Positions) -> tuple[Positions, Flags]:
        """Count the texts before each position, and say whether a text stands on it."""
        ranks = self.text_at.searchsorted(positions.astype(np.uint32)).astype(np.int64)
        padded = np.append(self.text_at.astype(np.int64), -1)
        return ranks, padded[ranks] == positions


def _equal_rows(left: Words, right: Words) -> Flags:
    same: Flags = (left[:, 0] == right[:, 0]) & (left[:, 1] == right[:, 1])
    return same


def _no_text() -> tuple[Numbers, bytes, Numbers]:
    return np.empty(0, np.uint32), b"", np.zeros(1, np.uint32)


def _joined(texts: Sequence[bytes]) -> tuple[bytes, Numbers]:
    lengths = np.fromiter(map(len, texts), np.uint32, len(texts))
    return b"".join(texts), np.append(np.zeros(1, np.uint32), np.cumsum(lengths, dtype=np.uint32))


def column(ids: Sequence[str]) -> IdColumn:
    """Hold these ids, in this order. A lone surrogate is kept as such, and so equals no id that was ever stored."""
    words = _all_packed(ids)
    if words is not None:
        return IdColumn(words, *_no_text())
    texts = {at: id_ for at, id_ in enumerate(ids) if not _PACKABLE.match(id_)}
    packed = _packed("".join(id_ for at, id_ in enumerate(ids) if at not in texts))
    at = np.fromiter(texts, np.uint32, len(texts))
    return IdColumn(packed, at, *_joined([id_.encode(errors="surrogatepass") for id_ in texts.values()]))


def _all_packed(ids: Sequence[str]) -> Words | None:
    """Pack ids all at once if every one of them can be: the usual case, and much faster than one by one."""
    digits = "".join(ids)
    if not {DIGITS}.issuperset(map(len, ids)):
        return None
    try:
        lower = bytes.fromhex(digits).hex()
    except ValueError:
        return None
    return (
        _packed(digits) if lower == digits else None
    )  # fromhex reads capitals and blanks too: those are text


def _packed(digits: str) -> Words:
    return np.frombuffer(bytes.fromhex(digits), dtype="<u8").astype(np.uint64).reshape(-1, 2)


def chained(columns: Sequence[IdColumn]) -> IdColumn:
    """Join columns end to end."""
    lengths = np.cumsum([0, *map(len, columns)], dtype=np.int64)
    words = np.concatenate([part.words for part in columns]) if columns else np.empty((0, 2), np.uint64)
    at = [part.text_at.astype(np.int64) + lengths[number] for number, part in enumerate(columns)]
    ends = np.cumsum([0, *(len(part.text) for part in columns)], dtype=np.int64)
    bounds = [part.bounds[1:].astype(np.int64) + ends[number] for number, part in enumerate(columns)]
    return IdColumn(
        words,
        np.concatenate([np.empty(0, np.int64), *at]).astype(np.uint32),
        b"".join(part.text for part in columns),
        np.concatenate([np.zeros(1, np.int64), *bounds]).astype(np.uint32),
    )


def is_packable(text: bytes) -> bool:
    """Say whether these UTF-8 bytes are an id that must be held packed."""
    return len(text) == DIGITS and _PACKABLE.match(text.decode("latin-1")) is not None


def hash_ids(ids: Iterable[str], key: bytes, bits: int = HASH_BITS) -> NDArray[np.uint64]:
    """Hash each id with BLAKE2b keyed (RFC 7693), 8 bytes read as a little-endian number.

    Args:
        ids: Recording ids; hashed over their UTF-8 bytes.
        key: The link's hash key, 32 bytes.
        bits: How many of the upper bits to keep. All 64 in use; a few where a test wants collisions.
    """
    keyed, digests = hashlib.blake2b(digest_size=8, key=key), bytearray()
    for id_ in ids:  # a copy has read the key already
        one = keyed.copy()
        one.update(id_.encode("utf-8", "surrogatepass"))
        digests += one.digest()  # not in a list: an object is six times as large
    hashes = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
    return hashes if bits == HASH_BITS else hashes & ~np.uint64((1 << (HASH_BITS - bits)) - 1)
