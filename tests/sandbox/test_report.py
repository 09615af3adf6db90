"""RunReport and GetMetadata, asked by Google's own client."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from google.api_core import exceptions

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.clauses import parse
from ga_sync.sandbox.world import Audience, CustomDimension, GoogleUser, Property, Row, World

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


ID = "customEvent:sessioncam_id"
RESOURCE = "audienceResourceName"
NOT_EMPTY = {"not_expression": {"filter": {"field_name": ID, "empty_filter": {}}}}
Order = Callable[..., list[dict[str, Any]]]


def keys(answer: Loose) -> list[tuple[str, ...]]:
    return [tuple(cell.value for cell in row.dimension_values) for row in answer.rows]


def numbers(answer: Loose, place: int = 0) -> list[int]:
    return [int(row.metric_values[place].value) for row in answer.rows]


def within(names: list[str]) -> dict[str, Any]:
    return {"filter": {"field_name": RESOURCE, "in_list_filter": {"values": names}}}


def only(field: str, **one_filter: Loose) -> dict[str, Any]:
    return {"filter": {"field_name": field, **one_filter}}


def small() -> World:
    """Six rows of one day, of which each test knows what they are."""
    born = datetime(2026, 11, 1, tzinfo=UTC)
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    seen = [("France", "a", "u1"), ("Germany", "b", "u1"), ("France", "B", "u2"), ("Spain", None, "u3")]
    rows = [Row(noon, noon, user, (country, sid), 2) for country, sid, user in seen]
    rows.append(Row(noon, noon, "u4", (None, ""), 3))
    rows.append(Row(noon + timedelta(hours=1), noon, "u2", ("France", "10"), 1, 0))
    france = parse([draw.clause(draw.exact("country", "France"))])
    prop = Property(5, "Small", 6, "UTC", born, ("country", ID), date(2026, 11, 18), "sessioncam_id")
    prop.audiences = [Audience(51, "French", born, france), Audience(52, "Also French", born, france)]
    prop.dimensions = [CustomDimension(1, "sessioncam_id", "Id"), CustomDimension(2, "unused", "Unused")]
    prop.add(rows)
    return World(
        1, {6: "A"}, {5: prop}, {"one@small.example": GoogleUser("one@small.example", frozenset({5}))}
    )


@pytest.fixture
def ask(visit: Callable[[World], Any]) -> Callable[..., Any]:
    visitor = visit(small())
    bearer = visitor.bearer("one@small.example")
    return lambda **more: visitor.report("properties/5", bearer, **more)


def test_every_day_and_audience_equals_the_truth(visitor: Loose, shop: str, order: Order) -> None:
    truth = visitor.control("GET", "/truth", property=shop)
    bearer = visitor.bearer()
    custom = [one["resource_name"] for one in truth["audiences"] if one["kind"] == "custom"]
    wanted = {"and_group": {"expressions": [within(custom), NOT_EMPTY]}}
    assert len(truth["days"]) == 13
    for day in truth["days"]:
        answer = visitor.report(
            shop, bearer, day=day["day"], dimension_filter=wanted, order_bys=order(RESOURCE, ID)
        )
        found = {(name, one) for name, one in keys(answer) if one != "(data not available)"}
        assert len(keys(answer)) == answer.row_count
        assert keys(answer) == sorted(keys(answer))
        assert found == {
            (f"{shop}/audiences/{number}", one)
            for number, ids in day["audiences"].items()
            for one in ids["visible"]
        }
        seen = visitor.report(shop, bearer, day=day["day"], names=[ID], dimension_filter=NOT_EMPTY, limit=1)
        unavailable = visitor.report(shop, bearer, day=day["day"], names=[ID])
        junk = sum(key == ("(data not available)",) for key in keys(unavailable))
        assert seen.row_count - junk == day["ids"]["visible"]


def test_rows_without_the_parameter_are_not_set_and_empty_stays_empty(ask: Loose) -> None:
    assert set(keys(ask(names=[ID]))) == {("a",), ("b",), ("B",), ("10",), ("",), ("(not set)",)}
    assert set(keys(ask(names=[ID], dimension_filter=NOT_EMPTY))) == {("a",), ("b",), ("B",), ("10",)}


def test_users_in_no_audience_are_not_set(ask: Loose) -> None:
    found = dict(zip(keys(ask(names=["audienceName"])), numbers(ask(names=["audienceName"])), strict=False))
    assert set(found) == {("French",), ("Also French",), ("(not set)",)}
    assert keys(
        ask(names=["audienceId", ID], dimension_filter=only("audienceId", string_filter={"value": "51"}))
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (only(ID, string_filter={"value": "b"}), {"b", "B"}),
        (only(ID, string_filter={"value": "b", "case_sensitive": True}), {"b"}),
        (only("country", string_filter={"match_type": "BEGINS_WITH", "value": "fr"}), {"a", "B", "10"}),
        (only("country", string_filter={"match_type": "ENDS_WITH", "value": "ANY"}), {"b"}),
        (only("country", string_filter={"match_type": "CONTAINS", "value": "pai"}), {"(not set)"}),
        (only("country", string_filter={"match_type": "FULL_REGEXP", "value": "g.*y"}), {"b"}),
        (only("country", string_filter={"match_type": "PARTIAL_REGEXP", "value": "^Ger"}), {"b"}),
        (only(ID, in_list_filter={"values": ["A", "10"]}), {"a", "10"}),
        (only(ID, in_list_filter={"values": ["A", "10"], "case_sensitive": True}), {"10"}),
        (only(ID, numeric_filter={"operation": "EQUAL", "value": {"int64_value": 10}}), {"10"}),
        (only(ID, numeric_filter={"operation": "LESS_THAN", "value": {"double_value": 10.5}}), {"10"}),
        (only(ID, numeric_filter={"operation": "LESS_THAN_OR_EQUAL", "value": {"int64_value": 10}}), {"10"}),
        (only(ID, numeric_filter={"operation": "GREATER_THAN", "value": {"int64_value": 10}}), set()),
        (
            only(ID, numeric_filter={"operation": "GREATER_THAN_OR_EQUAL", "value": {"int64_value": 10}}),
            {"10"},
        ),
        (
            only(ID, between_filter={"from_value": {"int64_value": 9}, "to_value": {"int64_value": 11}}),
            {"10"},
        ),
        (
            {"or_group": {"expressions": [only(ID, string_filter={"value": "a"}), NOT_EMPTY]}},
            {"a", "b", "B", "10"},
        ),
        (
            {"or_group": {"expressions": [within(["properties/5/audiences/51"]), only(ID, empty_filter={})]}},
            {"a", "b", "B", "10", "", "(not set)"},
        ),
        (within(["properties/5/audiences/51", "properties/5/audiences/52"]), {"a", "b", "B", "10"}),
        ({"not_expression": within(["(not set)"])}, {"a", "b", "B", "10"}),
        (only("country", empty_filter={}), {""}),
        (only("customEvent:unused", empty_filter={}), {"a", "b", "B", "10", "", "(not set)"}),
        (only("hour", string_filter={"value": "13"}), {"10"}),
    ],
)
def test_filters(ask: Loose, wanted: dict[str, Any], found: set[str]) -> None:
    answer = ask(names=[ID], dimension_filter=wanted)
    assert {key[0] for key in keys(answer)} == found
    assert all(number <= 3 for number in numbers(answer)), "a row in two audiences is counted once"


def test_metrics_count_events_sessions_and_users(ask: Loose) -> None:
    metrics = ["eventCount", "sessions", "totalUsers", "activeUsers"]
    answer = ask(names=["country"], metrics=metrics, metric_aggregations=["TOTAL", "MAXIMUM", "MINIMUM"])
    france = next(row for row in answer.rows if row.dimension_values[0].value == "France")
    assert [cell.value for cell in france.metric_values] == ["5", "2", "2", "2"]
    assert [cell.value for cell in answer.totals[0].metric_values] == ["12", "5", "4", "4"]
    assert [cell.value for cell in answer.maximums[0].metric_values] == ["5", "2", "2", "2"]
    assert [cell.value for cell in answer.minimums[0].metric_values] == ["2", "1", "1", "1"]
    assert answer.totals[0].dimension_values[0].value == "RESERVED_TOTAL"


def test_sessions_drop_rows_of_sessions_begun_before_unless_empty_rows_are_kept(ask: Loose) -> None:
    assert ("10",) not in keys(ask(names=[ID], metrics=["sessions"]))
    assert ("10",) in keys(ask(names=[ID], metrics=["sessions"], keep_empty_rows=True))
    wanted = only("eventCount", numeric_filter={"operation": "GREATER_THAN", "value": {"int64_value": 2}})
    assert keys(ask(names=[ID], metric_filter=wanted)) == [("",)]


def test_times_and_date_ranges(ask: Loose) -> None:
    found = ask(names=["date", "dateHour"])
    assert sorted(keys(found)) == [("20261118", "2026111812"), ("20261118", "2026111813")]
    ranges = [
        {"start_date": "2daysAgo", "end_date": "yesterday", "name": "before"},
        {"start_date": "today", "end_date": "2027-01-01"},
        {"start_date": "2026-11-18", "end_date": "2026-11-18"},
    ]
    answer = ask(names=["date"], date_ranges=ranges)
    assert [header.name for header in answer.dimension_headers] == ["date", "dateRange"]
    assert sorted(keys(answer)) == [("20261118", "before"), ("20261118", "date_range_2")]


def test_without_an_order_rows_come_in_another_order_each_time(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    first, second = (keys(visitor.report(shop, bearer)) for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([{"dimension": {"dimension_name": ID}}], ["", "(not set)", "10", "B", "a", "b"]),
        ([{"dimension": {"dimension_name": ID}, "desc": True}], ["b", "a", "B", "10", "(not set)", ""]),
        (
            [
                {"dimension": {"dimension_name": ID, "order_type": "CASE_INSENSITIVE_ALPHANUMERIC"}},
                {"dimension": {"dimension_name": ID}},
            ],
            ["", "(not set)", "10", "a", "B", "b"],
        ),
        (
            [
                {"dimension": {"dimension_name": ID, "order_type": "NUMERIC"}},
                {"dimension": {"dimension_name": ID}},
            ],
            ["10", "", "(not set)", "B", "a", "b"],
        ),
        (
            [{"metric": {"metric_name": "eventCount"}, "desc": True}, {"dimension": {"dimension_name": ID}}],
            ["", "(not set)", "B", "a", "b", "10"],
        ),
    ],
)
def test_orders(ask: Loose, orders: list[dict[str, Any]], expected: list[str]) -> None:
    assert [key[0] for key in keys(ask(names=[ID], order_bys=orders))] == expected


def test_pages_together_are_the_whole(visitor: Loose, shop: str, order: Order) -> None:
    bearer = visitor.bearer()
    ordered = order(RESOURCE, ID)
    whole = visitor.report(shop, bearer, order_bys=ordered)
    pages = [
        visitor.report(shop, bearer, order_bys=ordered, limit=50, offset=n)
        for n in range(0, whole.row_count, 50)
    ]
    assert [key for page in pages for key in keys(page)] == keys(whole)
    assert {page.row_count for page in pages} == {whole.row_count}
    beyond = visitor.report(shop, bearer, offset=100_000)
    assert (keys(beyond), beyond.row_count) == ([], whole.row_count)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"names": ["customEvent:never"]}, "Field customEvent:never is not a valid dimension"),
        ({"metrics": ["never"]}, "Field never is not a valid metric"),
        ({"metrics": []}, "at least one"),
        ({"names": [ID] * 10}, "limited to 9 dimensions"),
        ({"names": [ID, ID]}, "named twice"),
        ({"limit": -1}, "must be positive"),
        ({"date_ranges": []}, "dateRange is required"),
        ({"date_ranges": [{"start_date": "today", "end_date": "today"}] * 5}, "limited to 4 dateRanges"),
        ({"day": "2026-02-30"}, "Invalid date"),
        ({"date_ranges": [{"start_date": "today", "end_date": "yesterday"}]}, "is after"),
        ({"order_bys": [{"dimension": {"dimension_name": "date"}}]}, "not in the request"),
        ({"order_bys": [{"metric": {"metric_name": "sessions"}}]}, "not in the request"),
        ({"limit": 1, "offset": -1}, "must not be negative"),
        ({"dimension_filter": {"filter": {"field_name": ID}}}, "no condition"),
        ({"dimension_filter": {"and_group": {"expressions": [{}]}}}, "empty"),
        (
            {"dimension_filter": only(ID, string_filter={"match_type": "FULL_REGEXP", "value": "("})},
            "regular expr",
        ),
        ({"dimension_filter": only(ID, numeric_filter={"value": {"int64_value": 1}})}, "needs an operation"),
        ({"dimension_filter": only("never", empty_filter={})}, "Field never is not a valid dimension"),
    ],
)
def test_what_google_refuses_is_an_invalid_argument(ask: Loose, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=sentence):
        ask(**more)


def test_who_may_not_gets_googles_sentence(visitor: Loose, shop: str) -> None:
    with pytest.raises(exceptions.PermissionDenied, match="sufficient permissions for this property"):
        visitor.report(shop, visitor.bearer("analytics@shop2.example"))
    with pytest.raises(exceptions.InvalidArgument, match="numeric Property ID"):
        visitor.report("properties/x", visitor.bearer())


def test_metadata_names_the_custom_dimensions(visitor: Loose, shop: str) -> None:
    found = visitor.data.get_metadata(name=f"{shop}/metadata", metadata=visitor.bearer())
    custom = {one.api_name for one in found.dimensions if one.custom_definition}
    assert custom == {ID, "customEvent:page_group", "customUser:plan", "customUser:sessioncam_id"}
    assert {one.api_name for one in found.metrics} == {"eventCount", "sessions", "activeUsers", "totalUsers"}


def test_late_rows_appear_when_the_clock_has_passed(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    counts = [visitor.report(shop, bearer, day="2026-11-19", names=[ID]).row_count]
    visitor.control("POST", "/advance", {"days": 4})
    counts.append(visitor.report(shop, visitor.bearer(), day="2026-11-19", names=[ID]).row_count)
    days = visitor.control("GET", "/truth", property=shop, **{"from": "2026-11-19", "to": "2026-11-19"})[
        "days"
    ]
    assert counts[0] < counts[1]
    assert days[0]["ids"]["visible"] == days[0]["ids"]["final"]


def test_an_archived_audience_keeps_its_history_or_vanishes_by_mood(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    name = visitor.control("GET", "/truth", property=shop)["audiences"][3]
    path = f"/audiences/{shop.removeprefix('properties/')}/{name['audience_id']}"
    assert visitor.control("POST", path, {"archived": True})["archived"]
    listed = {one.name for one in visitor.admin.list_audiences(parent=shop, metadata=bearer)}
    assert name["resource_name"] not in listed
    kept = visitor.report(shop, bearer, dimension_filter=within([name["resource_name"]]))
    assert kept.row_count
    visitor.mood("archived_audiences_vanish", property=shop)
    assert not visitor.report(shop, bearer, dimension_filter=within([name["resource_name"]])).row_count
    visitor.control("DELETE", "/moods")
    visitor.control("POST", "/advance", {"days": 2})
    after = visitor.report(
        shop, visitor.bearer(), day="2026-11-21", dimension_filter=within([name["resource_name"]])
    )
    assert not after.row_count
    assert not visitor.control("POST", path, {"archived": False})["archived"]


def test_quota_is_counted_and_told(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    first = visitor.report(shop, bearer, return_property_quota=True).property_quota
    second = visitor.report(shop, bearer, names=[ID], return_property_quota=True).property_quota
    assert (first.tokens_per_day.consumed, first.tokens_per_day.remaining) == (1, 199_999)
    assert (second.tokens_per_hour.remaining, second.tokens_per_project_per_hour.remaining) == (
        39_998,
        13_998,
    )
    assert second.potentially_thresholded_requests_per_hour.remaining == 119
    assert second.concurrent_requests.remaining == 10


@pytest.mark.parametrize(
    ("kind", "sentence", "wait"),
    [
        ("tokens_per_day", "Exhausted property tokens per day", {"seconds": 20 * 3600}),
        ("tokens_per_hour", "Exhausted property tokens per hour", {"seconds": 3600}),
        ("tokens_per_project_per_hour", "tokens for a project per hour", {"seconds": 3600}),
        ("potentially_thresholded_requests_per_hour", "potentially thresholded", {"seconds": 3600}),
        ("server_errors_per_project_per_hour", "Exhausted server errors quota", {"seconds": 3600}),
    ],
)
def test_an_exhausted_quota_stops_every_request_until_it_refills(
    visitor: Loose, shop: str, kind: str, sentence: str, wait: dict[str, int]
) -> None:
    visitor.mood("quota_remaining", property=shop, remaining={kind: 0})
    with pytest.raises(exceptions.ResourceExhausted, match=sentence):
        visitor.report(shop, visitor.bearer(), names=[ID])
    visitor.control("POST", "/advance", wait)
    assert visitor.report(shop, visitor.bearer(), names=[ID]).row_count


def test_server_errors_use_up_their_quota(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.mood("call_error", method="RunReport", code="INTERNAL", times=10)
    visitor.mood("call_error", method="RunReport", code="ABORTED", times=1)
    for _ in range(10):
        with pytest.raises(exceptions.InternalServerError):
            visitor.report(shop, bearer)
    with pytest.raises(exceptions.ResourceExhausted, match="server errors"):
        visitor.report(shop, bearer)


def test_an_error_that_is_not_the_servers_costs_no_server_error(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.mood("call_error", method="RunReport", code="ABORTED", reason="ODD", times=1)
    with pytest.raises(exceptions.Aborted) as odd:
        visitor.report(shop, bearer)
    assert odd.value.reason == "ODD"
    quota = visitor.report(shop, bearer, return_property_quota=True).property_quota
    assert quota.server_errors_per_project_per_hour.remaining == 10


def test_the_eleventh_request_at_once_is_refused(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.mood("delay", method="RunReport", seconds=1.0, times=10)
    refused: list[str] = []

    def ask() -> None:
        try:
            visitor.report(shop, bearer, names=[ID])
        except exceptions.ResourceExhausted as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 2
    assert "Exhausted concurrent requests quota" in refused[0]
    assert visitor.control("GET", "/requests")["max_concurrency_by_property"] == {shop: 10}


def test_a_quarter_of_a_million_rows_come_in_seconds(visit: Callable[[World], Any], order: Order) -> None:
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    world = small()
    world.properties[5].add(Row(noon, noon, f"v{n}", ("France", f"{n:032x}")) for n in range(125_000))
    visitor = visit(world)
    bearer = visitor.bearer("one@small.example")
    wanted = {
        "and_group": {
            "expressions": [within(["properties/5/audiences/51", "properties/5/audiences/52"]), NOT_EMPTY]
        }
    }
    began = time.process_time()  # of client and sandbox, which share this process
    answer = visitor.report("properties/5", bearer, dimension_filter=wanted, order_bys=order(RESOURCE, ID))
    spent = time.process_time() - began
    assert (len(answer.rows), answer.row_count) == (250_000, 250_008)
    assert spent < 20
