"""A place in an answer, sealed so that it is good for that one question only.

A cursor is a position bound to customer, link, filter and window by AES-256-GCM (NIST SP 800-38D): what it is
bound to is authenticated beside it and not carried in it, so that a cursor shows nothing and fits nowhere else.
Text is URL-safe base64 (RFC 4648, section 5).
"""

import base64
import binascii
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ga_sync.index.errors import CursorInvalid
from ga_sync.index.paging import Position

MAX_TEXT = 1024
"""No cursor of ours is longer: 100 characters of four bytes, and what surrounds them."""
_VERSION = b"\x02"
_NONCE = 12
_TAG = 16
_PLACE = struct.Struct("<I")
_KEPT = 256
"""Of so many links and windows it is kept how they are written: most questions are asked again and again of a few."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a cursor is bound to.

    Attributes:
        customer_id: Whose data.
        link_id: Which link.
        fingerprint: Of the filter: `expression.fingerprint`.
        frm: First day, or None.
        to: Last day, or None.
    """

    customer_id: str
    link_id: str
    fingerprint: bytes
    frm: date | None
    to: date | None

    def bytes(self) -> bytes:
        """Give all of it, each part behind its length, so that no two questions are alike."""
        before, behind = _around(self.customer_id, self.link_id, self.frm, self.to)
        return b"".join([before, _behind_its_length(self.fingerprint), behind])


@lru_cache(_KEPT)
def _around(customer_id: str, link_id: str, frm: date | None, to: date | None) -> tuple[bytes, bytes]:
    """Give what stands before a filter, and behind it."""
    window = [b"" if day is None else day.isoformat().encode() for day in (frm, to)]
    before = [b"ga-sync cursor", _VERSION, customer_id.encode(), link_id.encode()]
    return b"".join(map(_behind_its_length, before)), b"".join(map(_behind_its_length, window))


def _behind_its_length(part: bytes) -> bytes:
    return len(part).to_bytes(4, "little") + part


def seal_cursor(key: bytes, question: Question, position: Position, random: Callable[[int], bytes]) -> str:
    """Write a position as text for a client to bring back.

    Args:
        key: 32 bytes, for cursors alone.
        question: What the position is in the answer to.
        position: Where the page ended.
        random: n → n random bytes: `os.urandom` in use.
    """
    nonce = random(_NONCE)
    place = _PLACE.pack(position.day.toordinal()) + position.recording_id.encode()
    sealed = AESGCM(key).encrypt(nonce, place, question.bytes())
    return base64.urlsafe_b64encode(_VERSION + nonce + sealed).rstrip(b"=").decode()


def open_cursor(key: bytes, question: Question, text: str) -> Position:
    """Read a position back.

    Raises:
        CursorInvalid: the text is no cursor, damaged, forged, of another question, or under another key.
    """
    raw = _raw(text)
    try:
        place = AESGCM(key).decrypt(raw[1 : 1 + _NONCE], raw[1 + _NONCE :], question.bytes())
    except InvalidTag:
        raise _invalid() from None
    (ordinal,) = _PLACE.unpack_from(place)
    return Position(date.fromordinal(ordinal), place[_PLACE.size :].decode())


def _raw(text: str) -> bytes:
    if len(text) > MAX_TEXT:
        raise _invalid()
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _invalid() from None
    # one text for one cursor: bits that base64 would drop unread must be as we wrote them
    again = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    if raw[:1] != _VERSION or len(raw) < 1 + _NONCE + _TAG or again != text:
        raise _invalid()
    return raw


def _invalid() -> CursorInvalid:
    return CursorInvalid(
        "This cursor was not issued for this customer, link, filter and window. "
        "Ask the first page again, without a cursor."
    )
