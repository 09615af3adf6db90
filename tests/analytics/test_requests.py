"""What leaves us for Google is exactly the one shape that works."""

from datetime import date
from typing import Any

import pytest
from google.analytics.data_v1beta import types as data
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.analytics import requests

PROPERTY = "properties/7"
ONE, TWO = "properties/7/audiences/1", "properties/7/audiences/2"
DAY = date(2026, 3, 8)
NOT_EMPTY = {"notExpression": {"filter": {"fieldName": "customEvent:session_id", "emptyFilter": {}}}}
BOTH = [{"name": "audienceResourceName"}, {"name": "customEvent:session_id"}]


def as_json(request: data.RunReportRequest) -> dict[str, Any]:
    return dict(MessageToDict(data.RunReportRequest.pb(request)))


def test_the_day_report_is_the_documented_shape() -> None:
    request = requests.day_report(PROPERTY, "session_id", DAY, [ONE, TWO], offset=250_000)
    in_list = {"values": [ONE, TWO], "caseSensitive": True}
    asked = {"filter": {"fieldName": "audienceResourceName", "inListFilter": in_list}}
    assert as_json(request) == {
        "property": PROPERTY,
        "dimensions": BOTH,
        "metrics": [{"name": "eventCount"}],
        "dateRanges": [{"startDate": "2026-03-08", "endDate": "2026-03-08"}],
        "dimensionFilter": {"andGroup": {"expressions": [asked, NOT_EMPTY]}},
        "metricAggregations": ["TOTAL"],
        "orderBys": [
            {"dimension": {"dimensionName": "audienceResourceName"}},
            {"dimension": {"dimensionName": "customEvent:session_id"}},
        ],
        "limit": "250000",
        "offset": "250000",
        "returnPropertyQuota": True,
    }


def test_the_fallback_differs_only_in_its_filter() -> None:
    whole = as_json(requests.day_report(PROPERTY, "session_id", DAY, [ONE]))
    single = as_json(requests.audience_report(PROPERTY, "session_id", DAY, ONE))
    exactly = {"matchType": "EXACT", "value": ONE, "caseSensitive": True}
    asked = {"filter": {"fieldName": "audienceResourceName", "stringFilter": exactly}}
    assert single.pop("dimensionFilter") == {"andGroup": {"expressions": [asked, NOT_EMPTY]}}
    del whole["dimensionFilter"]
    assert single == whole


def test_seen_asks_for_the_parameter_alone_and_one_row() -> None:
    request = as_json(requests.seen_report(PROPERTY, "session_id", DAY))
    assert request["dimensions"] == [{"name": "customEvent:session_id"}]
    assert request["dimensionFilter"] == NOT_EMPTY
    assert request["limit"] == "1"
    assert request["dateRanges"] == [{"startDate": "2026-03-08", "endDate": "2026-03-08"}]
    assert request["returnPropertyQuota"] is True


def test_the_probe_asks_one_row_with_both_dimensions() -> None:
    request = as_json(requests.probe(PROPERTY, "session_id", DAY))
    assert (request["dimensions"], request["limit"]) == (BOTH, "1")


def test_lists_ask_for_the_largest_page() -> None:
    audiences = requests.audiences(PROPERTY, "mark")
    assert (audiences.parent, audiences.page_size, audiences.page_token) == (PROPERTY, 200, "mark")
    dimensions = requests.custom_dimensions(PROPERTY)
    assert (dimensions.parent, dimensions.page_size, dimensions.page_token) == (PROPERTY, 200, "")
    summaries = requests.account_summaries("mark")
    assert (summaries.page_size, summaries.page_token) == (200, "mark")
    assert requests.get_property(PROPERTY).name == PROPERTY


@pytest.mark.parametrize(
    "name", ["", "7", "properties/", "properties/x", "properties/7/", "properties/7\n", "properties/-"]
)
def test_a_property_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="properties/N"):
        requests.get_property(name)


@pytest.mark.parametrize(
    "name", ["", "2", "audiences/2", "properties/7/audiences/", "properties/7/audiences/2/x"]
)
def test_an_audience_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="properties/N/audiences/M"):
        requests.day_report(PROPERTY, "session_id", DAY, [ONE, name])


def test_a_day_report_about_no_audience_is_refused() -> None:
    with pytest.raises(ValueError, match="all of them"):
        requests.day_report(PROPERTY, "session_id", DAY, [])


@pytest.mark.parametrize("name", ["session_id", "a", "A1_", "x" * 40])
def test_names_that_can_be_registered(name: str) -> None:
    assert requests.is_parameter_name(name)


@pytest.mark.parametrize("name", ["", "1a", "_a", "a-b", "a b", "ä", "x" * 41, "a\n"])
def test_names_that_cannot_be_registered(name: str) -> None:
    assert not requests.is_parameter_name(name)


@pytest.mark.parametrize(
    "name", ["session_id", "session-id", "session.id", "sitzungsnr_größe", "x" * 100, "1st"]
)
def test_whatever_google_may_list_can_be_asked(name: str) -> None:
    assert requests.id_dimension(name) == f"customEvent:{name}"


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a,b", "a/b", 'a"b', "a'b", "a\\b", "a\x00", "a\u202eb", "x" * 101]
)
def test_names_that_would_end_or_split_a_dimension_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="parameter_name"):
        requests.id_dimension(name)


@given(st.text(max_size=120))
def test_any_name_is_either_refused_or_stays_one_dimension(name: str) -> None:
    try:
        dimension = requests.id_dimension(name)
    except ValueError:
        assert not requests.is_parameter_name(name)
    else:
        assert dimension.count(":") == 1
        assert dimension.endswith(name)
