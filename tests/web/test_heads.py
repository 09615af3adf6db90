"""Bytes on real connections: what is HTTP is served, what is none or has no end is refused, unkept."""

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from ga_sync.web.heads import HEAD_BYTES, WAITING_REQUESTS, Heads
from tests.web.wire import HOST, LAST, Answer, answers, connected, listening, sent, until_closed

# More than the limit and what is read at once after the end of another request, which is not counted.
LONG = 8 * HEAD_BYTES
CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- an ASGI application
    """Answers with what it was asked; at /early it begins to answer before the body is there."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if scope["path"] == "/early":
        await send(start)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    told = {"method": scope["method"], "path": scope["path"], "headers": headers, "body": body.decode()}
    answer = json.dumps(told).encode()
    await send({**start, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    with listening(echo, lifespan="off") as found:
        yield found


def get(path: bytes = b"/", headers: bytes = HOST) -> bytes:
    return b"GET %s HTTP/1.1\r\n%s\r\n" % (path, headers)


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n%s%s\r\n%s" % (LAST, headers, body)


def pieces(whole: bytes, size: int = 4096) -> list[bytes]:
    return [whole[place : place + size] for place in range(0, len(whole), size)]


def refused(found: list[Answer], status: int = 400, slug: str = "malformed") -> bool:
    """Whether the last answer is this problem, after which the connection ends."""
    last = found[-1]
    assert b"connection: close" in last.head
    assert b"content-type: application/problem+json" in last.head
    assert last.value["detail"]
    told = (last.status, last.value["status"], last.value["type"])
    return told == (status, status, f"/problems/{slug}")


# --- heads without an end --------------------------------------------------------------------------------

ENDLESS = {
    "a request line": b"GET /" + b"a" * LONG,
    "one header": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * LONG,
    "a header's name": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * LONG,
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * (LONG // 6),
    "empty lines": b"\r\n" * (LONG // 2),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_head_without_an_end_is_refused_however_it_comes(server: uvicorn.Server, what: str) -> None:
    endless = ENDLESS[what][: HEAD_BYTES + 1]
    for found in (sent(server, endless), sent(server, *pieces(endless))):
        assert len(found) == 1
        assert refused(found, 431, "head-too-large")


@pytest.mark.parametrize("what", ENDLESS)
def test_it_is_refused_as_the_second_of_a_connection_too(server: uvicorn.Server, what: str) -> None:
    with connected(server) as connection:
        connection.sendall(get(b"/first"))
        first = answers(connection.recv(65536))
        for piece in pieces(ENDLESS[what][: HEAD_BYTES + 1]):
            connection.sendall(piece)
        assert [one.status for one in first] == [200]
        assert refused(answers(until_closed(connection)), 431, "head-too-large")


@pytest.mark.parametrize("what", ENDLESS)
def test_what_was_asked_before_it_is_answered_first(server: uvicorn.Server, what: str) -> None:
    """A refusal must not be taken for the answer to another request."""
    found = sent(server, get(b"/1") + get(b"/2") + ENDLESS[what][:100], *pieces(ENDLESS[what][100:]))
    assert [one.value.get("path") for one in found] == ["/1", "/2", None]
    assert refused(found, 431, "head-too-large")


def test_a_whole_head_over_the_limit_is_refused_in_one_piece_and_in_many(server: uvicorn.Server) -> None:
    whole = get(headers=HOST + b"A: " + b"a" * (HEAD_BYTES + 4096) + b"\r\n")
    for found in (sent(server, whole), sent(server, *pieces(whole)[:-1])):
        assert refused(found, 431, "head-too-large")


def test_a_head_just_under_the_limit_is_served_in_one_piece_and_in_many(server: uvicorn.Server) -> None:
    around = len(get(headers=LAST + b"A: \r\n"))
    whole = get(headers=LAST + b"A: " + b"a" * (HEAD_BYTES - around) + b"\r\n")
    assert len(whole) == HEAD_BYTES
    for found in (sent(server, whole), sent(server, *pieces(whole))):
        assert [one.status for one in found] == [200]


def test_a_small_head_before_a_large_body_is_no_large_head(server: uvicorn.Server) -> None:
    body = b"x" * (4 * HEAD_BYTES)
    (found,) = sent(server, post(b"Content-Length: %d\r\n" % len(body), body))
    assert len(found.value["body"]) == len(body)


def test_a_head_that_comes_byte_by_byte_is_served(server: uvicorn.Server) -> None:
    (found,) = sent(server, *pieces(get(b"/slowly", LAST), 1))
    assert found.value["path"] == "/slowly"


class Hasty(Heads):
    seconds = 0.05


def test_a_head_that_is_not_there_in_time_is_refused() -> None:
    with listening(echo, Hasty, lifespan="off") as server:
        assert refused(sent(server, b"GET / HT"), 408, "too-slow")
        with connected(server) as connection:
            connection.sendall(get(b"/first"))
            assert answers(connection.recv(65536))[0].status == 200
            connection.sendall(b"GET /second HTTP/1.1\r\nA")
            assert refused(answers(until_closed(connection)), 408, "too-slow")


def test_whoever_goes_away_within_a_head_is_not_waited_for() -> None:
    with listening(echo, Hasty, lifespan="off") as server:
        with connected(server) as connection:
            connection.sendall(b"GET / HT")
        assert sent(server, get(b"/next", LAST))[0].status == 200


def test_a_body_is_not_waited_for_as_a_head_is() -> None:
    """The application has its own patience with it."""
    with listening(echo, Hasty, lifespan="off") as server, connected(server) as connection:
        connection.sendall(post(CHUNKED, b"3\r\nabc"))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(b"\r\n0\r\n\r\n")
        (found,) = answers(until_closed(connection))
        assert found.value["body"] == "abc"


# --- one meaning for everybody on the way ----------------------------------------------------------------

TWO_MEANINGS = {
    "a length and chunks": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunks and a length": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"abcdef"),
    "a list of lengths": post(b"Content-Length: 5, 5\r\n", b"abcde"),
    "a length with a sign": post(b"Content-Length: +5\r\n", b"abcde"),
    "a length below nothing": post(b"Content-Length: -5\r\n"),
    "a length in another base": post(b"Content-Length: 0x5\r\n", b"abcde"),
    "a length without digits": post(b"Content-Length: \r\n"),
    "a length that overflows": post(b"Content-Length: 18446744073709551621\r\n", b"abcde"),
    "another coding before": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "another coding after": post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "a coding after a control": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "a coding twice": post(CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "a space before a colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a chunk's size before a bare LF": post(CHUNKED, b"3\nabc\r\n0\r\n\r\n"),
    "an extension before a bare LF": post(CHUNKED, b"3;a\nabc\r\n0\r\n\r\n"),
    "a chunk's size with a space": post(CHUNKED, b"3 \r\nabc\r\n0\r\n\r\n"),
    "a chunk's size with a sign": post(CHUNKED, b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk's size in C": post(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk's size that overflows": post(CHUNKED, b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n"),
    "a length after the chunks": post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n"),
    "bare LFs": b"GET / HTTP/1.1\nHost: x\n\n",
    "a bare LF after a header": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "a bare LF at the end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "a bare CR in a value": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "a folded header": get(headers=HOST + b"A: b\r\n c\r\n"),
    "a folded first header": get(headers=b" " + HOST),
    "a header without a name": get(headers=HOST + b": b\r\n"),
    "a header without a colon": get(headers=HOST + b"A\r\n"),
    "a NUL in a value": get(headers=HOST + b"A: b\0c\r\n"),
    "a NUL in a name": get(headers=HOST + b"A\0: b\r\n"),
    "no host": get(headers=b""),
    "two hosts": get(headers=HOST + HOST),
    "a space in the target": get(b"/a b"),
    "a control in the target": get(b"/\x01"),
    "bytes beyond ASCII in the target": get("/é".encode()),
    "a target that is none": get(b"http://x"),
    "a tab for a space": b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "a method that is none": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS where none is spoken": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("what", TWO_MEANINGS)
def test_what_could_mean_two_things_is_refused_and_ends_its_connection(
    server: uvicorn.Server, what: str
) -> None:
    """RFC 9112 sections 2.2, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1 and 11.2: nothing after it is read as a request."""
    found = sent(server, TWO_MEANINGS[what] + get(b"/smuggled", LAST))
    assert len(found) == 1
    assert refused(found)


def test_it_is_refused_after_what_was_asked_before_it(server: uvicorn.Server) -> None:
    found = sent(server, get(b"/1") + get(b"/2") + get(headers=b"") + get(b"/smuggled", LAST))
    assert [one.value.get("path") for one in found] == ["/1", "/2", None]
    assert refused(found)


def test_after_the_last_request_nothing_is_read(server: uvicorn.Server) -> None:
    for last in (get(b"/1", LAST), b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):
        found = sent(server, last + get(headers=b"") + get(b"/2"))
        assert [one.value["path"] for one in found] == ["/1"]


def test_an_answer_waits_for_no_acknowledgement(server: uvicorn.Server) -> None:
    """Without TCP_NODELAY its second piece would, for 40 ms."""
    with connected(server) as connection:
        connection.sendall(get())
        assert connection.recv(65536)
        (served,) = server.server_state.connections
        ours = served.transport.get_extra_info("socket")
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_fault_in_a_body_ends_an_answer_that_has_begun(server: uvicorn.Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n")
        came = b""
        while b"begun" not in came:
            came += connection.recv(65536)
        connection.sendall(b"nonsense\r\n")
        assert until_closed(connection) == b""


def test_a_fault_in_the_body_of_a_waiting_request_ends_the_connection_without_a_word(
    server: uvicorn.Server,
) -> None:
    assert sent(server, get(b"/1") + post(CHUNKED, b"nonsense\r\n")) == []


def test_nothing_of_a_refused_request_is_said_or_logged(server: uvicorn.Server) -> None:
    said: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(listener)
    try:
        secret = HOST + b"Authorization: Bearer canary\r\n"
        found = sent(server, get(b"/canary", secret + HOST))
        found += sent(server, get(b"/canary?code=canary", secret + b"canary\r\n"))
    finally:
        logger.removeHandler(listener)
    assert said == ["A request is refused: malformed"] * 2
    assert not any(b"canary" in one.head + one.body for one in found)


# --- many at once, and what comes after a body -----------------------------------------------------------


def test_requests_that_do_not_wait_for_answers_are_answered_in_order(server: uvicorn.Server) -> None:
    found = sent(server, b"".join(get(b"/%d" % one) for one in range(4)) + get(b"/last", LAST))
    assert [one.value["path"] for one in found] == ["/0", "/1", "/2", "/3", "/last"]


def test_more_than_a_few_at_once_are_refused_after_those_are_answered(server: uvicorn.Server) -> None:
    found = sent(server, get() * 5000)
    assert [one.status for one in found] == [200] * (WAITING_REQUESTS + 1) + [429]
    assert refused(found, 429, "slow-down")


def test_chunks_are_a_body_and_fields_after_them_are_no_headers(server: uvicorn.Server) -> None:
    """RFC 9110 section 6.5.1: a field after the body could pass for one that a proxy has checked."""
    (found,) = sent(server, post(CHUNKED, b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nAuthorization: Bearer x\r\n\r\n"))
    assert found.value["body"] == "abcde"
    assert "authorization" not in dict(found.value["headers"])


@pytest.mark.parametrize("endless", [b"0\r\nA: ", b"3;", b"0\r\nA"])
def test_fields_and_extensions_without_an_end_are_refused(server: uvicorn.Server, endless: bytes) -> None:
    found = sent(server, post(CHUNKED, b"3\r\nabc\r\n"), endless, *pieces(b"a" * LONG))
    assert refused(found, 431, "head-too-large")


# --- what else there is in HTTP --------------------------------------------------------------------------


def test_a_wish_for_another_protocol_is_not_granted_and_its_body_is_a_body(server: uvicorn.Server) -> None:
    """RFC 9110 section 7.8. Such clients exist: some ask for HTTP/2 (`h2c`) with every first request."""
    wish = b"POST / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    hidden = get(b"/smuggled")
    for framing, body in (
        (b"Content-Length: %d\r\n" % len(hidden), hidden),
        (CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)),
    ):
        head = wish + framing + b"\r\n"
        for parts in ((head + body,), (head, body)):
            found = sent(server, *parts, get(b"/next", LAST))
            assert [one.value["path"] for one in found] == ["/", "/next"]
            assert found[0].value["body"] == hidden.decode()


def test_such_a_wish_is_refused_while_another_answer_is_owed(server: uvicorn.Server) -> None:
    wish = get(b"/2", HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    found = sent(server, get(b"/1") + wish + get(b"/3", LAST))
    assert [one.status for one in found] == [200, 400]
    assert refused(found)


def test_whoever_asks_first_is_told_to_send_the_body(server: uvicorn.Server) -> None:
    with connected(server) as connection:
        connection.sendall(post(b"Expect: 100-continue\r\nContent-Length: 3\r\n"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        (found,) = answers(until_closed(connection))
        assert found.value["body"] == "abc"


def test_head_has_headers_and_no_body(server: uvicorn.Server) -> None:
    (found,) = sent(server, b"HEAD / HTTP/1.1\r\n" + LAST + b"\r\n")
    assert (found.status, found.body) == (200, b"")
    assert b"content-length: " in found.head


def test_other_methods_and_forms_of_a_target_are_read(server: uvicorn.Server) -> None:
    for line, method, path in (
        (b"OPTIONS /a HTTP/1.1", "OPTIONS", "/a"),
        (b"OPTIONS * HTTP/1.1", "OPTIONS", "*"),
        (b"DELETE /a%20b HTTP/1.1", "DELETE", "/a b"),
        (b"GET http://x/a?b HTTP/1.1", "GET", "/a"),
    ):
        (found,) = sent(server, line + b"\r\n" + LAST + b"\r\n")
        assert (found.value["method"], found.value["path"]) == (method, path)


def test_http_1_0_is_served_and_its_connection_ends(server: uvicorn.Server) -> None:
    (found,) = sent(server, b"GET /old HTTP/1.0\r\n\r\n")
    assert found.value["path"] == "/old"
    assert b"connection: close" in found.head
