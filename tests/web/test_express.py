"""The short way through the doors: plain questions about what is in memory never reach a handler; all others do."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from litestar.datastructures import State

from ga_sync.accounts.errors import Refusal
from ga_sync.web import express
from ga_sync.web.auth import Door
from ga_sync.web.patience import TooSlow
from tests.web.bench import GLOBEX, House, Json, Shared

ROLES = ("store", "console")
ASKS = {"query": express.query, "match": express.match, "count": express.count}
Header = tuple[bytes, bytes]


@dataclass
class Walk:
    """One request through the middleware alone: what it answered, or what came out behind it."""

    shared: Shared
    what: str
    sent: list[Json] = field(default_factory=list)
    behind: list[Any] = field(default_factory=list)

    def ask(self, messages: list[Any], headers: list[Header], link_id: str | None = None) -> "Walk":
        service = self.shared.house.service
        door = Door(service)
        scope = {
            "type": "http",
            "headers": headers,
            "path_params": {"link_id": link_id or self.shared.link_id},
            "litestar_app": type("App", (), {"state": State({"door": door, "at_once": service.at_once})}),
        }
        for key in self.shared.house.keys.values():  # as if the long way had let them in before
            door._touched[key.removeprefix("gas_").partition(".")[0]] = door._monotonic()  # noqa: SLF001

        async def receive() -> Any:  # noqa: ANN401 -- a message
            message = messages.pop(0)
            if callable(message):
                await anyio.lowlevel.checkpoint()
                message()
                message = messages.pop(0)
            if isinstance(message, Refusal):
                raise message
            return message

        async def send(message: Any) -> None:  # noqa: ANN401 -- a message
            self.sent.append(message)

        async def app(_scope: object, receive: Any, _send: object) -> None:  # noqa: ANN401 -- the next one
            self.behind.append("reached")
            try:
                while messages or len(self.behind) == 1:
                    self.behind.append(await receive())
            except (Refusal, IndexError) as error:
                self.behind.append(type(error))

        middleware = express.Express(ROLES, ASKS[self.what])(cast("Any", app))
        anyio.run(middleware, cast("Any", scope), receive, send)
        return self

    @property
    def answer(self) -> Json:
        """What it answered by itself."""
        assert self.behind == []
        start, body = self.sent
        assert (start["status"], dict(start["headers"])[b"content-type"]) == (200, b"application/json")
        assert int(dict(start["headers"])[b"content-length"]) == len(body["body"])
        found: Json = json.loads(body["body"])
        return found


def request(body: bytes, *, more: bool = False) -> Json:
    return {"type": "http.request", "body": body, "more_body": more}


def headers(
    shared: Shared, body: bytes, role: str = "store", customer: str = "*", **other: bytes
) -> list[Header]:
    found = {
        b"authorization": shared.house.headers(role, customer)["authorization"].encode(),
        b"content-type": b"application/json",
        b"content-length": b"%d" % len(body),
    }
    found |= {name.replace("_", "-").encode(): value for name, value in other.items()}
    return [(name, value) for name, value in found.items() if value]


def walk(shared: Shared, what: str, asked: object, **how: Any) -> Walk:  # noqa: ANN401
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return Walk(shared, what).ask([request(body)], headers(shared, body, **how))


@pytest.fixture
def warm(shared: Shared) -> Shared:
    """Everything that the whole range needs is worked out, and the keys are at hand."""
    for what in (
        "count",
        "query",
    ):  # a count waits for the index, a page only begins it; a page unwraps the link's key
        shared.house.call("POST", f"{shared.at}/recordings/{what}", {"filter": largest(shared)}, role="store")
    service = shared.house.service
    for held in service.index._held.values():  # noqa: SLF001 -- nothing that is public waits for it
        held.index.warm()
    return shared


def largest(shared: Shared) -> Json:
    inside = shared.inside()
    return {"segment": max(inside, key=lambda one: len(inside[one]))}


def test_a_plain_question_never_reaches_its_handler(warm: Shared) -> None:
    filter_ = largest(warm)
    members = sorted(warm.inside()[filter_["segment"]])
    asked = [members[0], "nobody", members[1]]
    page = walk(warm, "query", {"filter": filter_, "limit": 5}).answer
    long = warm.house.client.post(
        f"{warm.at}/recordings/query",
        content=json.dumps({"filter": filter_, "limit": 5}).encode(),
        headers={**warm.house.headers("store"), "content-type": "application/json; charset=utf-8"},
    ).json()
    assert {**page, "next_cursor": None} == {**long, "next_cursor": None}
    after = [
        warm.house.call(
            "POST",
            f"{warm.at}/recordings/query",
            {"filter": filter_, "limit": 5, "cursor": one["next_cursor"]},
        )["recording_ids"]
        for one in (page, long)
    ]
    assert after[0] == after[1]
    match = walk(warm, "match", {"filter": filter_, "recording_ids": asked}).answer
    assert match["matches"] == [members[0], members[1]]
    assert walk(warm, "count", {"filter": filter_}).answer["count"] == len(members)


@pytest.mark.parametrize(
    ("role", "customer"),
    [("store", "*"), ("store", "acme"), ("console", "*"), ("console", "acme"), ("admin", "*")],
)
def test_every_role_of_the_address_may_ask(warm: Shared, role: str, customer: str) -> None:
    assert walk(warm, "count", {"filter": largest(warm)}, role=role, customer=customer).answer["count"]


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ("query", b""),
        ("query", b"{"),
        ("query", b"\xff"),
        ("query", b"[" * 5000),
        ("query", b'{"filter": {"segment": "1"}, "other": 1}'),
        ("query", b'{"filter": {"segment": "1"}, "from": "2026-11-21", "to": "2026-11-01"}'),
        ("query", {"filter": {"segment": "404"}}),
        ("query", {"filter": {"segment": "404"}, "limit": 0}),
        ("query", {"filter": {"segment": "404"}, "cursor": "x"}),
        ("match", {"filter": {"segment": "404"}}),
        ("match", {"filter": {"segment": "404"}, "recordings": []}),
        ("match", {"filter": {"segment": "404"}, "recording_ids": [], "recordings": []}),
        ("count", {"filter": {"segment": "404"}, "by": "day"}),
        ("count", {"filter": {"segment": "404"}, "recording_ids": ["x"]}),
    ],
)
def test_what_is_not_plain_goes_on_with_its_body_as_it_came(warm: Shared, what: str, asked: Any) -> None:  # noqa: ANN401
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    found = walk(warm, what, body)
    assert (found.sent, found.behind) == ([], ["reached", request(body)])


@pytest.mark.parametrize(
    "other",
    [
        {"content_type": b"application/json; charset=utf-8"},
        {"content_type": b""},
        {"content_length": b""},
        {"content_length": b"0"},
        {"content_length": b"-1"},
        {"content_length": b"\xb2"},
        {"content_length": b"16385"},
        {"content_length": b"0" * 5000 + b"60"},
        {"authorization": b""},
        {"authorization": b"Bearer"},
        {"authorization": b"Basic gas_aaaa.aaaa"},
        {"authorization": b"Bearer gas_aaaa.aaaa"},
        {"authorization": b"Bearer gas_\xfc.x"},
    ],
)
def test_a_request_that_is_not_plain_goes_on_unread(warm: Shared, other: dict[str, bytes]) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    found = Walk(warm, "count").ask([request(body)], headers(warm, body, **other))  # type: ignore[arg-type]
    assert (found.sent, found.behind) == ([], ["reached", request(body)])


def test_two_keys_in_one_request_are_none(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    once = headers(warm, body)
    for twice in (once * 2, [(b"authorization", b""), *once]):
        assert Walk(warm, "count").ask([request(body)], twice).behind[0] == "reached"


def test_another_customers_key_and_another_link_go_on(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    assert walk(warm, "count", body, customer=GLOBEX).behind[0] == "reached"
    assert Walk(warm, "count").ask([request(body)], headers(warm, body), "nobody").behind[0] == "reached"


def test_a_key_whose_use_is_to_be_noted_goes_on(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    known = headers(warm, body)
    house = warm.house
    keys = dict(house.keys)
    house.keys.clear()
    assert Walk(warm, "count").ask([request(body)], known).behind[0] == "reached"
    house.keys.update(keys)
    assert Walk(warm, "count").ask([request(body)], known).answer


def test_a_body_in_pieces_goes_on_whole(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    pieces = [request(body[:9], more=True), request(body[9:])]
    found = Walk(warm, "count").ask(list(pieces), headers(warm, body))
    assert found.behind == ["reached", *pieces]
    found = Walk(warm, "count").ask([{"type": "http.disconnect"}], headers(warm, body))
    assert found.behind == ["reached", {"type": "http.disconnect"}]


def test_what_ends_while_the_body_is_waited_for_is_not_answered(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    segment = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]["segment_id"]
    body = json.dumps({"filter": {"segment": segment}}).encode()
    fresh.call("POST", f"/v1/links/{link_id}/recordings/count", json.loads(body), role="store")
    mine = Shared(fresh, grant_id, link_id, "")

    def waited_for(meanwhile: Callable[[], object]) -> Walk:
        return Walk(mine, "count").ask([meanwhile, request(body)], headers(mine, body))

    answer = waited_for(lambda: None).answer
    assert answer == fresh.call(
        "POST", f"/v1/links/{link_id}/recordings/count", json.loads(body), role="store"
    )
    found = waited_for(partial(fresh.call, "POST", f"/v1/links/{link_id}/pause"))
    assert (found.sent, found.behind) == ([], ["reached", request(body)])
    fresh.call("POST", f"/v1/links/{link_id}/resume")
    assert waited_for(lambda: None).answer == answer
    key_id = fresh.keys["store *"].partition(".")[0]
    assert waited_for(partial(fresh.service.keys.revoke, key_id, "test")).behind[0] == "reached"


def test_a_body_that_comes_too_late_is_refused_behind(warm: Shared) -> None:
    body = json.dumps({"filter": largest(warm)}).encode()
    found = Walk(warm, "count").ask([TooSlow("late")], headers(warm, body))
    assert found.behind == ["reached", TooSlow]


def test_both_ways_are_counted_told_and_marked_alike(fresh: House) -> None:
    _, link_id = fresh.linked()
    segment = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]["segment_id"]
    body = {"filter": {"segment": segment}}
    seen = []
    for kind in ("application/json; charset=utf-8", "application/json", "application/json"):
        answer = fresh.client.post(
            f"/v1/links/{link_id}/recordings/count",
            content=json.dumps(body).encode(),
            headers={**fresh.headers("store"), "content-type": kind, "x-request-id": "trace-0001"},
        )
        seen.append((answer.status_code, answer.json(), sorted(answer.headers.items())))
    assert seen[0] == seen[1] == seen[2]
    assert dict(seen[0][2])["x-request-id"] == "trace-0001"
