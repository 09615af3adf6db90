"""Rows cut out of the bytes are those that Google's own parser finds, whatever the bytes are."""

from collections.abc import Callable
from typing import Any

import pytest
from google.analytics.data_v1beta import types as data
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from ga_sync.analytics.answers import read_page
from ga_sync.analytics.errors import MalformedAnswer
from ga_sync.analytics.rows import Columns, read_answer

DIMENSIONS = ["audienceResourceName", "customEvent:sid"]
RESPONSE = data.RunReportResponse.pb()
Row = tuple[list[str], list[str]]


def body_of(rows: list[Row], dimensions: list[str] = DIMENSIONS) -> bytes:
    """An answer as Google sends it; a row is its dimensions and its metrics."""
    made = RESPONSE(row_count=len(rows))
    for name in dimensions:
        made.dimension_headers.add(name=name)
    for cells, metrics in rows:
        row = made.rows.add()
        for value in cells:
            row.dimension_values.add(value=value)
        for value in metrics:
            row.metric_values.add(value=value)
    made.metadata.time_zone = "UTC"
    sent: bytes = made.SerializeToString()
    return sent


def outcome(read: Callable[[], object]) -> object:
    """What reading gives, or how it fails."""
    try:
        return read()
    except (MalformedAnswer, DecodeError) as error:
        return type(error), str(error) if isinstance(error, MalformedAnswer) else ""


def ours(body: bytes, dimensions: list[str] = DIMENSIONS) -> object:
    def read() -> object:
        answer = read_answer(body)
        return read_page(answer.message, dimensions, answer.columns)

    return outcome(read)


def googles(body: bytes, dimensions: list[str] = DIMENSIONS) -> object:
    return outcome(lambda: read_page(RESPONSE.FromString(body), dimensions))


def cut(body: bytes) -> Columns | None:
    return read_answer(body).columns


IDS = st.text(max_size=8) | st.sampled_from(["a" * 32, "b" * 32, "x\x12y", 'x"y', "É", "", "z" * 130])
NAMES = st.sampled_from(
    ["properties/1/audiences/1", "properties/1/audiences/2", "properties/1/audiences/33", ""]
)
COUNTS = st.sampled_from(["1", "2", "10", "007", "", "-1", "x", "1.5", "٣", " 1", "9" * 19])
USUAL = st.tuples(st.tuples(NAMES, IDS).map(list), st.sampled_from(["1", "23", "456"]).map(lambda one: [one]))
ODD = st.tuples(st.lists(IDS, max_size=3), st.lists(COUNTS, max_size=2))


@given(rows=st.lists(USUAL, max_size=12))
def test_the_usual_rows_are_what_googles_parser_finds(rows: list[Row]) -> None:
    body = body_of(rows)
    assert ours(body) == googles(body)


@given(rows=st.lists(USUAL | ODD, max_size=6), alone=st.booleans())
def test_odd_rows_among_them_are_what_googles_parser_finds(rows: list[Row], alone: bool) -> None:  # noqa: FBT001
    asked = DIMENSIONS[1:] if alone else DIMENSIONS
    body = body_of([([], []), *rows] if alone and not rows else rows, asked)
    assert ours(body, asked) == googles(body, asked)


@given(
    rows=st.lists(USUAL, min_size=1, max_size=3),
    at=st.integers(0, 400),
    gone=st.integers(0, 3),
    put=st.binary(max_size=4),
)
@example(rows=[(["a", "x"], ["1"])], at=0, gone=400, put=b"")
def test_bytes_that_were_damaged_mean_what_googles_parser_says(
    rows: list[Row], at: int, gone: int, put: bytes
) -> None:
    body = body_of(rows)
    at %= len(body)
    damaged = body[:at] + put + body[at + gone :]
    assert ours(damaged) == googles(damaged)


def test_rows_of_the_usual_form_become_no_objects() -> None:
    answer = read_answer(body_of([(["a", "x"], ["3"]), (["a", "É"], ["12"]), (["bc", "y" * 100], ["1"])]))
    assert answer.columns == Columns(["a", "a", "bc"], ["x", "É", "y" * 100], [3, 12, 1])
    assert not answer.message.rows
    assert answer.message.row_count == 3


def test_a_run_of_one_audience_shares_its_name() -> None:
    columns = cut(body_of([(["audience", str(number)], ["1"]) for number in range(1000)]))
    assert columns is not None
    assert len({id(one) for one in columns.audiences}) == 1


def test_more_rows_than_are_read_together_stay_in_order() -> None:
    rows = [([f"audience {number // 9_000}", f"{number:x}"], [str(number)]) for number in range(40_000)]
    columns = cut(body_of(rows))
    assert columns is not None
    found = zip(columns.audiences, columns.ids, columns.events, strict=True)
    assert [([name, one], [str(count)]) for name, one, count in found] == rows


def test_a_report_of_the_parameter_alone_has_no_audiences() -> None:
    body = body_of([(["x"], ["4"])], DIMENSIONS[1:])
    assert cut(body) == Columns([], ["x"], [4])
    assert ours(body, DIMENSIONS[1:]) == googles(body, DIMENSIONS[1:])


@pytest.mark.parametrize("headers", [DIMENSIONS, DIMENSIONS[1:]])
@pytest.mark.parametrize("cells", [["x"], ["a", "x"]])
def test_columns_that_were_not_asked_for_are_refused_alike(headers: list[str], cells: list[str]) -> None:
    body = body_of([(cells, ["1"])], headers)
    assert cut(body) is not None
    assert [ours(body, asked) for asked in (DIMENSIONS, DIMENSIONS[1:])] == [
        googles(body, asked) for asked in (DIMENSIONS, DIMENSIONS[1:])
    ]


def test_widths_that_change_far_down_are_refused_alike() -> None:
    rows: list[Row] = [(["a", "x"], ["1"])] * (1 << 14) + [(["x"], ["1"])]
    assert cut(body_of(rows)) is None
    assert ours(body_of(rows)) == googles(body_of(rows))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"\x9a\x00" + b"\x00", id="a tag longer than it need be"),
        pytest.param(b"\x1a\x80\x80\x00", id="a length longer than it need be"),
        pytest.param(b"\x9d\x06\x00\x00\x00\x00", id="a field of four bytes"),
        pytest.param(b"\xa0\x06" + b"\xff" * 9 + b"\x01", id="a number of ten bytes"),
        pytest.param(b"\xa2\x06\x7f", id="a field that does not end"),
        pytest.param(b"\x1a\x05", id="a row that does not end"),
        pytest.param(b"\x1a", id="a row without its length"),
        pytest.param(b"\xff" * 11, id="nothing"),
    ],
)
def test_what_is_not_plain_means_what_googles_parser_says(odd: bytes) -> None:
    body = body_of([(["a", "x"], ["1"])])
    assert ours(body + odd) == googles(body + odd)


def test_an_id_that_is_no_utf8_is_refused_as_googles_parser_does() -> None:
    body = body_of([(["a", "xyz"], ["1"])]).replace(b"xyz", b"\xed\xa0\x80")
    with pytest.raises(DecodeError):
        read_answer(body)


def test_an_answer_without_rows_is_its_message() -> None:
    answer: Any = read_answer(body_of([]))
    assert (answer.columns, answer.message.metadata.time_zone) == (None, "UTC")
