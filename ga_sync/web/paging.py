"""Lists in pages: a limit that is never clamped, and a cursor that is good for the one list it came from.

A cursor is the sort key of the last item shown, sealed by AES-256-GCM together with the address, its other parameters
and the customer of the key that asked: it shows nothing, and fits nowhere else.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from ga_sync.index.errors import CursorInvalid

MAX_LIMIT, DEFAULT_LIMIT = 1000, 100
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, QueryParameter(name="cursor")]
_NONCE, _LONGEST = 12, 1000
Item = dict[str, Any]


def seal(key: bytes, scope: str, place: str, random: Callable[[int], bytes]) -> str:
    """A cursor that goes on after the sort key ``place`` of the list ``scope``."""
    nonce = random(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, place.encode(), scope.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def unseal(key: bytes, scope: str, cursor: str) -> str:
    """The sort key that a cursor stands for.

    Raises:
        CursorInvalid: it is no cursor, a forged one, or one of another list.
    """
    try:
        text = cursor[:_LONGEST].encode("ascii")  # no cursor of ours is longer
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], scope.encode()).decode()
    except (binascii.Error, ValueError, InvalidTag):
        raise CursorInvalid("the cursor was not issued for this list: begin again without a cursor") from None


@dataclass(frozen=True, slots=True)
class Listing:
    """The page asked for: at most ``limit`` items behind the sort key ``after`` (empty at the beginning)."""

    limit: int
    after: str
    cursor_for: Callable[[str], str]

    @property
    def wanted(self) -> int:
        """One item more than is shown tells that there is a next page."""
        return self.limit + 1

    def page(self, name: str, found: Sequence[tuple[str, Item | None]]) -> Item:
        """A page out of up to ``wanted`` sort keys and items; an item that is gone meanwhile is left out."""
        shown = found[: self.limit]
        more = len(found) > self.limit
        items = [item for _, item in shown if item is not None]
        return {name: items, "next_cursor": self.cursor_for(shown[-1][0]) if more else None}

    def cut(self, name: str, items: Sequence[Item], key: Callable[[Item], str]) -> Item:
        """A page of a list that is at hand as a whole, in the order of its sort keys."""
        keyed = sorted(((key(item), item) for item in items), key=lambda pair: pair[0])
        return self.page(name, [pair for pair in keyed if pair[0] > self.after][: self.wanted])


Listed = NamedDependency[SkipValidation[Listing]]
"""The page asked for, as handlers of lists take it."""


def by_number(number: str) -> str:
    """A sort key by which numbers written as text stand in their own order."""
    return f"{len(number):04}{number}"
