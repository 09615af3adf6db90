"""Audience filter clauses (Admin API v1alpha `AudienceFilterClause`): from JSON to protobuf, and over rows.

The unit that WITHIN_SAME_EVENT and WITHIN_SAME_SESSION look at is the world's row (one session's part of one day);
ACROSS_ALL_SESSIONS asks of each condition whether any row of the user so far meets it. Sequences are not supported.
Source: https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties.audiences
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from google.analytics.admin_v1alpha import types

from ga_sync.sandbox.proto import Message, json_format

Values = Sequence[str | None]
Test = Callable[[Values], bool]
Clause = types.AudienceFilterClause.pb()

SAME_EVENT, SAME_SESSION, ALL_SESSIONS = 1, 2, 3
INCLUDE, EXCLUDE = 1, 2
_COMPARE: Mapping[int, Callable[[float, float], bool]] = {
    1: lambda left, right: left == right,
    2: lambda left, right: left < right,
    4: lambda left, right: left > right,
}
_MATCH: Mapping[int, Callable[[str, str], bool]] = {
    1: lambda value, wanted: value == wanted,
    2: lambda value, wanted: value.startswith(wanted),
    3: lambda value, wanted: value.endswith(wanted),
    4: lambda value, wanted: wanted in value,
}
_REGEXP = 5


class UnusableClauseError(ValueError):
    """A clause that the sandbox cannot evaluate; the sentence says which part and why."""


def parse(clauses: object) -> tuple[Any, ...]:
    """Read a list of clauses in the Admin API's JSON form.

    Raises:
        UnusableClauseError: not a list of `AudienceFilterClause`, or one that no row can be tested against.
    """
    if not isinstance(clauses, list):
        raise UnusableClauseError("clauses must be a list of AudienceFilterClause objects")
    try:
        return tuple(json_format.ParseDict(clause, Clause()) for clause in clauses)
    except json_format.ParseError as error:
        raise UnusableClauseError(f"not an AudienceFilterClause: {error}") from error


def number(value: str | None) -> float | None:
    """Read a value as a number; none where it is not one."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def literal(value: Message) -> float:
    """Read a NumericValue, of either API."""
    return float(value.int64_value if value.WhichOneof("one_value") == "int64_value" else value.double_value)


def text_test(
    match: Mapping[int, Callable[[str, str], bool]], string_filter: Message
) -> Callable[[str], bool]:
    """Make the test of a string filter that is not a regular expression; cases differ only where asked."""
    compare = match.get(string_filter.match_type)
    if compare is None:
        raise UnusableClauseError(f"string match type {string_filter.match_type} is not known")
    if string_filter.case_sensitive:
        return lambda value: compare(value, string_filter.value)
    wanted = string_filter.value.lower()
    return lambda value: compare(value.lower(), wanted)


def pattern(source: str, *, case_sensitive: bool) -> re.Pattern[str]:
    """Compile a filter's regular expression."""
    try:
        return re.compile(source, 0 if case_sensitive else re.IGNORECASE)
    except re.error as error:
        raise UnusableClauseError(f"not a regular expression: {error}") from error


def list_test(in_list: Message) -> Callable[[str], bool]:
    """Make the test of an in-list filter."""
    if in_list.case_sensitive:
        exact = frozenset(in_list.values)
        return lambda value: value in exact
    folded = frozenset(value.lower() for value in in_list.values)
    return lambda value: value.lower() in folded


def _string(leaf: Message) -> Callable[[str], bool]:
    string = leaf.string_filter
    if string.match_type == _REGEXP:
        compiled = pattern(string.value, case_sensitive=string.case_sensitive)
        return lambda value: compiled.fullmatch(value) is not None
    return text_test(_MATCH, string)


def _numeric(leaf: Message) -> Callable[[str], bool]:
    compare = _COMPARE.get(leaf.numeric_filter.operation)
    if compare is None:
        raise UnusableClauseError(f"numeric operation {leaf.numeric_filter.operation} is not known")
    wanted = literal(leaf.numeric_filter.value)
    return lambda value: (found := number(value)) is not None and compare(found, wanted)


def between_test(leaf: Message) -> Callable[[str], bool]:
    """What a between filter says of a value: a number within both bounds, themselves included."""
    low, high = literal(leaf.between_filter.from_value), literal(leaf.between_filter.to_value)
    return lambda value: (found := number(value)) is not None and low <= found <= high


_LEAVES: Mapping[str, Callable[[Any], Callable[[str], bool]]] = {
    "string_filter": _string,
    "in_list_filter": lambda leaf: list_test(leaf.in_list_filter),
    "numeric_filter": _numeric,
    "between_filter": between_test,
}


def leaf_test(leaf: Message, index: Mapping[str, int]) -> Test:
    """Compile one dimensionOrMetricFilter; a row without the value does not meet it."""
    kind = leaf.WhichOneof("one_filter")
    place = index.get(leaf.field_name)
    if kind is None or place is None:
        raise UnusableClauseError(f"the property has no field {leaf.field_name!r}, or the filter is empty")
    test = _LEAVES[kind](leaf)
    return lambda values: (value := values[place]) is not None and test(value)


def _event_test(event: Message, index: Mapping[str, int]) -> Test:
    place = index.get("eventName")
    if place is None:
        raise UnusableClauseError("the property has no field 'eventName'")
    named: Test = lambda values: values[place] == event.event_name  # noqa: E731 - a test like the others
    if not event.HasField("event_parameter_filter_expression"):
        return named
    inner = row_test(event.event_parameter_filter_expression, index)
    return lambda values: named(values) and inner(values)


Combine = Callable[[list[Callable[[Any], bool]]], Callable[[Any], bool]]


def fold(expression: Message, leaf: Callable[[Any], Callable[[Any], bool]]) -> Callable[[Any], bool]:
    """Compile and/or/not around `leaf`, which compiles the two kinds of condition."""
    kind = expression.WhichOneof("expr")
    if kind in ("and_group", "or_group"):
        tests = [fold(one, leaf) for one in getattr(expression, kind).filter_expressions]
        if kind == "and_group":
            return lambda subject: all(test(subject) for test in tests)
        return lambda subject: any(test(subject) for test in tests)
    if kind == "not_expression":
        inner = fold(expression.not_expression, leaf)
        return lambda subject: not inner(subject)
    if kind is None:
        raise UnusableClauseError("an empty filter expression")
    return leaf(expression)


def condition(expression: Message, index: Mapping[str, int]) -> Test:
    """Compile a lone condition: a dimensionOrMetricFilter or an eventFilter."""
    if expression.WhichOneof("expr") == "event_filter":
        return _event_test(expression.event_filter, index)
    return leaf_test(expression.dimension_or_metric_filter, index)


def row_test(expression: Message, index: Mapping[str, int]) -> Test:
    """Compile an expression whose conditions must all speak of one row."""
    return fold(expression, lambda leaf: condition(leaf, index))


def history_test(expression: Message, index: Mapping[str, int]) -> Callable[[Iterable[Values]], bool]:
    """Compile an expression whose conditions may each be met by another row of the user so far."""

    def some_row(leaf: Message) -> Callable[[Any], bool]:
        test = condition(leaf, index)
        return lambda rows: any(test(values) for values in rows)

    return fold(expression, some_row)
