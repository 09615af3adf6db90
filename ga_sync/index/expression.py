"""The filter of the doors: what it is, how its JSON is read, and what can be said of it without data.

`{"segment": ID}` · `{"all": [F…]}` · `{"any": [F…]}` · `{"not": F}`. Everything here is pure and bounded:
reading is iterative, so that hostile nesting ends in a sentence and not in a stack overflow. The text form is
read in `notation`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from ga_sync.index.errors import InvalidFilter, UnboundedFilter

MAX_DEPTH = 16
"""How deep a filter may nest; a lone segment has depth 1."""
MAX_NODES = 256
"""How many segments and operators a filter may have together."""
MAX_BYTES = 64 * 1024
"""How long a filter may be, written as compact JSON or as text, in UTF-8 bytes."""

_OPERATORS = ("segment", "all", "any", "not")
_SHAPE = 'Write {"segment": "ID"}, {"all": [..]}, {"any": [..]} or {"not": {..}}.'


@dataclass(frozen=True, slots=True)
class Segment:
    """True of the recordings that are in this segment on any day of the window."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class All:
    """True where every part is; at least one part."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - `Any` is typing's
    """True where at least one part is; at least one part."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Not:
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
    nodes: list[tuple[str, str, list[int]]] = []
    waiting: list[tuple[object, int, int]] = [(value, 1, -1)]
    for item, depth, parent in waiting:  # grows while it is walked: breadth first, without recursion
        if len(nodes) == MAX_NODES:
            raise _too_many()
        operator, segment_id, parts = _read_node(item, depth)
        if parent >= 0:
            nodes[parent][2].append(len(nodes))
        waiting.extend((part, depth + 1, len(nodes)) for part in parts[: MAX_NODES + 1])
        nodes.append((operator, segment_id, []))
    return _check_size(_grow(nodes))


def _read_node(item: object, depth: int) -> tuple[str, str, list[object]]:
    """One node's operator, its segment id (or ""), and its parts, still unread."""
    if depth > MAX_DEPTH:
        raise _too_deep()
    if not isinstance(item, dict) or len(item) != 1:
        raise InvalidFilter(f"A filter is an object with exactly one key. {_SHAPE}")
    ((operator, content),) = item.items()
    if operator == "segment":
        return operator, _read_id(content), []
    if operator == "not":
        return operator, "", [content]
    if operator not in _OPERATORS:
        raise InvalidFilter(f"A filter has one of the keys segment, all, any, not. {_SHAPE}")
    if not isinstance(content, list) or not content:
        raise InvalidFilter(f'"{operator}" takes a list of at least one filter. {_SHAPE}')
    return operator, "", content


def _read_id(content: object) -> str:
    if not isinstance(content, str) or not content:
        raise InvalidFilter('A segment id is a non-empty string, as "segments" lists it: {"segment": "123"}.')
    try:
        content.encode()
    except UnicodeEncodeError:
        raise InvalidFilter(
            "A segment id must be valid Unicode: it holds half of a surrogate pair."
        ) from None
    return content


def _grow(nodes: list[tuple[str, str, list[int]]]) -> Expression:
    """Build the tree from its leaves up: in breadth-first order every part stands behind its parent."""
    built: dict[int, Expression] = {}
    for index in range(len(nodes) - 1, -1, -1):
        operator, segment_id, parts = nodes[index]
        children = tuple(built[part] for part in parts)
        built[index] = _node(operator, segment_id, children)
    return built[0]


def _node(operator: str, segment_id: str, children: tuple[Expression, ...]) -> Expression:
    if operator == "segment":
        return Segment(segment_id)
    if operator == "not":
        return Not(children[0])
    return All(children) if operator == "all" else Any_(children)


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
    if isinstance(expression, Segment):
        return {"segment": expression.segment_id}
    if isinstance(expression, Not):
        return {"not": to_json(expression.part)}
    return {"all" if isinstance(expression, All) else "any": [to_json(part) for part in expression.parts]}


def canonical(expression: Expression) -> bytes:
    """Write the filter as compact JSON in UTF-8: one text for one tree."""
    return msgspec.json.encode(to_json(expression))


def fingerprint(expression: Expression) -> bytes:
    """Give 16 bytes that are the same for the same tree in every release: cursors are bound to them."""
    return hashlib.blake2b(canonical(expression), digest_size=16, person=b"ga-sync filter").digest()
