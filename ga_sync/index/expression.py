"""The filter of the doors: what it is, how its JSON is read, and what can be said of it without data.

`{"segment": ID}` · `{"all": [F…]}` · `{"any": [F…]}` · `{"not": F}`. Everything here is pure and bounded:
reading stops at the first node too deep or too many, so that hostile nesting ends in a sentence and not in a stack
overflow. The text form is read in `notation`.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import TypeAlias

import msgspec
from msgspec import Struct

from ga_sync.index.errors import InvalidFilter, UnboundedFilter

MAX_DEPTH = 16
"""How deep a filter may nest; a lone segment has depth 1."""
MAX_NODES = 256
"""How many segments and operators a filter may have together."""
MAX_BYTES = 64 * 1024
"""How long a filter may be, written as compact JSON or as text, in UTF-8 bytes."""

_LONGEST_NODE = len(b'{"segment":""},')
_LONGEST_CHARACTER = len(rb"\u0000")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHAPE = 'Write {"segment": "ID"}, {"all": [..]}, {"any": [..]} or {"not": {..}}.'


class Segment(Struct, frozen=True, rename={"segment_id": "segment"}):
    """True of the recordings that are in this segment on any day of the window."""

    segment_id: str


class All(Struct, frozen=True, rename={"parts": "all"}):
    """True where every part is; at least one part."""

    parts: "tuple[Expression, ...]"


class Any_(Struct, frozen=True, rename={"parts": "any"}):  # noqa: N801 - `Any` is typing's
    """True where at least one part is; at least one part."""

    parts: "tuple[Expression, ...]"


class Not(Struct, frozen=True, rename={"part": "not"}):
    """True where the part is not: over the union of the days, never day by day."""

    part: "Expression"


Expression: TypeAlias = Segment | All | Any_ | Not


def parse_json(value: object) -> Expression:
    """Read a filter from decoded JSON.

    Args:
        value: What a JSON decoder gave: dicts, lists, strings.

    Returns:
        The same filter as a tree of at most 256 nodes, 16 deep.

    Raises:
        InvalidFilter: for any other shape, an empty list, an id that is no text, or a limit exceeded.
    """
    reading = _Reading()
    expression = reading.node(value, 1)
    return expression if reading.longest <= MAX_BYTES else _check_size(expression)


class _Reading:
    """Reads one filter, depth first; every question begins with it."""

    __slots__ = ("longest", "nodes")

    def __init__(self) -> None:
        self.nodes = 0
        self.longest = 0  # the filter as compact JSON has at most so many bytes

    def node(self, item: object, depth: int) -> Expression:
        """Read a node with all that is under it."""
        operator, content = self._opened(item, depth)
        if operator == "segment":
            return Segment(self._id(content))
        if operator == "all":
            return All(self._parts(operator, content, depth + 1))
        if operator == "any":
            return Any_(self._parts(operator, content, depth + 1))
        if operator == "not":
            return Not(self.node(content, depth + 1))
        raise InvalidFilter(f"A filter has one of the keys segment, all, any, not. {_SHAPE}")

    def _opened(self, item: object, depth: int) -> tuple[object, object]:
        self.nodes += 1
        self.longest += _LONGEST_NODE
        if self.nodes > MAX_NODES:
            raise _too_many()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if not isinstance(item, dict) or len(item) != 1:
            raise InvalidFilter(f"A filter is an object with exactly one key. {_SHAPE}")
        ((operator, content),) = item.items()
        return operator, content

    def _parts(self, operator: str, content: object, depth: int) -> tuple[Expression, ...]:
        if not isinstance(content, list) or not content:
            raise InvalidFilter(f'"{operator}" takes a list of at least one filter. {_SHAPE}')
        return tuple([self.node(part, depth) for part in content])

    def _id(self, content: object) -> str:
        if not isinstance(content, str) or not content:
            raise InvalidFilter(
                'A segment id is a non-empty string, as "segments" lists it: {"segment": "123"}.'
            )
        if not content.isascii() and _SURROGATE.search(content):
            raise InvalidFilter("A segment id must be valid Unicode: it holds half of a surrogate pair.")
        self.longest += _LONGEST_CHARACTER * len(content)
        return content


def check_limits(expression: Expression) -> Expression:
    """Give the expression back if it keeps the limits of depth, nodes and bytes.

    Raises:
        InvalidFilter: naming the limit that it exceeds.
    """
    for count, (_, depth) in enumerate(_walk(expression), start=1):
        if count > MAX_NODES:
            raise _too_many()
        if depth > MAX_DEPTH:
            raise _too_deep()
    return _check_size(expression)


def _check_size(expression: Expression) -> Expression:
    if len(canonical(expression)) > MAX_BYTES:
        raise too_long()
    return expression


def _too_many() -> InvalidFilter:
    return InvalidFilter(
        f"A filter has at most {MAX_NODES} segments and operators. Split it into several questions."
    )


def _too_deep() -> InvalidFilter:
    return InvalidFilter(
        f"A filter nests at most {MAX_DEPTH} deep. Flatten it: all of all is one all, not not is nothing."
    )


def too_long() -> InvalidFilter:
    """Say that a filter is longer than `MAX_BYTES`, in either of its two forms."""
    return InvalidFilter(
        f"A filter is at most {MAX_BYTES // 1024} KiB long. Split it into several questions."
    )


def _walk(expression: Expression) -> Iterator[tuple[Expression, int]]:
    """Every node with its depth, without recursion."""
    waiting: list[tuple[Expression, int]] = [(expression, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((part, depth + 1) for part in parts_of(node))


def parts_of(node: Expression) -> "tuple[Expression, ...]":
    """Give the parts directly under a node; none under a segment."""
    if isinstance(node, Segment):
        return ()
    return (node.part,) if isinstance(node, Not) else node.parts


def segments_of(expression: Expression) -> frozenset[str]:
    """Name the segments that the filter mentions, under a NOT or not."""
    found: set[str] = set()
    waiting = [expression]
    while waiting:  # written out, because every question begins with it
        node = waiting.pop()
        if isinstance(node, Segment):
            found.add(node.segment_id)
        elif isinstance(node, Not):
            waiting.append(node.part)
        else:
            waiting.extend(node.parts)
    return frozenset(found)


def size_of(expression: Expression) -> int:
    """Count segments and operators, each as often as it stands there: what answering takes grows with it."""
    count, waiting = 0, [expression]
    while waiting:
        count += 1
        waiting.extend(parts_of(waiting.pop()))
    return count


def is_unbounded(expression: Expression) -> bool:
    """Say whether the filter is true of a recording in no segment, which only `match` can answer."""
    if isinstance(expression, Segment):
        return False
    if isinstance(expression, Not):
        return not is_unbounded(expression.part)
    combine = all if isinstance(expression, All) else any
    return combine(is_unbounded(part) for part in expression.parts)


def refuse_unbounded(expression: Expression) -> Expression:
    """Give the expression back if the index can list what it is true of.

    Raises:
        UnboundedFilter: it is true of a recording in no segment (`query`, `count` and `export` refuse it).
    """
    if is_unbounded(expression):
        raise UnboundedFilter(
            "This filter is true of recordings in no segment, which the index does not know. "
            'Join it to a segment with "all", or ask about your own candidates with match.'
        )
    return expression


def to_json(expression: Expression) -> dict[str, object]:
    """Write the filter as the JSON value that `parse_json` reads back to an equal tree."""
    found: dict[str, object] = msgspec.json.decode(canonical(expression))
    return found


def canonical(expression: Expression) -> bytes:
    """Write the filter as compact JSON in UTF-8: one text for one tree."""
    return msgspec.json.encode(expression)


def fingerprint(expression: Expression) -> bytes:
    """Give 16 bytes that are the same for the same tree in every release: cursors are bound to them."""
    return hashlib.blake2b(canonical(expression), digest_size=16, person=b"ga-sync filter").digest()
