"""Questions that are there at the same time: answered step by step, each as if it were alone."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from ga_sync.index.store import AskedLink
from ga_sync.web.express import Asked
from ga_sync.web.together import MOST, Held, Together
from tests.web.bench import Shared
from tests.web.line import Line, Patient, largest, line, until
from tests.web.wire import HOST, answers, connected, sent, until_closed

LINK: Any = object()


class Loop:
    """What is called soon, and later."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def call_later(self, _seconds: float, call: Callable[[], None]) -> None:
        self.soon.append(call)


class Way:
    """A short way that writes down what it does; some questions fail on it, or are not answered."""

    waits = False

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.told = self

    def admitted(self, asked: Asked) -> AskedLink | None:
        self.done.append(("admitted", asked.key))
        if asked.key == "fails":
            raise ZeroDivisionError
        return None if asked.key == "stranger" else LINK

    def answer(self, asked: Asked, link: AskedLink, body: bytes) -> bytes | None:
        assert link is LINK
        self.done.append(("answer", asked.key))
        return None if asked.key == "unready" else b"answer to " + body

    def name(self, _headers: object) -> str:
        return "a-name"

    def head(self, _first: object, name: str, size: int, *, keep_alive: bool) -> bytes:
        return f"{name} {size} {keep_alive} ".encode()

    def count(self, asked: Asked, seconds: float) -> None:
        assert seconds >= 0
        self.done.append(("count", asked.key))
        if asked.key == "uncounted":
            raise ZeroDivisionError

    def tell(self, _call_later: object, told: Any) -> None:  # noqa: ANN401
        assert (told.name, told.status) == ("a-name", 200)


class Caller:
    """A connection with one question."""

    default_headers: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, loop: Loop, key: str, *, is_full: bool = False) -> None:
        self.loop, self.is_full = loop, is_full
        self.held: Held | None = Held(Asked(key, "link", "count"), [], keep_alive=True, since=0.0)
        self.held.body = key.encode()
        self.came: list[object] = []

    def let_go(self) -> Held | None:
        held, self.held = self.held, None
        return held

    def send(self, _held: Held, answer: bytes) -> bool:
        if b"broken" in answer:
            raise ConnectionError
        if not self.is_full:
            self.came.append(answer)
        return not self.is_full

    def begin(self, held: Held) -> None:
        self.came.append(held)

    def end(self) -> None:
        self.came.append("end")


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture
def together(way: Way) -> Together:
    express: Any = way
    return Together(express)


def joined(together: Together, *keys: str) -> list[Caller]:
    loop = Loop()
    callers = [Caller(loop, key, is_full=key == "full") for key in keys]
    for caller in callers:
        together.join(caller)
    assert [caller.came for caller in callers] == [[]] * len(keys)
    for call in loop.soon:
        call()
    assert len(loop.soon) == 1
    return callers


def test_they_are_answered_step_by_step(together: Together, way: Way) -> None:
    callers = joined(together, "a", "b")
    assert [caller.came for caller in callers] == [
        [b"a-name 11 True answer to a"],
        [b"a-name 11 True answer to b"],
    ]
    assert way.done == [(step, key) for step in ("admitted", "answer", "count") for key in "ab"]


def test_not_more_than_a_few_wait_for_each_other(together: Together, way: Way) -> None:
    keys = [f"key{number:02}" for number in range(MOST + 1)]
    callers = joined(together, *keys)
    assert all(len(caller.came) == 1 for caller in callers)
    assert way.done.index(("count", keys[0])) < way.done.index(("admitted", keys[-1]))


def test_who_joins_after_that_is_answered_after_that(together: Together) -> None:
    for _ in range(2):
        joined(together, "a", "b")


@pytest.mark.parametrize("other", ["stranger", "unready", "fails", "full"])
def test_who_cannot_be_answered_goes_the_long_way_and_hinders_nobody(together: Together, other: str) -> None:
    with capture_logs() as lines:
        before, odd, after = joined(together, "a", other, "b")
    assert [caller.came[0] for caller in (before, after)] == [
        b"a-name 11 True answer to a",
        b"a-name 11 True answer to b",
    ]
    (begun,) = odd.came
    assert isinstance(begun, Held)
    assert (begun.asked.key, begun.body) == (other, other.encode())
    failed = [("short_way_failed", "a-name")] if other == "fails" else []
    assert [(one["event"], one["request_id"]) for one in lines] == failed
    assert begun.name == ("a-name" if other in {"fails", "full"} else None)


def test_who_went_away_is_not_answered(together: Together, way: Way) -> None:
    loop = Loop()
    gone, stays = Caller(loop, "gone"), Caller(loop, "stays")
    together.join(gone)
    together.join(stays)
    gone.let_go()
    together.answer()
    assert gone.came == []
    assert len(stays.came) == 1
    assert ("admitted", "gone") not in way.done
    for call in loop.soon:
        call()
    assert len(stays.came) == 1


def test_what_fails_behind_an_answer_ends_that_connection_alone(together: Together) -> None:
    with capture_logs() as lines:
        odd, other = joined(together, "uncounted", "a")
    assert odd.came == [b"a-name 19 True answer to uncounted", "end"]
    assert len(other.came) == 1
    assert [(one["event"], one["request_id"]) for one in lines] == [("failed_after_an_answer", "a-name")]


def test_a_connection_that_breaks_ends_alone(together: Together, way: Way) -> None:
    with capture_logs() as lines:
        before, odd, after = joined(together, "a", "broken", "b")
    assert ([len(caller.came) for caller in (before, after)], odd.came) == ([1, 1], ["end"])
    assert [(one["event"], one["request_id"]) for one in lines] == [("connection_failed", "a-name")]
    assert ("count", "broken") not in way.done


# --- on real connections ---------------------------------------------------------------------------------


@pytest.fixture
def open_line(warm: Shared) -> Iterator[Line]:
    with line(warm, Patient) as found:
        yield found


def asking(open_line: Line, limit: int, **other: Any) -> bytes:  # noqa: ANN401 -- headers
    body = json.dumps({"filter": largest(open_line.shared), "limit": limit}).encode()
    return open_line.head("query", len(body), **other) + body


def test_each_of_many_callers_gets_its_own_answer(open_line: Line) -> None:
    limits = range(1, 3 * MOST)
    with ExitStack() as open_ones:
        callers = [open_ones.enter_context(connected(open_line.server)) for _ in limits]
        for caller, limit in zip(callers, limits, strict=True):
            caller.sendall(asking(open_line, limit, connection=b"close"))
        found = [answers(until_closed(caller))[0].value["recording_ids"] for caller in callers]
    whole = max(found, key=len)
    assert found == [whole[:limit] for limit in limits]
    assert open_line.behind == []


def test_whoever_says_that_nothing_more_comes_is_answered_first_where_nothing_is_waited_for(
    open_line: Line,
) -> None:
    with connected(open_line.server) as connection:
        connection.sendall(asking(open_line, 2))
        connection.shutdown(socket.SHUT_WR)
        found = [len(one.value["recording_ids"]) for one in answers(until_closed(connection))]
    waits = (
        open_line.app.state.together.express.waits
    )  # and uvicorn does not: it may end the connection first
    assert found == [2] or (waits and found == [])


@pytest.mark.parametrize("behind", [b"no request\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n"])
def test_a_refusal_stands_behind_the_answer(open_line: Line, behind: bytes) -> None:
    first, second = sent(open_line.server, asking(open_line, 2) + behind)
    assert (first.status, second.status) == (200, 400)
    assert len(first.value["recording_ids"]) == 2


def test_a_server_that_stops_meanwhile_answers_and_ends_the_connection(warm: Shared) -> None:
    with line(warm, Patient) as open_line, connected(open_line.server) as connection:
        asked = asking(open_line, 2)
        connection.sendall(asked[:-1])
        until(open_line.is_waited_for)
        open_line.server.should_exit = True
        connection.sendall(asked[-1:])
        (found,) = answers(until_closed(connection))
        assert (found.status, open_line.behind) == (200, [])
