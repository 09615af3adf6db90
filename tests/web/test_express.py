"""The short way through the doors: plain questions about what is in memory never reach the application, others do."""

import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from structlog.testing import capture_logs

from ga_sync.web.direct import Direct
from tests.certificates import certificate
from tests.web.bench import GLOBEX, House, Shared
from tests.web.line import Line, Patient, largest, line, until
from tests.web.wire import LAST, Answer, answers, connected, port_of, sent, until_closed


@pytest.fixture
def open_line(warm: Shared) -> Iterator[Line]:
    with line(warm) as found:
        yield found


class Hasty(Direct):
    patience = 0.01


# --- what is answered at once ----------------------------------------------------------------------------


def test_a_plain_question_never_reaches_the_application(open_line: Line, warm: Shared) -> None:
    filter_ = largest(warm)
    members = sorted(warm.inside()[filter_["segment"]])
    page, long = (
        ask("query", {"filter": filter_, "limit": 5}) for ask in (open_line.at_once, open_line.long)
    )
    assert {**page, "next_cursor": None} == {**long, "next_cursor": None}
    after = [
        open_line.long("query", {"filter": filter_, "limit": 5, "cursor": one["next_cursor"]})
        for one in (page, long)
    ]
    assert after[0]["recording_ids"] == after[1]["recording_ids"] != []
    for what, asked in (
        ("match", {"filter": filter_, "recording_ids": [members[0], "nobody", members[1]]}),
        ("match", {"filter": {"not": filter_}, "recording_ids": [members[0], "nobody"]}),
        ("count", {"filter": filter_}),
    ):
        assert open_line.at_once(what, asked) == open_line.long(what, asked)


@pytest.mark.parametrize(
    ("role", "customer"),
    [("store", "*"), ("store", "acme"), ("console", "*"), ("console", "acme"), ("admin", "*")],
)
def test_every_role_of_the_address_may_ask(open_line: Line, role: str, customer: str) -> None:
    asked = {"filter": largest(open_line.shared)}
    assert open_line.at_once("count", asked, role=role, customer=customer)["count"]


def test_one_connection_asks_again_and_again(open_line: Line, warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    asked = open_line.head("count", len(body)) + body
    with connected(open_line.server) as connection:
        for _ in range(3):
            connection.sendall(asked)
            (found,) = answers(connection.recv(65536))
            assert found.value["count"]
            assert b"connection:" not in found.head
    assert open_line.behind == []
    until(lambda: not open_line.server.server_state.connections)
    assert open_line.server.server_state.total_requests == 3


def test_a_body_that_comes_apart_from_its_head_is_answered_at_once(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    with line(warm, Patient) as slow, connected(slow.server) as connection:
        for piece in (slow.head("count", len(body), connection=b"close"), body[:9], body[9:]):
            connection.sendall(piece)
            time.sleep(0.02)
        (found,) = answers(until_closed(connection))
        assert (found.status, slow.behind) == (200, [])


def test_plain_questions_are_answered_at_once_over_tls(warm: Shared, tmp_path: Path) -> None:
    key, own = certificate()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(own)
    files: dict[str, Any] = {"ssl_certfile": tmp_path / "cert.pem", "ssl_keyfile": tmp_path / "key.pem"}
    asked, headers = {"filter": largest(warm)}, warm.house.headers("store")
    with line(warm, Patient, **files) as secure:
        secure.know_the_keys()
        there, trust = (
            f"https://127.0.0.1:{port_of(secure.server)}",
            ssl.create_default_context(cadata=own.decode()),
        )
        with httpx.Client(verify=trust, base_url=there, trust_env=False) as client:
            for _ in range(2):
                answer = client.post(f"{warm.at}/recordings/count", json=asked, headers=headers)
                assert answer.json()["count"]
        assert secure.behind == []


# --- what goes the long way ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "asked", "status"),
    [
        ("query", b"{", 400),
        ("query", b"\xff", 400),
        ("query", b"[" * 5000, 422),
        ("query", b'{"filter": {"segment": "1"}, "other": 1}', 422),
        ("query", b'{"filter": {"segment": "1"}, "from": "2026-11-21", "to": "2026-11-01"}', 422),
        ("query", {"filter": {"segment": "404"}}, 422),
        ("query", {"filter": {"segment": "404"}, "limit": 0}, 422),
        ("query", {"filter": {"segment": "404"}, "cursor": "x"}, 422),
        ("match", {"filter": {"segment": "404"}}, 422),
        ("match", {"filter": {"segment": "404"}, "recordings": []}, 422),
        ("match", {"filter": {"segment": "404"}, "recording_ids": [], "recordings": []}, 422),
        ("count", {"filter": {"segment": "404"}, "by": "day"}, 422),
        ("count", {"filter": {"segment": "404"}, "recording_ids": ["x"]}, 422),
        ("segments", {"recording_ids": ["x"]}, 200),
    ],
)
def test_what_is_not_plain_reaches_the_application_with_its_body_as_it_came(
    open_line: Line,
    what: str,
    asked: Any,  # noqa: ANN401
    status: int,
) -> None:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    open_line.reached(what, body, status)
    assert open_line.behind == [body]


@pytest.mark.parametrize(
    ("status", "other"),
    [
        (200, {"content_type": b"application/json; charset=utf-8"}),
        (200, {"content_type": None}),
        (200, {"expect": b"100-continue"}),
        (200, {"content_length": b"000100"}),
        (401, {"authorization": None}),
        (401, {"authorization": b"Bearer"}),
        (401, {"authorization": b"Basic gas_aaaa.aaaa"}),
        (401, {"authorization": b"Bearer gas_aaaa.aaaa"}),
        (401, {"authorization": b"Bearer gas_\xfc.x"}),
        (404, {"customer": GLOBEX}),
    ],
)
def test_a_request_that_is_not_plain_reaches_the_application(
    open_line: Line, status: int, other: dict[str, Any]
) -> None:
    body = json.dumps({"filter": largest(open_line.shared)}).encode()
    body += b" " * (100 - len(body))
    continues = b"HTTP/1.1 100 Continue\r\n\r\n"
    came = open_line.head("count", len(body), connection=b"close", **other) + body
    found = sent(open_line.server, came)
    assert [one.status for one in found] == ([100, 200] if "expect" in other else [status])
    assert (b"100 Continue" in found[0].head + continues) or status == 200
    assert open_line.behind == [body if status == 200 else b""]


def test_a_long_body_a_body_in_chunks_and_http_1_0_reach_the_application(
    open_line: Line, warm: Shared
) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    long = body + b" " * 17000
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    head = open_line.head("count", len(body), connection=b"close")
    chunked = open_line.head(
        "count", 0, connection=b"close", content_length=None, transfer_encoding=b"chunked"
    )
    assert open_line.say(open_line.head("count", len(long), connection=b"close") + long).value["count"]
    assert open_line.say(chunked + chunks).value["count"]
    assert open_line.say(head.replace(b"HTTP/1.1", b"HTTP/1.0") + body).value["count"]
    assert open_line.behind == [long, body, body]


def test_other_methods_and_addresses_reach_the_application(open_line: Line, warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    head = open_line.head("count", len(body), connection=b"close")
    for other, status in (
        (head.replace(b"POST", b"GET"), 405),
        (head.replace(b"POST", b"HEAD"), 405),
        (head.replace(b"/count", b"/count?a=b"), 200),
        (head.replace(b"/count", b"/%63ount"), 200),
        (head.replace(b"/count", b"/count/"), 200),
        (head.replace(warm.link_id.encode(), b"nobody"), 404),
    ):
        before = len(open_line.behind)
        found = until_first_line(open_line.server, other + body)
        assert (found, len(open_line.behind)) == (status, before + 1)


def until_first_line(server: uvicorn.Server, asked: bytes) -> int:
    """The status alone: an answer to HEAD says the length of a body that does not come."""
    with connected(server) as connection:
        connection.sendall(asked)
        return int(until_closed(connection)[9:12])


def test_two_keys_in_one_request_are_none(open_line: Line, warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    head = open_line.head("count", len(body), connection=b"close")
    mine = re.search(rb"authorization: [^\r]+\r\n", head)
    assert mine
    for twice in (mine[0] * 2, b"authorization: \r\n" + mine[0]):
        before = len(open_line.behind)
        open_line.say(head.replace(mine[0], twice) + body)
        assert len(open_line.behind) == before + 1


def test_a_key_whose_use_is_to_be_noted_reaches_the_application_once(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    with line(warm) as found:
        head = found.head("count", len(body), connection=b"close")
        found.app.state.door._touched.clear()  # noqa: SLF001
        for _ in range(3):
            assert found.say(head + body).value["count"]
        assert found.behind == [body]


def test_of_what_is_sent_behind_one_another_only_the_first_is_answered_at_once(
    open_line: Line, warm: Shared
) -> None:
    limits = range(1, 5)
    bodies = [json.dumps({"filter": largest(warm), "limit": limit}).encode() for limit in limits]
    whole = b"".join(open_line.head("query", len(body)) + body for body in bodies)
    last = b"GET /healthz HTTP/1.1\r\n" + LAST + b"\r\n"
    found = sent(open_line.server, whole + last)
    assert [len(one.value["recording_ids"]) for one in found[:-1]] == list(limits)
    # where the first waits for a look, the second is there before it is admitted
    waits = open_line.app.state.together.express.waits
    assert [body for body in open_line.behind if body] == (bodies if waits else bodies[1:])


def test_a_body_that_is_late_reaches_the_application_as_it_came(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    with line(warm, Hasty) as hasty, connected(hasty.server) as connection:
        connection.sendall(hasty.head("count", len(body), connection=b"close") + body[:9])
        until(lambda: hasty.behind)
        connection.sendall(body[9:])
        (found,) = answers(until_closed(connection))
        assert (found.status, hasty.behind) == (200, [body])


def test_whoever_may_not_ask_is_told_before_the_body_is_there(warm: Shared) -> None:
    with line(warm, Hasty) as hasty, connected(hasty.server) as connection:
        connection.sendall(hasty.head("count", 100, authorization=b"Bearer gas_aaaa.aaaa"))
        assert answers(connection.recv(65536))[0].status == 401
        assert hasty.behind == [b""]


def test_a_caller_that_goes_away_in_the_middle_reaches_the_application(warm: Shared) -> None:
    with line(warm, Patient) as slow:
        with connected(slow.server) as connection:
            connection.sendall(slow.head("count", 100) + b'{"filter"')
            until(slow.is_waited_for)
            assert slow.behind == []
        until(lambda: slow.behind == [None])
        until(lambda: not slow.server.server_state.tasks)


def test_a_server_that_is_told_to_stop_waits_for_the_body(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    with line(warm, Patient) as slow, connected(slow.server) as connection:
        connection.sendall(slow.head("count", len(body)))
        until(slow.is_waited_for)
        slow.server.should_exit = True
        time.sleep(0.3)
        connection.sendall(body)
        (found,) = answers(until_closed(connection))
        assert (found.status, slow.behind) == (200, [])
        assert b"connection: close" in found.head


def test_what_ends_while_the_body_is_waited_for_is_not_answered(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    segment = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]["segment_id"]
    body = json.dumps({"filter": {"segment": segment}}).encode()
    with line(Shared(fresh, grant_id, link_id, ""), Patient) as slow:

        def waited_for(meanwhile: Any) -> int:  # noqa: ANN401 -- a call
            with connected(slow.server) as connection:
                connection.sendall(slow.head("count", len(body), connection=b"close"))
                time.sleep(0.05)
                meanwhile()
                connection.sendall(body)
                return answers(until_closed(connection))[0].status

        slow.long("count", json.loads(body))
        slow.behind.clear()
        assert (waited_for(lambda: None), slow.behind) == (200, [])
        assert waited_for(lambda: fresh.call("POST", f"/v1/links/{link_id}/pause")) == 423
        fresh.call("POST", f"/v1/links/{link_id}/resume")
        assert waited_for(lambda: None) == 200
        key_id = fresh.keys["store *"].partition(".")[0]
        assert waited_for(lambda: fresh.service.keys.revoke(key_id, "test")) == 401
        assert len(slow.behind) == 2


# --- what both ways have in common -----------------------------------------------------------------------


def test_both_ways_are_counted_told_and_marked_alike(open_line: Line, warm: Shared) -> None:
    asked = {"filter": largest(warm)}
    heads, told, counted = [], [], []
    for ask in (open_line.ask, open_line.ask, partial_long(open_line)):
        before, metrics = len(open_line.behind), scraped(warm)
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            found = ask("count", asked, x_request_id=b"trace-0001")
            until(lambda lines=lines: lines)
        heads.append((found.body, re.sub(rb"date: [^\r]+", b"", found.head), len(open_line.behind) - before))
        told.append([{**one, "ms": one["ms"] >= 0} for one in lines])
        for one in told[-1]:
            one.pop("timestamp", None)  # of a line that is written later
        counted.append({name: value - metrics.get(name, 0) for name, value in scraped(warm).items()})
    assert [one[2] for one in heads] == [0, 0, 1]
    assert heads[1][:2] == heads[2][:2]
    assert b"x-request-id: trace-0001" in heads[1][1]
    address = "/v1/links/{link_id}/recordings/count"
    line_of = {"event": "request", "log_level": "info", "method": "POST", "address": address, "status": 200}
    assert told[1] == told[2] == [{**line_of, "ms": True, "request_id": "trace-0001"}]
    assert counted[1] == counted[2] != {}


def partial_long(open_line: Line) -> Any:  # noqa: ANN401 -- as `Line.ask`
    def ask(what: str, asked: object, **other: Any) -> Answer:  # noqa: ANN401
        return open_line.ask(what, asked, content_type=b"application/json; charset=utf-8", **other)

    return ask


def scraped(shared: Shared) -> dict[str, float]:
    """How often requests for counts were counted; not when, nor how long they took."""
    text = shared.house.client.get("/metrics").text
    lines = re.findall(r"^(ga_sync_requests?_\S+recordings/count\S+) (\S+)$", text, re.MULTILINE)
    kinds = ("_total{", "_in_progress{", "_count{")
    return {name: float(value) for name, value in lines if any(kind in name for kind in kinds)}


def test_no_line_is_lost_when_the_server_stops(warm: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ga_sync.web.tracing.LATER_SECONDS", 3600)
    with capture_logs() as lines:
        with line(warm) as open_line:
            open_line.at_once("count", {"filter": largest(warm)}, x_request_id=b"the-last-one")
            assert "the-last-one" not in [one.get("request_id") for one in lines]
        assert "the-last-one" in [one.get("request_id") for one in lines]


def test_an_answer_without_an_id_of_the_callers_has_one_of_its_own(open_line: Line, warm: Shared) -> None:
    found = [open_line.ask("count", {"filter": largest(warm)}).head for _ in range(2)]
    ids = {re.findall(rb"x-request-id: ([0-9a-f]{16})", head)[0] for head in found}
    assert (len(ids), open_line.behind) == (2, [])


@pytest.mark.parametrize("fails", ["admitted", "answer"])
def test_what_fails_on_the_short_way_goes_the_long_way_and_is_told_with_its_request(
    open_line: Line, warm: Shared, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_asked: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(open_line.app.state.together.express, fails, fail)
    asked = {"filter": largest(warm)}
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        found = open_line.ask("count", asked)
        until(lambda: len(lines) == 2)
    assert (found.status, len(open_line.behind)) == (200, 1)
    failed, told = lines
    assert (failed["event"], failed["log_level"], told["event"]) == ("short_way_failed", "error", "request")
    assert b"x-request-id: %s" % failed["request_id"].encode() in found.head
    assert told["request_id"] == failed["request_id"]


def test_what_fails_behind_an_answer_ends_the_connection_without_another(
    open_line: Line, warm: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_asked: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(open_line.app.state.together.express, "count", fail)
    body = json.dumps({"filter": largest(warm)}).encode()
    found = open_line.say(
        open_line.head("count", len(body)) + body
    )  # which keeps the connection, but for the fault
    assert (found.status, open_line.behind) == (200, [])
