"""Every request has an id: it stands in the answer, in each log line written meanwhile, and in one line at the end.

The line names the address as it is declared (``/link/{ticket}``), never as it was called: addresses can hold secrets.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ga_sync.web.marks import REQUEST_ID, request_id
from ga_sync.web.services import Services

TOGETHER, LATER_SECONDS = 16, 0.05
"""So many lines at most wait for being written, and so long."""
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
log = structlog.get_logger()


class Traced:
    """Gives ids to requests and writes one line for each."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The application, traced."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            name, begun, seen = self._name(scope), time.perf_counter(), [0]

            async def marked(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen[0] = message["status"]
                    message["headers"] = [*message["headers"], (REQUEST_ID.encode(), name.encode())]
                await send(message)

            with structlog.contextvars.bound_contextvars(request_id=name):
                try:
                    await app(scope, receive, marked)
                finally:
                    address = scope.get("path_template") or "unknown"
                    tell(log, name, scope["method"], address, seen[0], time.perf_counter() - begun)

        return traced

    def _name(self, scope: Scope) -> str:
        """The request's id: the short way may have told of it already."""
        told: str | None = scope.get("state", {}).get(REQUEST_ID)
        return told or request_id(scope["headers"], self._services.random)


def tell(to: Any, name: str, method: str, address: str, status: int, spent: float, **more: str) -> None:  # noqa: ANN401
    """Write the line of a request that has its answer, after so many seconds, to a logger."""
    write = to.debug if address in _QUIET else to.info
    ms = round(spent * 1000, 1)
    write("request", method=method, address=address, status=status, ms=ms, request_id=name, **more)


class Told(NamedTuple):
    """A request that has its answer: its id, what it was, how long it took, and when it ended (seconds since 1970)."""

    name: str
    method: str
    address: str
    status: int
    spent: float
    at: float


class Later:
    """Writes the lines of requests a few at a time, each with its own moment.

    A line written between two answers finds nothing of what it needs in the processor's caches, and takes four times as
    long as one behind another.
    """

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._is_due = False  # whether the loop calls already: one call is enough for all that wait

    def tell(self, call_later: Callable[[float, Callable[[], None]], object], told: Told) -> None:
        """Write soon; `call_later` is the loop's."""
        self._told.append(told)
        if len(self._told) >= TOGETHER:
            self.write()
        elif not self._is_due:
            self._is_due = True
            call_later(LATER_SECONDS, self._write_due)

    def _write_due(self) -> None:
        self._is_due = False
        self.write()

    def write(self) -> None:
        """Write now."""
        told, self._told = self._told, []
        to = log.bind()  # once for all: each call through the lazy one does it again
        for one in told:
            moment = datetime.fromtimestamp(one.at, UTC).isoformat().replace("+00:00", "Z")
            tell(to, *one[:-1], timestamp=moment)
