"""A connection on which plain questions are answered as soon as they are there whole: no task, no handlers.

uvicorn begins to answer a request when its head is there. A plain question (:mod:`ga_sync.web.express`) waits here for
its body instead, and then for what else is being read (:mod:`ga_sync.web.together`): then it is answered at once, in
one piece, or uvicorn is told of it as if it had come just now. So it is of one whose body is late, or whose caller goes
away. Of what is read at once only one question waits here, so that whoever sends many behind one another does not keep
all others from theirs.
"""

import time
from asyncio.events import TimerHandle
from typing import Any

from anyio import to_thread
from litestar import Litestar

from ga_sync.web.express import Asked, plain
from ga_sync.web.heads import Headers, Heads
from ga_sync.web.marks import REQUEST_ID
from ga_sync.web.together import Held, Together

PATIENCE_SECONDS = 0.1
"""Where head and body are sent apart, the body is there long before; where it is not, waiting saves nothing."""


class Direct(Heads):
    """A connection with the short way of the application, where that has one."""

    patience = PATIENCE_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 -- uvicorn's
        super().__init__(*arguments, **named)
        app = self.config.app
        self._together: Together | None = app.state.together if isinstance(app, Litestar) else None
        self._turn = False  # whether what was read last may still be answered at once
        self._held: Held | None = None
        self._late: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._turn = self._together is not None and self.limit_concurrency is None
        super().data_received(data)
        if self._held is not None and not self._held.whole and self._late is None:
            self._late = self.loop.call_later(self.patience, self.begin_held)

    def on_message_begin(self) -> None:
        """Another request begins: the parser forgets the one before."""
        self._settle()
        super().on_message_begin()

    def take_head(self) -> None:
        """Hold a plain question back, where no other is in hand."""
        turn, self._turn = self._turn, False
        asked = self._asked() if turn and not self.owes else None
        if asked is None:
            super().take_head()
        else:
            keep_alive = self.parser.should_keep_alive()  # a message's end makes the parser forget it
            self._held = Held(asked, self.headers, keep_alive, time.perf_counter())

    def _asked(self) -> Asked | None:
        if self.expect_100_continue or self.parser.get_http_version() != "1.1":
            return None
        return plain(self.parser.get_method(), self.url, self.headers)

    def take_body(self, body: bytes) -> None:
        """Keep it with the question that it belongs to."""
        if self._held is None:
            super().take_body(body)
        else:
            self._held.body += body

    def take_end(self) -> None:
        """A question is there whole."""
        held, together = self._held, self._together
        if held is None or together is None:
            super().take_end()
            return
        held.whole = True
        if together.express.waits:
            task = self.loop.create_task(self._look_and_answer(held, together))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        else:
            together.join(self)

    async def _look_and_answer(self, held: Held, together: Together) -> None:
        link = await to_thread.run_sync(together.admitted, held)
        if self._held is held:
            together.answer_one(self, link)

    def let_go(self) -> Held | None:
        """Whoever waits here; nobody does any more."""
        held, self._held = self._held, None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        return held

    def begin_held(self) -> None:
        """Tell uvicorn of whoever waits here, as if it had come just now."""
        held = self.let_go()
        if held is not None:
            self.begin(held)

    def begin(self, held: Held) -> None:
        """Tell uvicorn of a question that was let go."""
        super().take_head()
        self.cycle.keep_alive = held.keep_alive
        if held.name is not None:
            self.cycle.scope["state"][REQUEST_ID] = held.name
        if held.body:
            super().take_body(held.body)
        if held.whole:
            super().take_end()

    def _settle(self) -> None:
        """Have whoever waits here answered or begun before anything else happens on this connection."""
        if self._together is not None and self._held is not None and self._held.whole:
            self._together.answer()
        self.begin_held()

    @property
    def default_headers(self) -> Headers:
        """What every answer of the server begins with."""
        headers: Headers = self.server_state.default_headers
        return headers

    def eof_received(self) -> None:
        """Nothing more comes, and uvicorn ends the connection."""
        self._settle()
        super().eof_received()

    def send(self, held: Held, answer: bytes) -> bool:
        """Send an answer; False where so much waits to be sent already that another may not be added yet."""
        if self.flow.write_paused:
            return False
        self.transport.write(answer)
        if not held.keep_alive:
            self.end()
        self.on_response_complete()
        return True

    def end(self) -> None:
        """End the connection, once what was sent is gone."""
        self.transport.close()

    def shutdown(self) -> None:
        """The server stops: whoever waits here is answered still."""
        if self._held is None:
            super().shutdown()
        else:
            self._held.keep_alive = False

    def refuse(self, slug: str) -> None:
        """Refuse what comes behind whoever waits here."""
        self._settle()
        super().refuse(slug)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: whoever waits here is told as everybody else is."""
        self.begin_held()
        super().connection_lost(exc)
