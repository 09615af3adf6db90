r"""The filter as a person writes it: `A & (B | !C)`, with ids, or with names in double quotes.

`!` binds before `&`, `&` before `|`. Inside quotes `\"` is a quote and `\\` a backslash. A text
that starts with `{` is JSON.
Reading is a shunting-yard, so that sixty thousand parentheses cost a loop and no stack.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ga_sync.index.errors import AmbiguousName, InvalidFilter, UnknownSegment
from ga_sync.index.expression import (
    MAX_BYTES,
    MAX_NODES,
    All,
    Any_,
    Expression,
    Not,
    Segment,
    check_limits,
    parse_json,
    too_long,
)

_TOKEN = re.compile(r'\s*(?:(?P<sign>[&|!()])|"(?P<name>(?:[^"\\]|\\.)*)"|(?P<id>[^\s&|!()"]+))', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_STRENGTH = {"|": 1, "&": 2, "!": 3}


class _Token(NamedTuple):
    sign: str
    operand: Segment | None
    at: int


def parse_text(text: str, names: Mapping[str, Sequence[str]]) -> Expression:
    """Read a filter that a person wrote.

    Args:
        text: `A & (B | !C)` of ids or quoted names; or JSON, where it starts with `{`.
        names: The segment ids behind each name (and each label) of the link.

    Returns:
        A tree within the limits of `expression`. Ids are not looked up: compare `segments_of` with what the link has.

    Raises:
        InvalidFilter: no such text, or over a limit. AmbiguousName: a name of several segments.
        UnknownSegment: a quoted name of none.
    """
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise too_long()
    if text.lstrip().startswith("{"):
        return parse_json(_decode(text))
    return check_limits(_read(_tokens(text, names)))


def _decode(text: str) -> object:
    try:
        decoded: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidFilter(
            "The filter starts with { but is not JSON. Check its quotes and braces."
        ) from None
    return decoded


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(pairs) != 1:
        raise InvalidFilter("A filter is an object with exactly one key: segment, all, any or not.")
    return dict(pairs)


def _tokens(text: str, names: Mapping[str, Sequence[str]]) -> Iterator[_Token]:
    at, nodes, end = 0, 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise InvalidFilter(f'The quote at character {at + 1} is not closed. End the name with ".')
        nodes += found["sign"] not in ("(", ")", "&", "|")
        if nodes > MAX_NODES:
            raise InvalidFilter(f"A filter has at most {MAX_NODES} segments and operators.")
        yield _token(found, names)
        at = found.end()


def _token(found: re.Match[str], names: Mapping[str, Sequence[str]]) -> _Token:
    at = found.start(found.lastgroup or 0) + 1
    if found["sign"]:
        return _Token(found["sign"], None, at)
    if found["id"]:
        return _Token("", Segment(_valid(found["id"])), at)
    return _Token("", Segment(_named(_ESCAPE.sub(r"\1", found["name"]), names)), at)


def _valid(segment_id: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in segment_id):
        raise InvalidFilter("A segment id must be valid Unicode: it holds half of a surrogate pair.")
    return segment_id


def _named(name: str, names: Mapping[str, Sequence[str]]) -> str:
    ids = names.get(name, ())
    if not ids:
        raise UnknownSegment(
            "No segment of this link has the quoted name. List the segments and use one of their ids."
        )
    if len(set(ids)) > 1:
        raise AmbiguousName(
            f"A quoted name belongs to {len(set(ids))} segments: {', '.join(sorted(set(ids)))}. Use the id."
        )
    return ids[0]


def _read(tokens: Iterator[_Token]) -> Expression:
    operands: list[Expression] = []
    signs: list[str] = []
    wants_operand = True
    for sign, operand, at in tokens:
        if wants_operand != (operand is not None or sign in ("!", "(")):
            raise _misplaced(at, wanted="an id, a name, ! or (" if wants_operand else "&, | or )")
        if operand is not None:
            operands.append(operand)
        elif sign == ")":
            _close(operands, signs, at)
        else:
            _push(operands, signs, sign)
        wants_operand = operand is None and sign != ")"
    if wants_operand:
        raise InvalidFilter("The filter ends where an id, a name, ! or ( must follow.")
    return _finish(operands, signs)


def _misplaced(at: int, wanted: str) -> InvalidFilter:
    return InvalidFilter(f"At character {at} the filter needs {wanted}.")


def _push(operands: list[Expression], signs: list[str], sign: str) -> None:
    """Take an operator, first applying those before it that bind as tightly; `!` and `(` wait for operands."""
    while sign in "&|" and signs and signs[-1] != "(" and _STRENGTH[signs[-1]] >= _STRENGTH[sign]:
        _apply(operands, signs.pop())
    signs.append(sign)


def _close(operands: list[Expression], signs: list[str], at: int) -> None:
    while signs and signs[-1] != "(":
        _apply(operands, signs.pop())
    if not signs:
        raise InvalidFilter(f"The ) at character {at} closes nothing. Remove it, or open it with (.")
    signs.pop()


def _finish(operands: list[Expression], signs: list[str]) -> Expression:
    while signs:
        sign = signs.pop()
        if sign == "(":
            raise InvalidFilter("A ( is not closed. End it with ).")
        _apply(operands, sign)
    return operands.pop()


def _apply(operands: list[Expression], sign: str) -> None:
    """Join what the operator stands between; a chain of one operator becomes one node, however long."""
    right = operands.pop()
    if sign == "!":
        operands.append(Not(right))
        return
    left, kind = operands.pop(), All if sign == "&" else Any_
    operands.append(kind((*_chain(left, kind), *_chain(right, kind))))


def _chain(part: Expression, kind: type[All | Any_]) -> tuple[Expression, ...]:
    return part.parts if isinstance(part, (All, Any_)) and isinstance(part, kind) else (part,)
