"""What is repeated, how long is waited, and how each way to fail is told."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import msgspec
import pytest

from ga_sync.client import (
    Busy,
    Candidate,
    Client,
    Expired,
    Interrupted,
    Patience,
    Refused,
    Unintelligible,
    Unreachable,
    Window,
    all_,
    any_,
    not_,
    segment,
)
from ga_sync.client.wire import TIMEOUT

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ABOUT: dict[str, Any] = {
    "as_of": "2026-11-23T12:00:00Z",
    "completeness": {"state": "complete", "days": {"complete": 2}},
}
FILTER = all_(any_(segment("1"), segment("2")), not_(segment("3")))
Script = Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers in turn by a script and remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked, self.waits = list(answers), list[httpx.Request](), list[float]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> Client:
        return Client(
            "https://ga.example.com/",
            "gas_key.secret",
            http=httpx.Client(transport=httpx.MockTransport(self)),
            patience=Patience(attempts=3, first=1.0, longest=10.0),
            wait=self.waits.append,
            jitter=lambda: 1.0,
            clock=NOON.timestamp,
        )

    def body(self, number: int = 0) -> object:
        return msgspec.json.decode(self.asked[number].content)


def ok(**members: object) -> httpx.Response:
    return httpx.Response(200, json={**ABOUT, **members})


def busy(status: int = 503, **headers: str) -> httpx.Response:
    problem = {"type": "/problems/unavailable", "title": "", "status": status, "detail": "try again"}
    return httpx.Response(status, json=problem, headers={k.replace("_", "-"): v for k, v in headers.items()})


def page(*ids: str, cursor: str | None = None) -> httpx.Response:
    return ok(recording_ids=list(ids), next_cursor=cursor)


def test_a_query_sends_the_key_the_filter_and_the_window_and_nothing_that_is_not_set() -> None:
    server = Server(page("a", "b", cursor="c"))
    with server.client() as client:
        found = client.query("L1", FILTER, Window(date(2026, 11, 1), None), limit=2)
    assert (found.recording_ids, found.next_cursor, found.as_of) == (["a", "b"], "c", NOON)
    assert (found.completeness.state, found.completeness.days) == ("complete", {"complete": 2})
    assert str(server.asked[0].url) == "https://ga.example.com/v1/links/L1/recordings/query"
    assert server.asked[0].headers["authorization"] == "Bearer gas_key.secret"
    assert server.body() == {"filter": FILTER, "limit": 2, "from": "2026-11-01"}


def test_every_follows_cursors_to_the_end() -> None:
    server = Server(page("a", cursor="1"), page("b", cursor="2"), page("c"))
    assert list(server.client().every("L1", segment("1"), limit=1)) == ["a", "b", "c"]
    assert [dict(server.body(n)).get("cursor") for n in range(3)] == [None, "1", "2"]  # type: ignore[call-overload]


def test_candidates_go_as_ids_or_with_their_days() -> None:
    server = Server(ok(matches=["a"], undecided=["b"]), ok(matches=[], undecided=[]))
    client = server.client()
    found = client.match("L1", segment("1"), ["a", "b"])
    assert (found.matches, found.undecided) == (["a"], ["b"])
    client.match("L1", segment("1"), ["a", Candidate("b"), Candidate("c", date(2026, 11, 2))])
    assert server.body(0) == {"filter": {"segment": "1"}, "recording_ids": ["a", "b"]}
    days = [{"id": "a"}, {"id": "b"}, {"id": "c", "day": "2026-11-02"}]
    assert server.body(1) == {"filter": {"segment": "1"}, "recordings": days}


@pytest.mark.parametrize(
    "failure",
    [
        busy(429),
        busy(503),
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("?"),
    ],
)
def test_what_may_go_away_is_asked_again(failure: httpx.Response | Exception) -> None:
    server = Server(failure, page("a"))
    assert server.client().query("L1", segment("1")).recording_ids == ["a"]
    assert server.waits == [0.5]


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("7", 7.0),
        ("99", 10.0),
        ("Mon, 23 Nov 2026 12:00:04 GMT", 4.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", 0.5),
    ],
)
def test_the_servers_own_wish_is_kept_to(header: str, waited: float) -> None:
    server = Server(busy(retry_after=header), page())
    server.client().query("L1", segment("1"))
    assert server.waits == [waited]


def test_pauses_double_up_to_the_longest_and_a_jitter_takes_up_to_half() -> None:
    patience = Patience(first=1.0, longest=5.0)
    assert [patience.pause(failed, None, 0.0) for failed in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 5.0]
    assert patience.pause(2, None, 1.0) == 1.0


def test_patience_ends_in_the_last_failure() -> None:
    server = Server(busy(), busy(429), busy(503))
    with pytest.raises(Busy, match="503 unavailable: try again") as caught:
        server.client().query("L1", segment("1"))
    assert (caught.value.status, caught.value.slug, caught.value.detail) == (503, "unavailable", "try again")
    assert len(server.waits) == 2
    lost = Server(*(httpx.ConnectError("refused") for _ in range(3)))
    with pytest.raises(Unreachable, match="ConnectError") as unreachable:
        lost.client().query("L1", segment("1"))
    assert isinstance(unreachable.value.__cause__, httpx.ConnectError)


def test_what_stays_is_told_at_once() -> None:
    problem = {"type": "/problems/unknown-segment", "status": 422, "detail": "see its segments"}
    server = Server(httpx.Response(422, json=problem))
    with pytest.raises(Refused, match="unknown-segment"):
        server.client().query("L1", segment("?"))
    assert server.waits == []
    proxy = Server(httpx.Response(502, text="<html>"))
    with pytest.raises(Refused, match="502 unknown"):
        proxy.client().query("L1", segment("1"))


def test_an_answer_of_another_shape_is_not_guessed_at() -> None:
    with pytest.raises(Unintelligible):
        Server(httpx.Response(200, text="<html>")).client().query("L1", segment("1"))
    with pytest.raises(Unintelligible):
        list(Server(httpx.Response(200, json={"segments": 1})).client().segments("L1"))


def test_lists_are_followed_to_their_end() -> None:
    one = {
        "segment_id": "1",
        "name": "Buyers",
        "label": None,
        "recordings": 3,
        "first_day": "2026-11-01",
        "last_day": None,
        "created_at": "2026-10-01T00:00:00Z",
        "archived": False,
    }
    server = Server(
        httpx.Response(200, json={"segments": [one], "next_cursor": "n"}),
        httpx.Response(200, json={"segments": [{**one, "segment_id": "2"}], "next_cursor": None}),
    )
    assert [found.segment_id for found in server.client().segments("L1")] == ["1", "2"]
    assert [dict(asked.url.params) for asked in server.asked] == [
        {"limit": "1000"},
        {"limit": "1000", "cursor": "n"},
    ]


def test_changes_come_page_by_page_until_there_are_no_more() -> None:
    entered = {"segment_id": "1", "recording_id": "a", "change": "entered", "as_of": "2026-11-23T12:00:00Z"}
    server = Server(
        httpx.Response(200, json={"changes": [entered], "next": "p1", "more": True}),
        httpx.Response(200, json={"changes": [], "next": "p2", "more": False}),
        httpx.Response(410, json={"type": "/problems/cursor-expired", "detail": "begin without since"}),
    )
    client = server.client()
    pages = list(client.changes("L1"))
    assert [found.next for found in pages] == ["p1", "p2"]
    assert (pages[0].changes[0].recording_id, pages[0].changes[0].change) == ("a", "entered")
    assert [asked.url.params.get("since") for asked in server.asked] == [None, "p1"]
    with pytest.raises(Expired, match="cursor-expired"):
        next(client.changes("L1", "p2"))


def stream(*parts: bytes | Exception) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, Exception):
            raise part
        yield part


HEADERS = {
    "ga-sync-as-of": "2026-11-23T12:00:00Z",
    "ga-sync-completeness": '{"state": "complete", "days": {"complete": 2}}',
}


def test_an_export_streams_lines_however_they_are_cut() -> None:
    lines = stream(
        b'{"recording_id":"a","last_day":"2026-11-02"}\n{"recor',
        b'ding_id":"\\u00e9","last_day":"2026-11-01"}\n',
    )
    server = Server(httpx.Response(200, headers=HEADERS, content=lines))
    with server.client().export("L1", "1 & !2", Window(None, date(2026, 11, 2))) as (about, found):
        assert about.as_of == NOON
        assert [(one.recording_id, one.last_day.day) for one in found] == [("a", 2), ("é", 1)]
    assert dict(server.asked[0].url.params) == {"filter": "1 & !2", "format": "ndjson", "to": "2026-11-02"}


def test_an_export_before_the_first_generation_has_no_date() -> None:
    headers = {**HEADERS, "ga-sync-as-of": ""}
    server = Server(httpx.Response(200, headers=headers, content=b""))
    with server.client().export("L1", "1") as (about, found):
        assert (about.as_of, list(found)) == (None, [])


def test_a_stream_that_breaks_off_is_never_taken_for_the_end() -> None:
    parts = (b'{"recording_id":"a","last_day":"2026-11-02"}\n', httpx.ReadError("reset"))
    server = Server(httpx.Response(200, headers=HEADERS, content=stream(*parts)))
    with server.client().export("L1", "1") as (_, found), pytest.raises(Interrupted, match="begin anew"):
        list(found)


def test_an_export_that_cannot_begin_is_asked_again_and_arrow_comes_as_it_is() -> None:
    server = Server(busy(), httpx.Response(200, content=stream(b"ARROW1", b"\0\0")))
    with server.client().export_arrow("L1", "1") as parts:
        assert b"".join(parts) == b"ARROW1\0\0"
    assert server.asked[1].url.params["format"] == "arrow"
    assert server.waits == [0.5]


def test_by_itself_it_connects_with_timeouts_in_each_phase() -> None:
    assert None not in TIMEOUT.as_dict().values()
    with (
        Client("http://127.0.0.1:1", "key", wait=lambda _seconds: None) as client,
        pytest.raises(Unreachable),
    ):
        client.query("L1", segment("1"))
