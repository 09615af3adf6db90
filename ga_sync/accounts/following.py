"""Following a link: who is in which segment now, and then who enters and leaves, change by change.

A token says how far its holder has come: in the present state by the hash of the last recording told, in the log by a
generation and a hash inside of it. While the present state is told, synchronisations go on; so the log is told from
the generation at which the telling began, and whoever applies it ends with what is true.
"""

import base64
import binascii
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ga_sync.accounts.errors import CursorExpired
from ga_sync.index.errors import CursorInvalid
from models.keyring import Sealer

_NONCE, _LONGEST = 12, 200
_FORM = struct.Struct("<BQqBQ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PURPOSE = "changes cursor"
_TELLING, _BLOCKS = 1, 2
"""Flags of a token: that the present state is being told, and that its hash is that of blocks, as days hold it now."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has come.

    Attributes:
        generation: of the log everything up to and including this one is told, or, while the present state is told,
            will not have to be.
        stamp: when that generation was born, to notice that a restored backup has another history; None before the
            first.
        after: the hash behind which to go on: in the present state, or in the account of the next generation.
        telling: whether the present state is being told.
    """

    generation: int
    stamp: datetime | None
    after: int | None = None
    telling: bool = False

    def behind(self, after: int | None) -> "Place":
        """Further on in the same state or account."""
        return replace(self, after=after)


def seal_place(
    sealer: Sealer, link_id: str, customer_id: str, place: Place, random: Callable[[int], bytes]
) -> str:
    """A place as text for the client to bring back; good for this link and customer only."""
    stamp = -1 if place.stamp is None else (place.stamp - _EPOCH) // timedelta(microseconds=1)
    has_hash = place.after is not None
    flags = _BLOCKS | (_TELLING if place.telling else 0)
    body = _FORM.pack(flags, place.generation, stamp, has_hash, place.after or 0)
    nonce = random(_NONCE)
    sealed = AESGCM(sealer.key(_PURPOSE)).encrypt(nonce, body, _bound(link_id, customer_id))
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def open_place(sealer: Sealer, link_id: str, customer_id: str, text: str) -> Place:
    """Read a place back.

    Raises:
        CursorInvalid: it is none of ours, a forged one, or one of another link.
        CursorExpired: it goes on behind a hash that is not in use any more.
    """
    try:
        padded = text[:_LONGEST].encode("ascii") + b"=" * (-len(text) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        body = AESGCM(sealer.key(_PURPOSE)).decrypt(raw[:_NONCE], raw[_NONCE:], _bound(link_id, customer_id))
    except (binascii.Error, ValueError, InvalidTag):
        raise CursorInvalid("since was not issued for this link: begin again without it") from None
    flags, generation, stamp, has_hash, after = _FORM.unpack(body)
    if has_hash and not flags & _BLOCKS:
        raise CursorExpired("since is of an earlier version: begin again without it")
    born = None if stamp < 0 else _EPOCH + timedelta(microseconds=stamp)
    return Place(generation, born, after if has_hash else None, bool(flags & _TELLING))


def _bound(link_id: str, customer_id: str) -> bytes:
    return f"ga-sync changes|{customer_id}|{link_id}".encode()
