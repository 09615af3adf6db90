"""Lists in pages: a limit that is never clamped and an opaque cursor (pure)."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any

from litestar.params import Parameter

from ga_sync.index.errors import CursorInvalid

MAX_LIMIT, DEFAULT_LIMIT = 1000, 100
Limit = Annotated[int, Parameter(query="limit", ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Parameter(query="cursor", max_length=400)]
_MARK = "ga-sync:"
Item = dict[str, Any]


def after(cursor: str | None) -> str:
    """The sort key that a cursor stands for; empty at the beginning. Raises CursorInvalid."""
    if cursor is None:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise CursorInvalid("the cursor is not one of ours: begin again without it") from None
    if not text.startswith(_MARK):
        raise CursorInvalid("the cursor is not one of ours: begin again without it")
    return text.removeprefix(_MARK)


def cursor_for(key: str) -> str:
    """A cursor that goes on after ``key``."""
    return base64.urlsafe_b64encode((_MARK + key).encode()).decode().rstrip("=")


def page(name: str, found: list[Item], limit: int, key: Callable[[Item], str]) -> dict[str, Any]:
    """A page out of up to ``limit + 1`` items: one more than shown tells that there is a next page."""
    shown = found[:limit]
    more = len(found) > limit
    return {name: shown, "next_cursor": cursor_for(key(shown[-1])) if more else None}


def sliced(name: str, items: list[Item], limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a list that is at hand as a whole; its cursor is a number of items."""
    start = after(cursor) or "0"
    if not start.isdecimal():
        raise CursorInvalid("the cursor is not one of this list's: begin again without it")
    stop = int(start) + limit
    more = len(items) > stop
    return {name: items[int(start) : stop], "next_cursor": cursor_for(str(stop)) if more else None}
