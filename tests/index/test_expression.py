"""The filter's JSON: what is read, what is refused with a sentence, and what can be said of it without data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index import expression as ex
from ga_sync.index.errors import InvalidFilter, UnboundedFilter
from ga_sync.index.expression import All, Any_, Expression, Not, Segment, parse_json
from tests.index import model
from tests.index.worlds import expressions

A, B, C = Segment("1"), Segment("2"), Segment("3")


@given(expressions)
def test_what_is_written_is_read_back_equal(expression: Expression) -> None:
    assert parse_json(ex.to_json(expression)) == expression
    assert ex.check_limits(expression) == expression


def test_each_operator_is_read() -> None:
    value = {"all": [{"segment": "1"}, {"any": [{"segment": "2"}, {"not": {"segment": "3"}}]}]}
    assert parse_json(value) == All((A, Any_((B, Not(C)))))


@pytest.mark.parametrize(
    "value",
    [
        None, 7, "1", [], [{"segment": "1"}], {}, {"segment": "1", "all": []}, {"segment": 1}, {"segment": ""},
        {"segment": None}, {"segment": ["1"]}, {"all": []}, {"any": []}, {"all": {"segment": "1"}}, {"all": "1"},
        {"not": []}, {"not": [{"segment": "1"}]}, {"not": None}, {"none": [{"segment": "1"}]},
        {"ALL": [{"segment": "1"}]},
        {1: "1"}, {"all": [None]}, {"all": [{"segment": "1"}, {}]}, {"segment": "\ud800"}, {"any": ({"segment": "1"},)},
    ],
)  # fmt: skip
def test_any_other_shape_is_refused_with_a_sentence(value: object) -> None:
    with pytest.raises(InvalidFilter) as refused:
        parse_json(value)
    assert refused.value.slug == "invalid"
    assert str(refused.value).endswith(".") or "{" in str(refused.value)


def nested(depth: int) -> object:
    value: object = {"segment": "1"}
    for _ in range(depth - 1):
        value = {"not": value}
    return value


def test_depth_is_counted_from_one_for_a_lone_segment_to_sixteen() -> None:
    assert parse_json(nested(1)) == A
    parse_json(nested(16))
    with pytest.raises(InvalidFilter, match="16 deep"):
        parse_json(nested(17))


def test_hostile_nesting_ends_in_a_sentence_not_in_a_stack_overflow() -> None:
    value: object = {"segment": "1"}
    for _ in range(200_000):
        value = {"all": [value]}
    with pytest.raises(InvalidFilter, match="16 deep"):
        parse_json(value)
    while (
        isinstance(value, dict) and "all" in value
    ):  # taken apart from the top, so that freeing it nests no deeper
        value = value["all"].pop()


def wide(nodes: int) -> dict[str, object]:
    return {"any": [{"segment": str(number)} for number in range(nodes - 1)]}


def test_two_hundred_and_fifty_six_nodes_are_the_limit() -> None:
    assert len(ex.segments_of(parse_json(wide(256)))) == 255
    with pytest.raises(InvalidFilter, match="256"):
        parse_json(wide(257))
    with pytest.raises(InvalidFilter, match="256"):
        parse_json({"all": [wide(100)] * 3})
    with pytest.raises(InvalidFilter, match="256"):
        parse_json(wide(1_000_000))


def test_check_limits_refuses_trees_that_were_built_otherwise() -> None:
    with pytest.raises(InvalidFilter, match="256"):
        ex.check_limits(All((A,) * 256))
    deep: Expression = A
    for _ in range(16):
        deep = Not(deep)
    with pytest.raises(InvalidFilter, match="16 deep"):
        ex.check_limits(deep)


def test_sixty_four_kibibytes_are_the_limit() -> None:
    room = ex.MAX_BYTES - len(b'{"segment":""}')
    parse_json({"segment": "7" * room})
    with pytest.raises(InvalidFilter, match="64 KiB"):
        parse_json({"segment": "7" * (room + 1)})
    with pytest.raises(InvalidFilter, match="64 KiB"):
        parse_json({"segment": "\u00e9" * room})
    escaped = "\x01" * (room // len(rb"\u0001"))
    assert len(ex.canonical(parse_json({"segment": escaped}))) <= ex.MAX_BYTES
    with pytest.raises(InvalidFilter, match="64 KiB"):
        parse_json({"segment": escaped + "\x01"})


@given(expressions)
def test_unbounded_is_true_of_a_recording_in_no_segment(expression: Expression) -> None:
    assert ex.is_unbounded(expression) == model.holds(expression, set())


def test_an_unbounded_filter_is_refused_and_a_bounded_one_given_back() -> None:
    assert ex.refuse_unbounded(All((A, Not(B)))) == All((A, Not(B)))
    with pytest.raises(UnboundedFilter, match="match") as refused:
        ex.refuse_unbounded(Any_((A, Not(B))))
    assert refused.value.slug == "filter-unbounded"


def test_segments_under_a_not_are_named_too() -> None:
    assert ex.segments_of(All((A, Not(Any_((B, A)))))) == {"1", "2"}


def test_the_fingerprint_is_the_same_for_ever() -> None:
    assert ex.fingerprint(All((A, Not(B)))).hex() == "af8f2753d97fedc30cf9a1fb4326c5ee"
    assert (
        ex.canonical(All((A, Not(Segment("\u00e9")))))
        == '{"all":[{"segment":"1"},{"not":{"segment":"\u00e9"}}]}'.encode()
    )


@given(expressions, expressions)
def test_two_filters_share_a_fingerprint_only_if_they_are_equal(one: Expression, other: Expression) -> None:
    assert (ex.fingerprint(one) == ex.fingerprint(other)) == (one == other)


keys = st.sampled_from(["segment", "all", "any", "not", "x"])
decoded = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2),
)


@given(decoded)
def test_whatever_json_holds_is_a_filter_or_a_sentence(value: object) -> None:
    try:
        parsed = parse_json(value)
    except InvalidFilter:
        return
    assert ex.to_json(parsed) == value
