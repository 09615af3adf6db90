"""A link behind a real server of which one sees what reached the application."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from litestar import Litestar

from ga_sync.web.app import create_app
from ga_sync.web.direct import Direct
from tests.web.bench import Json, Shared
from tests.web.wire import HOST, Answer, listening, sent


@dataclass
class Line:
    """A link behind a real server, and what of its requests reached the application."""

    shared: Shared
    app: Litestar
    server: uvicorn.Server
    behind: list[bytes | None] = field(default_factory=list)
    """Of each request that reached the application its body, as far as it was read; None where the caller was gone."""

    def __post_init__(self) -> None:
        inner = self.app.asgi_handler

        async def watched(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
            place = len(self.behind)
            self.behind.append(b"")

            async def told() -> Any:  # noqa: ANN401 -- a message
                message = await receive()
                body = None if message["type"] == "http.disconnect" else self.behind[place] + message["body"]
                self.behind[place] = body
                return message

            await inner(scope, told, send)

        self.app.asgi_handler = watched

    def is_waited_for(self) -> bool:
        """Whether a plain question waits for its body."""
        connections = self.server.server_state.connections
        return any(isinstance(one, Direct) and one._held is not None for one in connections)  # noqa: SLF001

    def know_the_keys(self) -> None:
        """As if the long way had let them in before."""
        door = self.app.state.door
        for key in self.shared.house.keys.values():
            door._touched[key.removeprefix("gas_").partition(".")[0]] = door._monotonic()  # noqa: SLF001

    def head(
        self, what: str, length: int, role: str = "store", customer: str = "*", **other: bytes | None
    ) -> bytes:
        """A head as clients of ours send it; other headers, or none of one that is None."""
        found: dict[str, bytes | None] = {
            "authorization": self.shared.house.headers(role, customer)["authorization"].encode(),
            "content-type": b"application/json",
            "content-length": b"%d" % length,
        }
        self.know_the_keys()
        found |= {name.replace("_", "-"): value for name, value in other.items()}
        lines = [b"%s: %s\r\n" % (name.encode(), value) for name, value in found.items() if value is not None]
        at = f"{self.shared.at}/recordings/{what}".encode()
        return b"POST %s HTTP/1.1\r\n%s%s\r\n" % (at, HOST, b"".join(lines))

    def ask(self, what: str, asked: object, **other: Any) -> Answer:  # noqa: ANN401
        """One request on a connection of its own."""
        body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        return self.say(self.head(what, len(body), connection=b"close", **other) + body)

    def say(self, *pieces: bytes) -> Answer:
        """The one answer to these bytes."""
        (found,) = sent(self.server, *pieces)
        return found

    def at_once(self, what: str, asked: object, **other: Any) -> Json:  # noqa: ANN401
        """An answer that must not come from the application."""
        before = len(self.behind)
        found = self.ask(what, asked, **other)
        assert (found.status, len(self.behind)) == (200, before)
        value: Json = found.value
        return value

    def long(self, what: str, asked: object) -> Json:
        """The same, but surely the long way."""
        return self.reached(what, asked, 200, content_type=b"application/json; charset=utf-8")

    def reached(self, what: str, asked: object, status: int, **other: Any) -> Json:  # noqa: ANN401
        """An answer of the application."""
        before = len(self.behind)
        found = self.ask(what, asked, **other)
        assert (found.status, len(self.behind)) == (status, before + 1)
        value: Json = found.value
        return value


@contextmanager
def line(shared: Shared, protocol: type[Direct] = Direct, **more: Any) -> Iterator[Line]:  # noqa: ANN401
    """A server with connections of this kind."""
    app = create_app(shared.house.service)
    with listening(app, protocol, **more) as server:
        yield Line(shared, app, server)


class Patient(Direct):
    patience = 60.0


def largest(shared: Shared) -> Json:
    inside = shared.inside()
    return {"segment": max(inside, key=lambda one: len(inside[one]))}


def until(what: Any) -> None:  # noqa: ANN401 -- a condition
    ends = time.monotonic() + 10
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.01)
