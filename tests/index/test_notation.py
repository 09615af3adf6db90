"""The filter as text: precedence, quoted names, and a sentence for whatever else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index.errors import AmbiguousName, FilterIndexError, InvalidFilter, UnknownSegment
from ga_sync.index.expression import All, Any_, Expression, Not, Segment, check_limits, to_json
from ga_sync.index.notation import parse_text
from tests.index.model import holds
from tests.index.worlds import SEGMENTS, expressions

A, B, C = Segment("1"), Segment("2"), Segment("3")
NAMES = {
    "Buyers": ["1"],
    'the "best"': ["2"],
    "back\\slash": ["3"],
    "Twice": ["4", "5"],
    "Same": ["6", "6"],
    "Gone": [],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", A),
        ("  1\n", A),
        ("1&2", All((A, B))),
        ("1 & 2 & 3", All((A, B, C))),
        ("1 | 2 & 3", Any_((A, All((B, C))))),
        ("1 & 2 | 3", Any_((All((A, B)), C))),
        ("(1 | 2) & 3", All((Any_((A, B)), C))),
        ("1 & (2 | !3)", All((A, Any_((B, Not(C)))))),
        ("!1 & 2", All((Not(A), B))),
        ("!(1 & 2)", Not(All((A, B)))),
        ("!!1", Not(Not(A))),
        ("((((1))))", A),
        ('"Buyers"&!"the \\"best\\""', All((A, Not(B)))),
        ('"back\\\\slash"', C),
        ('"Same"', Segment("6")),
        ("no-such-id_\u00e9", Segment("no-such-id_\u00e9")),
        (' {"not": {"segment": "1"}}', Not(A)),
    ],
)
def test_text_is_read_as_documented(text: str, expected: Expression) -> None:
    assert parse_text(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "ends where"), ("   ", "ends where"), ("1 &", "ends where"), ("!", "ends where"),
        ("(", "ends where"),
        ("1 2", "character 3 the filter needs &"),
        ("& 1", "character 1 the filter needs an id"), ("1 & | 2", "character 5"),
        ("()", "character 2"), ("(1", "not closed"), ("1)", "closes nothing"), ("1 !2", "character 3"),
        ("1(2)", "character 2"),
        ('"Buyers', "quote at character"), ('1 & "a\\"', "quote at character"), ('"a" "b', "character"),
        ("{", "not JSON"), ('{"segment": "1"} x', "not JSON"), ('{"segment": "1", "segment": "2"}', "exactly one key"),
        ("{}", "exactly one key"), ("\ud800", "surrogate"),
        ('{"all":' * 100_000, "64 KiB"), ('{"not":' * 9_000, "not JSON"),
        ('{"segment": 1' + "0" * 5000 + "}", "not JSON"),
        ("1" * 65_537, "64 KiB"), ("\u00e9" * 40_000, "64 KiB"), ("!" * 60_000 + "1", "256"),
        (" & ".join("1" * 300), "256"),
        ("!" * 16 + "1", "16 deep"), ("!(" * 20_000 + "1" + ")" * 20_000, "256"), ("(" * 60_000, "ends where"),
    ],
    ids=lambda text: ascii(text)[:30],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FilterIndexError, match=sentence.replace("(", "\\(")):
        parse_text(text, {**NAMES, "a": ["9"]})


def test_thirty_thousand_parentheses_are_no_nesting() -> None:
    assert parse_text("(" * 30_000 + "1" + ")" * 30_000, {}) == A


def test_a_name_of_two_segments_is_ambiguous_and_the_sentence_gives_their_ids() -> None:
    with pytest.raises(AmbiguousName, match="4, 5") as refused:
        parse_text('"Twice" & 1', NAMES)
    assert refused.value.slug == "invalid"


@pytest.mark.parametrize("name", ["Gone", "buyers", ""])
def test_a_name_of_no_segment_is_an_unknown_segment(name: str) -> None:
    with pytest.raises(UnknownSegment) as refused:
        parse_text(f'"{name}"', NAMES)
    assert refused.value.slug == "unknown-segment"


def written(expression: Expression) -> str:
    if isinstance(expression, Segment):
        return expression.segment_id
    if isinstance(expression, Not):
        return f"!({written(expression.part)})"
    sign = " & " if isinstance(expression, All) else "|"
    return "(" + sign.join(map(written, expression.parts)) + ")"


@given(expressions, st.sets(st.sampled_from(SEGMENTS)))
def test_a_written_filter_means_the_same(expression: Expression, segments: set[str]) -> None:
    assert holds(parse_text(written(expression), {}), segments) == holds(expression, segments)
    assert parse_text(json.dumps(to_json(expression)), {}) == expression


@given(st.text(alphabet='12&|!()" \\{a', max_size=30))
def test_whatever_is_typed_is_a_filter_or_a_sentence(text: str) -> None:
    try:
        parsed = parse_text(text, NAMES)
    except (InvalidFilter, UnknownSegment):
        return
    assert check_limits(parsed) == parsed
