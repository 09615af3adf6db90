"""Every request has an id: it stands in the answer, in each log line written meanwhile, and in one line at the end.

The line names the address as it is declared (``/link/{ticket}``), never as it was called: addresses can hold secrets.
"""

import re
import time
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ga_sync.web.services import Services

HEADER = "x-request-id"
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
log = structlog.get_logger()


def request_id(headers: list[tuple[bytes, bytes]], services: Services) -> str:
    """The caller's own id where it sends a plain one of 8 to 64 characters, so that traces join; else a new one."""
    given = next((value for name, value in headers if name.lower() == HEADER.encode()), b"")
    return given.decode("ascii") if _PLAIN.fullmatch(given) else services.random(8).hex()


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
            name, begun, seen = request_id(list(scope["headers"]), self._services), time.perf_counter(), [0]

            async def marked(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen[0] = message["status"]
                    message["headers"] = [*message["headers"], (HEADER.encode(), name.encode())]
                await send(message)

            with structlog.contextvars.bound_contextvars(request_id=name):
                try:
                    await app(scope, receive, marked)
                finally:
                    _tell(scope, seen[0], time.perf_counter() - begun)

        return traced


def _tell(scope: Any, status: int, spent: float) -> None:  # noqa: ANN401 -- Litestar's own scope
    address = scope.get("path_template") or "unknown"
    write = log.debug if address in _QUIET else log.info
    write("request", method=scope["method"], address=address, status=status, ms=round(spent * 1000, 1))
