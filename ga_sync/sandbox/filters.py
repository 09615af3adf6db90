"""The Data API's dimension and metric filters (`FilterExpression`, v1beta), compiled once a request.

A filter on audience dimensions looks at a (row, audience) pair; the rest looks at the row alone. The parts of a
top-level AND are told apart, so that each is asked as seldom as possible.
Source: https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/FilterExpression
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ga_sync.sandbox.clauses import (
    UnusableClauseError,
    between_test,
    list_test,
    literal,
    number,
    pattern,
    text_test,
)
from ga_sync.sandbox.proto import Message

Get = Callable[[str], str]
Predicate = Callable[[Get], bool]
EMPTY = frozenset({"", "(not set)"})
_FULL, _PARTIAL = 5, 6
_MATCH: Mapping[int, Callable[[str, str], bool]] = {
    0: lambda value, wanted: value == wanted,
    1: lambda value, wanted: value == wanted,
    2: lambda value, wanted: value.startswith(wanted),
    3: lambda value, wanted: value.endswith(wanted),
    4: lambda value, wanted: wanted in value,
}
_COMPARE: Mapping[int, Callable[[float, float], bool]] = {
    1: lambda left, right: left == right,
    2: lambda left, right: left < right,
    3: lambda left, right: left <= right,
    4: lambda left, right: left > right,
    5: lambda left, right: left >= right,
}


class BadFilterError(ValueError):
    """A filter that Google would refuse; the sentence says why."""


def _string(leaf: Message) -> Callable[[str], bool]:
    string = leaf.string_filter
    if string.match_type in (_FULL, _PARTIAL):
        compiled = pattern(string.value, case_sensitive=string.case_sensitive)
        find = compiled.fullmatch if string.match_type == _FULL else compiled.search
        return lambda value: find(value) is not None
    return text_test(_MATCH, string)


def _numeric(leaf: Message) -> Callable[[str], bool]:
    compare = _COMPARE.get(leaf.numeric_filter.operation)
    if compare is None:
        raise BadFilterError("A numeric filter needs an operation.")
    wanted = literal(leaf.numeric_filter.value)
    return lambda value: (found := number(value)) is not None and compare(found, wanted)


_LEAVES: Mapping[str, Callable[[Any], Callable[[str], bool]]] = {
    "string_filter": _string,
    "in_list_filter": lambda leaf: list_test(leaf.in_list_filter),
    "numeric_filter": _numeric,
    "between_filter": between_test,
    "empty_filter": lambda _: EMPTY.__contains__,
}


def _leaf(leaf: Message) -> Predicate:
    kind = leaf.WhichOneof("one_filter")
    if kind is None:
        raise BadFilterError(f"The filter on {leaf.field_name} has no condition.")
    try:
        test = _LEAVES[kind](leaf)
    except UnusableClauseError as error:
        raise BadFilterError(str(error)) from error
    name = leaf.field_name
    return lambda get: test(get(name))


def compile_expression(expression: Message) -> Predicate:
    """Compile a FilterExpression into a predicate over a getter of field values.

    Raises:
        BadFilterError: an empty expression, an unknown operation, a broken regular expression.
    """
    kind = expression.WhichOneof("expr")
    if kind in ("and_group", "or_group"):
        tests = [compile_expression(one) for one in getattr(expression, kind).expressions]
        if kind == "and_group":
            return lambda get: all(test(get) for test in tests)
        return lambda get: any(test(get) for test in tests)
    if kind == "not_expression":
        inner = compile_expression(expression.not_expression)
        return lambda get: not inner(get)
    if kind is None:
        raise BadFilterError("A filter expression is empty.")
    return _leaf(expression.filter)


def fields_of(expression: Message) -> set[str]:
    """Name every field that an expression asks about."""
    kind = expression.WhichOneof("expr")
    if kind in ("and_group", "or_group"):
        return set().union(*(fields_of(one) for one in getattr(expression, kind).expressions))
    if kind == "not_expression":
        return fields_of(expression.not_expression)
    return {expression.filter.field_name} if kind else set()


@dataclass(frozen=True, slots=True)
class Split:
    """A filter in three parts, all of which must hold."""

    row: tuple[Predicate, ...] = ()
    audience: tuple[Predicate, ...] = ()
    both: tuple[Predicate, ...] = ()


def split(expression: Message, audience_fields: Iterable[str]) -> Split:
    """Tell the parts of a top-level AND apart by what they look at."""
    known = frozenset(audience_fields)
    parts = expression.and_group.expressions if expression.WhichOneof("expr") == "and_group" else [expression]
    row: list[Predicate] = []
    audience: list[Predicate] = []
    both: list[Predicate] = []
    for part in parts:
        asked = fields_of(part)
        place = audience if asked <= known else both if asked & known else row
        place.append(compile_expression(part))
    return Split(tuple(row), tuple(audience), tuple(both))
