"""The control port: truth, clock, data, moods, journal."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import pytest

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.web import HttpServer, Request, Response
from ga_sync.sandbox.world import World

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


ID = "customEvent:sessioncam_id"


def refused(visitor: Loose, method: str, path: str, body: Loose = None, **params: str) -> tuple[int, str]:
    content = None if body is None else json.dumps(body)
    answer = visitor.http.request(
        method, visitor.sandbox.control_url + path, content=content, params=params or None
    )
    return answer.status_code, answer.json()["error"]


def cells(answer: Loose) -> Counter[tuple[str, ...]]:
    return Counter(tuple(cell.value for cell in row.dimension_values) for row in answer.rows)


def test_the_clock_can_be_set_shifted_and_moved_on(visitor: Loose) -> None:
    assert visitor.control("GET", "/clock")["offset_seconds"] == 0
    assert visitor.control("PUT", "/clock", {"now": "2026-11-21T12:00:00Z"})["offset_seconds"] == 86400
    assert visitor.control("PUT", "/clock", {"offset_seconds": 60})["now"] == "2026-11-20T12:01:00+00:00"
    assert visitor.control("POST", "/advance", {"days": 2})["now"] == "2026-11-22T12:01:00+00:00"


def test_a_new_day_has_data(visitor: Loose, shop: str) -> None:
    visitor.control("POST", "/advance", {"days": 3})
    assert visitor.control("GET", "/truth", property=shop)["days"][-2]["ids"]["visible"] > 5


def test_an_audience_is_created_renamed_and_fills_forward(visitor: Loose, shop: str) -> None:
    number = shop.removeprefix("properties/")
    made = visitor.control(
        "POST",
        f"/audiences/{number}",
        {"display_name": "Now", "clauses": [draw.clause(draw.exact("deviceCategory", "mobile"))]},
    )
    assert visitor.control("POST", f"/audiences/{number}/{made['audience_id']}", {"display_name": "Later"})
    listed = visitor.admin.list_audiences(parent=shop, metadata=visitor.bearer())
    assert {one.display_name for one in listed if one.name == made["resource_name"]} == {"Later"}
    visitor.control("POST", "/advance", {"days": 1})
    days = visitor.control("GET", "/truth", property=shop)["days"]
    sizes = {day["day"]: len(day["audiences"][made["audience_id"]]["final"]) for day in days}
    assert sizes["2026-11-19"] == 0
    assert sizes["2026-11-20"] > 0
    born = {"create_time": "2026-11-12T00:00:00Z", "membership_duration_days": 5}
    clauses = [draw.clause(draw.exact("deviceCategory", "mobile"))]
    early = visitor.control("POST", f"/audiences/{number}", {"display_name": "E", "clauses": clauses, **born})
    assert early["create_time"] == "2026-11-12T00:00:00+00:00"


def test_sessions_can_be_added_and_revealed_late(visitor: Loose, shop: str) -> None:
    rows = [
        {
            "day": "2026-11-18",
            "user": "new",
            "id": "added-\N{EYE}",
            "values": {"country": "Chile"},
            "events": 3,
        },
        {"at": "2026-11-18T10:00:00Z", "visible_at": "2026-11-21T09:00:00Z", "user": "new", "id": "late"},
    ]
    assert visitor.control("POST", "/sessions", {"property": shop, "rows": rows}) == {"added": 2}
    assert ("added-\N{EYE}",) in cells(visitor.report(shop, visitor.bearer(), names=[ID]))
    assert ("late",) not in cells(visitor.report(shop, visitor.bearer(), names=[ID]))
    visitor.control("POST", "/advance", {"days": 1})
    assert ("late",) in cells(visitor.report(shop, visitor.bearer(), names=[ID]))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("row", "a row is an object"),
        ({"user": "u"}, "needs at"),
        ({"user": "u", "day": "18.11."}, "not a day"),
        ({"user": "u", "at": "noon"}, "not an RFC 3339 time"),
        ({"user": "u", "at": "2026-11-18T10:00:00"}, "no offset"),
        ({"user": "u", "day": "2026-11-18", "values": {"colour": "red"}}, "no field colour"),
        ({"user": "u", "day": "2026-11-18", "id": 7}, "valid Unicode"),
        ({"user": "u", "day": "2026-11-18", "id": "\ud800"}, "valid Unicode"),
        ({"user": "u", "day": "2026-11-18", "events": -1}, "whole numbers"),
    ],
)
def test_a_bad_row_is_refused_with_what_to_send(visitor: Loose, shop: str, row: Loose, sentence: str) -> None:
    status, said = refused(visitor, "POST", "/sessions", {"property": shop, "rows": [row]})
    assert status == 400
    assert sentence in said


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/truth?property=properties/1", None, 404),
        ("GET", "/truth?property=x", None, 404),
        ("POST", "/audiences", {}, 404),
        ("POST", "/audiences/{}/0", {}, 404),
        ("POST", "/audiences/{}/x", {}, 404),
        ("POST", "/audiences/{}", {}, 400),
        ("POST", "/audiences/{}", {"display_name": "A", "clauses": "B"}, 400),
        ("POST", "/audiences/{}", {"display_name": "A", "clauses": [{"colour": 1}]}, 400),
        ("POST", "/audiences/{}", {"display_name": "A", "clauses": [{"simpleFilter": {}}]}, 400),
        ("POST", "/sessions", {"property": "properties/1"}, 404),
        ("PUT", "/clock", {}, 400),
        ("PUT", "/clock", [], 400),
        ("POST", "/advance", {"days": True}, 400),
        ("PUT", "/moods", {}, 400),
        ("PUT", "/moods", {"moods": [{"kind": "unknown"}]}, 400),
        ("POST", "/moods", {"kind": "deny", "colour": 1}, 400),
        ("POST", "/moods", {"kind": "deny", "times": 0}, 400),
        ("POST", "/moods", {"kind": "token_error", "error": "odd"}, 400),
        ("POST", "/moods", {"kind": "call_error", "code": "ODD"}, 400),
        ("POST", "/moods", {"kind": "quota_remaining", "property": "x"}, 404),
    ],
)
def test_a_bad_control_request_is_refused(
    visitor: Loose, shop: str, method: str, path: str, body: Loose, status: int
) -> None:
    assert refused(visitor, method, path.format(shop.removeprefix("properties/")), body)[0] == status


def test_more_bad_control_requests(visitor: Loose, shop: str) -> None:
    assert refused(visitor, "POST", "/sessions", {"property": shop, "rows": {}})[0] == 400
    assert refused(visitor, "GET", "/truth", property=shop, parameter="never")[0] == 404
    odd = {"kind": "quota_remaining", "property": shop, "remaining": {"odd": 1}}
    assert refused(visitor, "PUT", "/moods", {"moods": [odd]})[0] == 400
    assert visitor.http.post(visitor.sandbox.control_url + "/advance", content=b"{").status_code == 400


def test_moods_are_listed_replaced_and_cleared(visitor: Loose) -> None:
    visitor.control("PUT", "/moods", {"moods": [{"kind": "deny", "times": 2}, {"kind": "untick"}]})
    visitor.decide()
    assert visitor.control("GET", "/moods")["moods"] == [{"kind": "deny", "times": 1}, {"kind": "untick"}]
    assert visitor.control("DELETE", "/moods") == {"moods": []}


def test_report_moods_change_what_they_say(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    names = ["audienceResourceName", ID]
    whole = visitor.report(shop, bearer, metric_aggregations=["TOTAL"])

    def under(kind: str, **more: Loose) -> Loose:
        request: dict[str, Any] = {
            name: more.pop(name) for name in ("offset", "names", "limit") if name in more
        }
        visitor.control("PUT", "/moods", {"moods": [{"kind": kind, "property": shop, **more}]})
        request = {"names": names, "metric_aggregations": ["TOTAL"], **request}
        return visitor.report(shop, bearer, **request)

    assert under("data_loss_from_other_row").metadata.data_loss_from_other_row
    assert under("thresholding").metadata.subject_to_thresholding
    assert under("sampling", read=5, space=10).metadata.sampling_metadatas[0].sampling_space_size == 10
    kinds = under("truncation", types=["DATA_TRUNCATION_TYPE_PROPERTY", 99]).metadata.data_truncation_reasons
    assert [type(one).pb(one).data_truncation_type for one in kinds] == [8, 99]
    assert under("row_count_wrong", by=3).row_count == whole.row_count + 3
    assert under("row_count_drift", by=3).row_count == whole.row_count
    assert under("row_count_drift", by=3, offset=10).row_count == whole.row_count + 3
    other = under("other_rows", count=4)
    assert "(other)" in {row.dimension_values[1].value for row in other.rows}
    assert max(cells(under("duplicate_rows", count=2)).values()) == 2
    collapsed = under("collapse", share=0.9)
    assert collapsed.row_count == round(whole.row_count * 0.1)
    assert collapsed.totals == whole.totals
    shrunk = under("collapse", share=0.9, totals="shrink")
    assert shrunk.totals != whole.totals
    assert under("collapse", names=[ID]).row_count > collapsed.row_count / 2
    below = under("rows_below_total", count=2)
    assert (below.row_count, below.totals) == (whole.row_count - 2, whole.totals)
    assert not under("thresholding", days=["2026-01-01"]).metadata.subject_to_thresholding


def test_a_shifted_page_repeats_rows(visitor: Loose, shop: str, order: Callable[..., Any]) -> None:
    bearer = visitor.bearer()
    ordered = order("audienceResourceName", ID)
    visitor.mood("page_shift", by=2)
    first = visitor.report(shop, bearer, order_bys=ordered, limit=10)
    second = visitor.report(shop, bearer, order_bys=ordered, limit=10, offset=10)
    assert list(second.rows[:2]) == list(first.rows[8:])


def test_an_archived_dimension_and_incompatible_fields_are_refused(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.mood("dimension_archived", property=shop, parameter_name="sessioncam_id", times=1)
    with pytest.raises(Exception, match="is not a valid dimension"):
        visitor.report(shop, bearer)
    assert visitor.report(shop, bearer, names=["country"]).row_count
    visitor.control("PUT", "/moods", {"moods": [{"kind": "incompatible", "fields": ["eventCount"]}]})
    with pytest.raises(Exception, match="are incompatible"):
        visitor.report(shop, bearer)


def test_the_journal_tells_every_request_once(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.control("DELETE", "/requests")
    visitor.report(shop, bearer)
    journal = visitor.control("GET", "/requests")
    assert journal["counts"] == {"RunReport": 1}
    entry = journal["requests"][0]
    assert (entry["api"], entry["property"], entry["status"]) == ("data", shop, "OK")
    assert entry["authorization"] == "Bearer [redacted]"
    assert entry["user"] == "analytics@agency.example"
    assert entry["parameters"]["limit"] == "250000"
    assert journal["max_concurrency"]["data"] == 1


@pytest.mark.parametrize("length", ["99999999999", "many"])
def test_a_body_of_unknown_length_is_refused(visitor: Loose, length: str) -> None:
    parts = urlsplit(visitor.sandbox.control_url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as raw:
        raw.sendall(f"POST /advance HTTP/1.0\r\nContent-Length: {length}\r\n\r\n".encode())
        assert raw.recv(64).startswith(b"HTTP/1.0 413")


def test_an_idle_connection_does_not_hold_up_the_end(visit: Callable[[World], Any], world: World) -> None:
    sandbox = visit(world).sandbox
    parts = urlsplit(sandbox.control_url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as idle:
        idle.sendall(b"GET /clock HTTP/1.0\r\n")
        time.sleep(0.1)
        began = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - began < 1


def test_a_handler_that_fails_ends_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Request) -> Response:
        raise ZeroDivisionError

    server = HttpServer(fail, "127.0.0.1", 0, "sandbox-test")
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url)
    server.stop()
    assert "ZeroDivisionError" in caplog.text
