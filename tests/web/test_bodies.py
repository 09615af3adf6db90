"""Bodies that are not JSON, not of the documented shape, too large or hostile: refused, with nothing lost."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import httpx
import pytest
from structlog.testing import capture_logs

from ga_sync.web.app import create_app
from ga_sync.web.patience import Patient
from tests.web.bench import ACME, PUBLIC, Json, Shared

DEEP = 200_000
LEAF = {"segment": "1"}


def _nested(depth: int) -> Json:
    filter_: Json = {"segment": "1"}
    for _ in range(depth - 1):
        filter_ = {"not": filter_}
    return filter_


def _raw(shared: Shared, raw: bytes, path: str = "query") -> tuple[int, str]:
    answer = shared.house.client.post(
        f"{shared.at}/recordings/{path}", content=raw, headers=shared.house.headers("store")
    )
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("/problems/")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"nonsense",
        b'{"filter": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"filter": {"segment": "\\ud800"}}',
        b'{"filter": {"segment": "\xed\xa0\x80"}}',
        b'{"filter": {"segment": "1"}} x',
    ],
)
def test_what_is_not_json_is_malformed(shared: Shared, raw: bytes) -> None:
    assert _raw(shared, raw) == (400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {},
        {"filter": LEAF, "unknown": 1},
        {"filter": LEAF, "limit": "5"},
        {"filter": LEAF, "limit": 0},
        {"filter": LEAF, "limit": -1},
        {"filter": LEAF, "limit": 10_001},
        {"filter": LEAF, "limit": 1.5},
        {"filter": LEAF, "limit": True},
        {"filter": LEAF, "limit": 10**400},
        {"filter": LEAF, "cursor": 5},
        {"filter": LEAF, "from": "tomorrow"},
        {"filter": LEAF, "from": 20261120},
        {"filter": LEAF, "to": "2026-02-30"},
        {"filter": None},
        {"filter": "1"},
        {"filter": []},
        {"filter": {}},
        {"filter": {"segment": 1}},
        {"filter": {"segment": ""}},
        {"filter": {"segment": ["1"]}},
        {"filter": {"segment": "1", "not": LEAF}},
        {"filter": {"all": []}},
        {"filter": {"any": []}},
        {"filter": {"any": LEAF}},
        {"filter": {"not": [LEAF]}},
        {"filter": {"not": "1"}},
        {"filter": {"xor": [LEAF]}},
        {"filter": _nested(17)},
        {"filter": {"any": [LEAF] * 256}},
        {"filter": {"segment": "1" * 70_000}},
    ],
)
def test_json_of_another_shape_is_invalid(shared: Shared, body: object) -> None:
    assert _raw(shared, json.dumps(body).encode()) == (422, "invalid")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"filter":' + b'{"not":' * DEEP + b"1" + b"}" * DEEP + b"}",
        b'{"filter":' + b"[" * DEEP + b"]" * DEEP + b"}",
    ],
)
def test_nesting_without_end_ends_in_a_sentence(shared: Shared, raw: bytes) -> None:
    assert _raw(shared, raw) == (422, "invalid")


def test_nesting_in_the_text_form_ends_in_a_sentence(shared: Shared) -> None:
    for text in (
        "(" * 5000,
        "!" * 5000 + "1",
        "1&" * 300 + "1",
        '"open',
        "1 2",
        "{" * 4000,
        '{"segment": "1"',
    ):
        answer = shared.house.client.get(
            f"{shared.at}/recordings/export", params={"filter": text}, headers=shared.house.headers("store")
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")


def test_depth_16_and_256_nodes_are_read(shared: Shared) -> None:
    for filter_ in (_nested(15), {"any": [LEAF] * 255}):
        assert _raw(shared, json.dumps({"filter": filter_}).encode())[1] in {
            "unknown-segment",
            "filter-unbounded",
        }


def test_a_body_over_16_mib_is_too_large(shared: Shared) -> None:
    raw = b'{"filter": "' + b"x" * (16 * 1024 * 1024) + b'"}'
    assert _raw(shared, raw) == (413, "too-large")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("match", {"recording_ids": ["x"] * 10_001}),
        ("match", {"recordings": [{"id": "x"}] * 10_001}),
        ("match", {}),
        ("match", {"recording_ids": [], "recordings": []}),
        ("match", {"recording_ids": None}),
        ("match", {"recording_ids": [1]}),
        ("match", {"recording_ids": [""]}),
        ("match", {"recording_ids": ["x" * 101]}),
        ("match", {"recordings": [{"id": "x", "day": "x"}]}),
        ("match", {"recordings": [{"id": "x", "when": "2026-11-20"}]}),
        ("match", {"recordings": ["x"]}),
        ("count", {"recording_ids": ["x"] * 10_001}),
        ("count", {"recording_ids": None}),
        ("count", {"by": "month"}),
        ("explain", {"recording_ids": ["x"] * 101}),
        ("explain", {"recording_ids": "x"}),
    ],
)
def test_candidates_over_a_limit_are_refused_and_never_cut(shared: Shared, path: str, body: Json) -> None:
    segment = next(iter(shared.inside()))
    raw = json.dumps({"filter": {"segment": segment}, **body}).encode()
    assert _raw(shared, raw, path) == (422, "invalid")


def test_ids_over_their_limits_are_refused_where_segments_are_asked(shared: Shared) -> None:
    for ids in (["x"] * 1001, ["x" * 101], [""], [None], "x"):
        assert _raw(shared, json.dumps({"recording_ids": ids}).encode(), "segments") == (422, "invalid")


@pytest.mark.parametrize("customer_id", ["", "a" * 65, "a b", "a/b", "\u00e4", "a\0", "*", "<b>"])
def test_a_malformed_customer_is_refused(shared: Shared, customer_id: str) -> None:
    shared.house.refused("invalid", "POST", "/v1/grants", {"customer_id": customer_id})


@pytest.mark.parametrize(
    "change",
    [
        {"property": "300007001"},
        {"property": "properties/x"},
        {"property": "properties/1/audiences/2"},
        {"property": 5},
        {"parameter_name": ""},
        {"parameter_name": "x" * 201},
        {"parameter_name": "line\nbreak"},
        {"retention_days": 0},
        {"retention_days": 91},
        {"retention_days": "5"},
        {"colour": "red"},
    ],
)
def test_a_link_with_a_bad_value_is_refused(shared: Shared, change: Json) -> None:
    good = {"grant_id": shared.grant_id, "property": shared.property_name, "parameter_name": "x"}
    shared.house.refused("invalid", "POST", "/v1/links", {**good, **change})


def test_what_google_refuses_is_said(shared: Shared) -> None:
    good = {"grant_id": shared.grant_id, "property": shared.property_name, "parameter_name": "sessioncam_id"}
    shared.house.refused("property-unreadable", "POST", "/v1/links", {**good, "property": "properties/1"})
    shared.house.refused("dimension-unknown", "POST", "/v1/links", {**good, "parameter_name": "unknown"})


def test_counts_and_labels_and_retention_are_checked(shared: Shared) -> None:
    house, at = shared.house, shared.at
    day = house.call("GET", f"{at}/days")["days"][0]["day"]
    for count in (-1, 2**31, "5", None, 1.5):
        house.refused("invalid", "PUT", f"{at}/days/{day}/recorded", {"count": count}, role="store")
    for bad in ("2026-02-30", "x", "2020-01-01", "20261120", "2026-W47-1"):
        house.refused("invalid", "PUT", f"{at}/days/{bad}/recorded", {"count": 1}, role="store")
    segment = next(iter(shared.inside()))
    for label in ({"label": ""}, {"label": "x" * 201}, {}, {"label": 5}):
        house.refused("invalid", "PUT", f"{at}/segments/{segment}/label", label)
    for unknown in ("1", "%00", "x" * 300, "\u00e9"):
        house.refused("not-found", "PUT", f"{at}/segments/{unknown}/label", {"label": "x"})
    for kept in (0, 91, "5", None):
        house.refused("invalid", "PATCH", at, {"retention_days": kept})


def test_addresses_and_methods_that_are_not_there(shared: Shared) -> None:
    house = shared.house
    for method, path, status, slug in (
        ("GET", "/nope", 404, "not-found"),
        ("GET", "/v1/nope", 404, "not-found"),
        ("GET", "/v1/links/\u00e9", 404, "not-found"),
        ("GET", "/v1/links/%00", 404, "not-found"),
        ("GET", "/v1/links/%ED%A0%80", 404, "not-found"),
        ("GET", "/v1/grants/%00", 404, "not-found"),
        ("PUT", "/v1/links", 405, "method-not-allowed"),
        ("DELETE", f"{shared.at}/recordings/query", 405, "method-not-allowed"),
    ):
        answer = house.client.request(method, path, headers=house.headers())
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/links", {"GET", "POST", "OPTIONS"}),
        ("PUT", "/v1/links/one", {"GET", "PATCH", "DELETE", "OPTIONS"}),
        ("OPTIONS", "/v1/links/one", {"GET", "PATCH", "DELETE", "OPTIONS"}),
    ],
)
def test_an_address_says_which_methods_it_takes(
    shared: Shared, method: str, path: str, allowed: set[str]
) -> None:
    """Of all its handlers together (RFC 9110 §15.5.6)."""
    answer = shared.house.client.request(method, path, headers=shared.house.headers())
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_no_detail_repeats_a_secret_or_an_id(shared: Shared) -> None:
    house = shared.house
    key = house.headers("store", ACME)["authorization"]
    answer = house.client.post(
        f"{shared.at}/recordings/segments",
        json={"recording_ids": ["canary" * 20]},
        headers={"authorization": key},
    )
    assert answer.status_code == 422
    assert "canary" not in answer.text
    assert key.removeprefix("Bearer ") not in answer.text


async def _trickle() -> AsyncIterator[bytes]:
    yield b'{"filter": '
    await anyio.sleep_forever()


def test_a_body_that_trickles_is_not_waited_for(shared: Shared) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", create_app(shared.house.service, body_seconds=0.05)))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
            headers = shared.house.headers("store")
            with anyio.fail_after(30):
                return await client.post(f"{shared.at}/recordings/query", content=_trickle(), headers=headers)

    answer = anyio.run(ask)
    assert (answer.status_code, answer.json()["type"]) == (408, "/problems/too-slow")
    assert answer.headers["connection"] == "close"


def test_a_caller_that_goes_away_in_the_middle_of_its_body_is_no_fault_of_ours(shared: Shared) -> None:
    headers = [(b"authorization", shared.house.headers("store")["authorization"].encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{shared.at}/recordings/query",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "headers": headers,
        "root_path": "",
    }
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def ask() -> None:
        async def receive() -> Any:  # noqa: ANN401 -- a message
            return messages.pop(0)

        async def send(message: Any) -> None:  # noqa: ANN401 -- a message
            sent.append(message)

        await create_app(shared.house.service)(cast("Any", scope), receive, send)

    with capture_logs() as logs:
        anyio.run(ask)
    assert (sent[0]["status"], json.loads(sent[1]["body"])["type"]) == (400, "/problems/malformed")
    assert [line["event"] for line in logs] == ["request"]


def test_a_caller_that_has_sent_its_body_may_wait_as_long_as_it_likes() -> None:
    """After the body there is nothing to be impatient about."""
    said: list[str] = []

    async def listen() -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> Any:  # noqa: ANN401 -- a message
            if len(messages) == 1:
                await anyio.sleep(0.1)
            return messages.pop(0)

        async def app(_scope: Any, receive: Any, _send: Any) -> None:  # noqa: ANN401 -- an application
            said.extend([(await receive())["type"], (await receive())["type"]])

        await Patient(0.02)(cast("Any", app))(cast("Any", {"type": "http"}), receive, cast("Any", None))

    anyio.run(listen)
    assert said == ["http.request", "http.disconnect"]
