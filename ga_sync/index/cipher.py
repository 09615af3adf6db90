"""What an id looks like inside of an index: a block that only its link's key turns back, and that serves as its hash.

An id of 32 hex digits is 16 bytes, one block of AES. A block cipher is a permutation under a key (NIST FIPS 197), so
equal blocks are equal ids and different ones different ids, and to whoever does not know the key they are as good as
random (a pseudorandom permutation): the first half of a block is a keyed 64-bit hash of its id that takes no room of
its own and a fiftieth of a hash function's time.

This is a hash, not what keeps the ids secret: everything at rest is sealed by authenticated encryption besides.
"""

import hashlib
from collections.abc import Iterable
from threading import Lock
from typing import TypeAlias

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]

HASH_BITS = 64
LOOKUP = "index|lookup"
"""What a link's hash key is derived for."""
_BLOCKS = b"recording ids"
"""Keeps this key of AES apart from whatever else is derived from the link's hash key."""


class IdCipher:
    """Turns the ids of one link into blocks and back. Immutable; share it between threads as you like.

    Attributes:
        bits: How many of a hash's upper bits count. All 64 in use; a few where a test wants collisions.
    """

    __slots__ = ("_decrypt", "_encrypt", "_keyed", "_lock", "_upper", "bits")

    def __init__(self, key: bytes, bits: int = HASH_BITS) -> None:
        """``key`` is the link's hash key, 32 bytes."""
        self.bits = bits
        self._upper = np.uint64((1 << HASH_BITS) - (1 << HASH_BITS - bits))
        self._keyed = hashlib.blake2b(digest_size=8, key=key)
        block_key = hashlib.blake2b(digest_size=32, key=key, person=_BLOCKS).digest()
        # each block by itself is what is wanted: a permutation of single ids, where equal ids must look alike
        aes = Cipher(algorithms.AES256(block_key), modes.ECB())  # noqa: S305
        # block by block there is nothing to carry on, so one context serves all, one at a time: making one takes longer
        # than fifty blocks
        self._encrypt, self._decrypt, self._lock = aes.encryptor().update, aes.decryptor().update, Lock()

    def blocks(self, packed: bytes) -> tuple[Words, Words]:
        """Encrypt ids of 16 bytes each, one after the other; give the first and the second word of each block."""
        with self._lock:
            blocks = self._encrypt(packed)
        words = np.frombuffer(blocks, "<u8").reshape(-1, 2)
        return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)

    def packed(self, leads: Words, rests: Words) -> bytes:
        """Give the ids back, 16 bytes each, of which these are the first and the second words."""
        words = np.empty((len(leads), 2), "<u8")
        words[:, 0], words[:, 1] = leads, rests
        with self._lock:
            return self._decrypt(words.tobytes())

    def leads(self, texts: Iterable[bytes]) -> Words:
        """Hash texts by BLAKE2b-64, keyed (RFC 7693): what stands in the place of a block's first word.

        Bits that do not count are set, so that texts stand behind the blocks of their hash.
        """
        digests = bytearray()
        for text in texts:  # a copy has read the key already
            one = self._keyed.copy()
            one.update(text)
            digests += one.digest()  # not in a list: an object is six times as large
        return np.frombuffer(digests, "<u8").astype(np.uint64) | ~self._upper

    def hashes(self, leads: Words) -> Words:
        """Give the hash of each id of which this is the first word; equal ids have equal ones, ascending words too."""
        return leads if self.bits == HASH_BITS else leads & self._upper
