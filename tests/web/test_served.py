"""The application behind its real server: large and slow bodies, TLS, and an end that lets answers out."""

import json
import select
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from ga_sync.web.app import create_app
from tests.certificates import certificate
from tests.web.bench import Shared
from tests.web.wire import LAST, answers, connected, listening, port_of, sent, until_closed

MIB = 1024 * 1024


def _question(shared: Shared, framing: bytes) -> bytes:
    key = shared.house.headers("store")["authorization"].encode()
    at = f"{shared.at}/recordings/query".encode()
    about = b"Authorization: %s\r\nContent-Type: application/json\r\n%s" % (key, framing)
    return b"POST %s HTTP/1.1\r\n%s%s\r\n" % (at, LAST, about)


def test_a_body_that_says_it_is_over_16_mib_is_refused_before_it_is_sent(shared: Shared) -> None:
    with listening(create_app(shared.house.service)) as server:
        (found,) = sent(server, _question(shared, b"Content-Length: %d\r\n" % (17 * MIB)))
    assert (found.status, found.value["type"]) == (413, "/problems/too-large")


def test_a_body_that_becomes_over_16_mib_is_refused_without_being_read_whole(shared: Shared) -> None:
    piece = b"100000\r\n" + b"x" * MIB + b"\r\n"
    with listening(create_app(shared.house.service)) as server, connected(server) as connection:
        connection.sendall(_question(shared, b"Transfer-Encoding: chunked\r\n"))
        pieces = 0
        with suppress(BrokenPipeError, ConnectionResetError):
            while pieces < 64 and not select.select([connection], [], [], 0)[0]:
                connection.sendall(piece)
                pieces += 1
        found = answers(until_closed(connection))
    assert (found[0].status, found[0].value["type"]) == (413, "/problems/too-large")
    assert 16 <= pieces < 32


def test_a_body_that_trickles_over_a_real_connection_is_not_waited_for(shared: Shared) -> None:
    with listening(create_app(shared.house.service, body_seconds=0.05)) as server:
        (found,) = sent(server, _question(shared, b"Content-Length: 50\r\n"), b'{"filter": ')
    assert (found.status, found.value["type"]) == (408, "/problems/too-slow")
    assert b"connection: close" in found.head


def test_targets_that_are_no_paths_are_not_found(shared: Shared) -> None:
    with listening(create_app(shared.house.service)) as server:
        for line in (b"OPTIONS *", b"GET *", b"CONNECT x:443"):
            (found,) = sent(server, line + b" HTTP/1.1\r\n" + LAST + b"\r\n")
            assert found.status in {400, 404, 405}


def test_tls_is_spoken_where_a_certificate_is_given(shared: Shared, tmp_path: Path) -> None:
    key, own = certificate()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "cert.pem").write_bytes(own)
    files: dict[str, Any] = {"ssl_certfile": tmp_path / "cert.pem", "ssl_keyfile": tmp_path / "key.pem"}
    trust = ssl.create_default_context(cadata=own.decode())
    with listening(create_app(shared.house.service), **files) as server:
        there = f"https://127.0.0.1:{port_of(server)}"
        with httpx.Client(verify=trust, base_url=there, trust_env=False) as client:
            assert client.get("/healthz").status_code == 200
            over = client.get("/healthz", headers={"a": "a" * 65536})
            assert (over.status_code, over.json()["type"]) == (431, "/problems/head-too-large")
            assert client.get("/healthz").status_code == 200
        with httpx.Client(base_url=there, trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
            stranger.get("/healthz")


def test_a_server_that_is_told_to_stop_lets_the_answer_in_hand_out() -> None:
    asked, told = threading.Event(), threading.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 -- an ASGI application
        asked.set()
        await anyio.to_thread.run_sync(told.wait)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": json.dumps(True).encode()})  # noqa: FBT003

    with listening(slow, lifespan="off", timeout_graceful_shutdown=8) as server, connected(server) as one:
        with connected(server) as idle:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.sendall(b"GET / HTTP/1.1\r\nHo")
            assert asked.wait(30)
            server.should_exit = True
            assert until_closed(idle) == b""  # whoever has not asked is let go at once
        told.set()
        (found,) = answers(until_closed(one))
    assert (found.status, found.value) == (200, True)
