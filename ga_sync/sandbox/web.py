"""A small HTTP server on the standard library: one thread a connection, one request a connection, stops at once."""

import contextlib
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 64 * 1024 * 1024
log = logging.getLogger(__name__)
Socket: TypeAlias = Any  # socketserver also allows a pair of bytes and socket
Address: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Request:
    """What came: `query` and `form` hold the values of each name in order; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def form(self) -> Mapping[str, list[str]]:
        """The body read as application/x-www-form-urlencoded."""
        return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


def json_response(value: object, status: int = 200) -> Response:
    """Answer with JSON that no cache keeps."""
    return Response(status, json.dumps(value).encode(), headers={"Cache-Control": "no-store"})


def first(values: Mapping[str, list[str]]) -> dict[str, str]:
    """Keep the first value of each name."""
    return {name: found[0] for name, found in values.items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Handler) -> None:
        self.handler = handler
        self.open: set[Socket] = set()
        super().__init__(address, _Connection)

    def process_request(self, request: Socket, client_address: Address) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Socket) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Socket, client_address: Address) -> None:  # noqa: ARG002 - the base class's signature
        log.error("a request to the sandbox failed: %r", sys.exception())


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = self.headers.get("Content-Length") or "0"
        if not size.isascii() or not size.isdigit() or int(size) > MAX_BODY:
            self._send(json_response({"error": "the body's length is missing, wrong or over 64 MiB"}, 413))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        request = Request(self.command, parts.path, query, headers, self.rfile.read(int(size)))
        self._send(self.server.handler(request))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class looks for these names

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        """Say nothing: request lines hold codes and states."""


class HttpServer:
    """A running server; `stop` ends it and every open connection."""

    def __init__(self, handler: Handler, host: str, port: int, name: str) -> None:
        self._server = _Server((host, port), handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, end open connections, wait for their threads."""
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
