"""What of a request comes before its body: of one meaning, of 64 KiB and within a minute, or refused.

llhttp, which reads it, is fast and forgets nothing: it sets no end to a head, and lets a request name no host or two.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import httptools
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ga_sync.web.errors import PROBLEM, STATUS, TITLES

Headers = Sequence[tuple[bytes, bytes]]

HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 60.0
WAITING_REQUESTS: Final = 8
DETAILS: Final = {
    "malformed": "this is not HTTP/1.1 as RFC 9112 has it",
    "too-slow": f"a request's line and headers arrive within {HEAD_SECONDS:.0f} seconds: send it again",
    "head-too-large": "a request's line and headers have at most 64 KiB together",
    "slow-down": f"on one connection at most {WAITING_REQUESTS} requests wait for another's answer",
}


def size(url: bytes, headers: Headers) -> int:
    """Bytes of a head, without its method and what is empty around values."""
    return len(url) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def is_plain(version: str, headers: Headers) -> bool:
    """Whether everybody on the way reads the head as we do.

    One host (RFC 9112 section 3.2); no body in another coding than chunked (section 6.1), which HTTP/1.0 does not know.
    """
    hosts, codings = 0, []
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings.append(value.lower())
    if version == "1.1":
        return hosts == 1 and codings in ([], [b"chunked"])
    return version == "1.0" and hosts <= 1 and not codings


def refusal(slug: str, more: Headers) -> bytes:
    """A problem (RFC 9457) as bytes of HTTP, after which the connection ends; nothing of the request is in it."""
    status = STATUS[slug]
    body = {"type": f"/problems/{slug}", "title": TITLES[slug], "status": status, "detail": DETAILS[slug]}
    content = json.dumps(body).encode()
    headers = [
        *more,
        (b"content-type", PROBLEM.encode()),
        (b"content-length", b"%d" % len(content)),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return STATUS_LINE[status] + lines + b"\r\n" + content


class _Refused(Exception):
    """Raised through the parser: it ends where a head is refused, with an error of its own."""


class Heads(HttpToolsProtocol):
    """uvicorn's connection over llhttp, with limits; a faulty request is the last of its connection.

    What stands before it is answered first, so that no refusal is taken for the answer to another request.
    """

    seconds = HEAD_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- uvicorn's
        super().__init__(*arguments, **named)
        self._read = 0  # bytes of what was read last
        self._pending = 0  # bytes since the end of a head, of a piece of a body, or of a request
        self._in_body = False
        self.owes = False  # an answer, to a request whose head was taken
        self._slug = ""  # why this connection ends
        self._stop_timer: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._slug:
            return
        self._unset_keepalive_if_required()
        self._read = len(data)
        self._pending += self._read
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refuse("malformed")
        else:
            self._wait_for_more()

    def _wait_for_more(self) -> None:
        if self._pending > HEAD_BYTES:
            self.refuse("head-too-large")
        elif self._pending and not self._in_body and self._stop_timer is None:
            self._stop_timer = self.loop.call_later(self.seconds, self.refuse, "too-slow").cancel

    def on_headers_complete(self) -> None:
        """A head is there whole."""
        self._stop_waiting()
        self._slug = self._fault()
        if self._slug:
            raise _Refused
        self._pending, self._in_body = 0, True
        if not self.parser.should_upgrade():
            self.take_head()

    def take_head(self) -> None:
        """Take a head that is not refused: an answer is owed to it."""
        super().on_headers_complete()
        self.owes = True
        self.headers = []  # fields that come after the body (RFC 9110 section 6.5.1) are no headers: dropped

    def _fault(self) -> str:
        if max(self._pending, self._read) > HEAD_BYTES and size(self.url, self.headers) > HEAD_BYTES:
            return "head-too-large"
        if not is_plain(self.parser.get_http_version(), self.headers):
            return "malformed"
        return "slow-down" if len(self.pipeline) >= WAITING_REQUESTS else ""

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._pending = 0
        self.take_body(body)

    def take_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._pending, self._in_body = 0, False
        if not self.parser.should_upgrade():
            self.take_end()

    def take_end(self) -> None:
        """Take the end of a request."""
        super().on_message_complete()

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Leave the connection to h11, which reads on over a wish for another protocol (RFC 9110 section 7.8).

        llhttp holds the body of such a request for the other protocol, and would read a request in it.
        """
        if self.owes:
            self.refuse("malformed")
            return
        self.connections.discard(self)
        plain = H11Protocol(self.config, self.server_state, self.app_state, self.loop)
        plain.connection_made(self.transport)
        self.transport.set_protocol(plain)
        version = self.parser.get_http_version().encode()
        line = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)
        lines = [line, *(b": ".join(header) for header in self.headers), b"", rest]
        plain.data_received(b"\r\n".join(lines))

    def refuse(self, slug: str) -> None:
        """End the connection with a refusal, behind all answers that are owed."""
        self._stop_waiting()
        self._slug = self._slug or slug
        if not self.owes:
            self._say()
        elif self.cycle.more_body:  # the fault is in the body of what would be answered
            if not self.pipeline and not self.cycle.response_started:
                self._say()
            self.transport.close()

    def on_response_complete(self) -> None:
        """An answer is out."""
        super().on_response_complete()
        self.owes = self.owes and not self.cycle.response_complete
        if self._slug and not self.owes:
            self._say()

    def _say(self) -> None:
        if not self.transport.is_closing():
            self.logger.warning("A request is refused: %s", self._slug)
            self.transport.write(refusal(self._slug, self.server_state.default_headers))
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)
