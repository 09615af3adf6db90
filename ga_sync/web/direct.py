"""A connection on which plain questions are answered as soon as they are there whole: no task, no handlers.

uvicorn begins to answer a request when its head is there. A plain question (:mod:`ga_sync.web.express`) waits here for
its body instead: then it is answered at once, in one piece, or begun as uvicorn would have begun it. So is one whose
body is late, or whose caller goes away. Of what is read at once only one question waits here, so that whoever sends
many behind one another does not keep all others from theirs.
"""

import time
from asyncio.events import TimerHandle
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import structlog
from anyio import to_thread
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ga_sync.index.store import AskedLink
from ga_sync.web.express import Asked, Express, plain
from ga_sync.web.heads import Heads
from ga_sync.web.marks import REQUEST_ID
from ga_sync.web.tracing import Told

PATIENCE_SECONDS = 0.1
"""Where head and body are sent apart, the body is there long before; where it is not, waiting saves nothing."""
Found = TypeVar("Found")
log = structlog.get_logger()


class Held(NamedTuple):
    """A plain question whose body is not there yet, and when its head was."""

    cycle: RequestResponseCycle
    asked: Asked
    since: float


class Direct(Heads):
    """A connection with the short way of the application, where that has one."""

    patience = PATIENCE_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- uvicorn's
        super().__init__(*arguments, **named)
        app = self.config.app
        self._express: Express | None = app.state.express if isinstance(app, Litestar) else None
        self._turn = False  # whether what was read last may still be answered at once
        self._holds = False  # whether the head in hand is one that may wait
        self._held: Held | None = None
        self._late: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._turn = self._express is not None
        super().data_received(data)
        if self._held is not None and self._late is None:
            self._late = self.loop.call_later(self.patience, self._begin_held)

    def on_headers_complete(self) -> None:
        """A head is there whole."""
        self._holds, self._turn = self._turn, False
        try:
            super().on_headers_complete()
        finally:
            self._holds = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 -- an ASGI application
        asked = self._asked(cycle) if self._holds and app is self.app else None
        if asked is not None:
            self._held = Held(cycle, asked, time.perf_counter())
        else:
            super()._start_asgi_task(cycle, app)

    def _asked(self, cycle: RequestResponseCycle) -> Asked | None:
        if cycle.scope["http_version"] != "1.1" or cycle.waiting_for_100_continue:
            return None
        return plain(self.parser.get_method(), self.url, self.headers)

    def on_message_complete(self) -> None:
        """The end of a request."""
        super().on_message_complete()
        held, express = self._let_go(), self._express
        if held is None or express is None:
            return
        if express.waits:
            self._start_asgi_task(held.cycle, self._after_a_look(held, express))
        elif not self._is_answered(held, express, _safely(held, express, express.admitted, held.asked)):
            self._start_asgi_task(held.cycle, self.app)

    def _after_a_look(self, held: Held, express: Express) -> Any:  # noqa: ANN401 -- an ASGI application
        async def looked(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
            link = await to_thread.run_sync(_safely, held, express, express.admitted, held.asked)
            if not self._is_answered(held, express, link):
                await self.app(scope, receive, send)

        return looked

    def _is_answered(self, held: Held, express: Express, link: AskedLink | None) -> bool:
        cycle = held.cycle
        if link is None:
            return False
        answer = _safely(held, express, express.answer, held.asked, link, cycle.body)
        if answer is None or cycle.disconnected or self.flow.write_paused:
            return False
        self._finish(held, express, answer)
        return True

    def _finish(self, held: Held, express: Express, answer: bytes) -> None:
        """Do with an answer what uvicorn and the middleware do with theirs, in their order."""
        cycle = held.cycle
        name = express.name(cycle.scope["headers"])
        cycle.response_started = cycle.response_complete = True
        head = express.head(self.server_state.default_headers, name, len(answer), keep_alive=cycle.keep_alive)
        self.transport.write(head + answer)
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        try:
            spent = time.perf_counter() - held.since
            express.count(held.asked, spent)
            express.told.tell(
                self.loop.call_later, Told(name, "POST", held.asked.address, 200, spent, time.time())
            )
        except Exception:  # as uvicorn does: the answer is out, and another must not follow it
            self.logger.exception("Exception after an answer")
            self.transport.close()

    def _begin_held(self) -> None:
        held = self._let_go()
        if held is not None:
            self._start_asgi_task(held.cycle, self.app)

    def _let_go(self) -> Held | None:
        """Whoever waits here; nobody does any more."""
        held, self._held = self._held, None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        return held

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waits here is told as everybody else is."""
        self._begin_held()
        super().connection_lost(exc)


def _safely(
    held: Held, express: Express, ask: Callable[..., Found | None], *arguments: object
) -> Found | None:
    """What ``ask`` gives; None where it fails in a way that nobody thought of: the long way is another."""
    try:
        return ask(*arguments)
    except Exception:
        scope: Any = held.cycle.scope
        name = scope["state"][REQUEST_ID] = express.name(scope["headers"])
        log.exception("short_way_failed", request_id=name)
        return None
