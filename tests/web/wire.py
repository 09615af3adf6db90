"""A real server on a port of this machine, and a client that sends bytes as they are."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn

from ga_sync.web.direct import Direct
from ga_sync.web.heads import Heads
from ga_sync.web.server import config

HOST = b"Host: x\r\n"
LAST = HOST + b"Connection: close\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer on a connection."""

    status: int
    head: bytes
    body: bytes

    @property
    def value(self) -> Any:  # noqa: ANN401 -- JSON
        return json.loads(self.body)


@contextmanager
def listening(app: Any, protocol: type[Heads] = Direct, **more: Any) -> Iterator[uvicorn.Server]:  # noqa: ANN401
    """An application on a free port, served as `serve` does it."""
    options = config(app, port=0, **more)
    options.http = protocol
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        yield server
    finally:
        server.should_exit = True
        thread.join()


def port_of(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@contextmanager
def connected(server: uvicorn.Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes until the other side ends the connection; a reset is an end, too."""
    came = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            came += piece
    return came


def answers(came: bytes) -> list[Answer]:
    """The answers among what came, one after another; all of it."""
    found = []
    while came:
        head, end, rest = came.partition(b"\r\n\r\n")
        assert end
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        found.append(Answer(int(head[9:12]), head, rest[:size]))
        came = rest[size:]
    return found


def sent(server: uvicorn.Server, *pieces: bytes) -> list[Answer]:
    """What a connection is answered on which these pieces are sent; it may be ended before the last."""
    with connected(server) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        return answers(until_closed(connection))
