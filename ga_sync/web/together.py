"""Questions that are there at the same time are answered together, step by step.

Each step finds its code, and what the processor has learnt of it, left behind by the same step of the question before:
where four callers ask at once, an answer takes three quarters to nine tenths of what it takes one after the other.
Nobody waits for others to come: answered is what the loop has read by the time it goes on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog

from ga_sync.index.store import AskedLink
from ga_sync.web.express import Asked, Express
from ga_sync.web.heads import Headers
from ga_sync.web.tracing import Told

MOST = 8
"""So many at once: the first is answered after the last was worked out."""
Found = TypeVar("Found")
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Held:
    """A plain question that waits on its connection.

    Attributes:
        asked: What it asks.
        headers: Its headers.
        keep_alive: Whether the connection outlives it.
        since: When its head was there, by `time.perf_counter`.
        body: What of its body is there.
        whole: Whether that is all of it.
        name: Its id, once something was written that names it.
    """

    asked: Asked
    headers: Headers
    keep_alive: bool
    since: float
    body: bytes = b""
    whole: bool = False
    name: str | None = None


class Asker(Protocol):
    """A connection on which a question waits.

    Attributes:
        loop: The event loop that reads from it.
    """

    loop: Any

    @property
    def default_headers(self) -> Headers:
        """What every answer of the server begins with."""
        ...

    def let_go(self) -> Held | None:
        """The question; it does not wait any more."""
        ...

    def send(self, held: Held, answer: bytes) -> bool:
        """Send an answer; False where it cannot be sent now."""
        ...

    def begin(self, held: Held) -> None:
        """Have the question answered the long way."""
        ...

    def end(self) -> None:
        """End the connection."""
        ...


class Together:
    """Whoever's question is whole, until all are answered."""

    def __init__(self, express: Express) -> None:
        self.express = express
        self._whole: list[Asker] = []

    def join(self, asker: Asker) -> None:
        """Answer with all others, once everything is read that is there."""
        self._whole.append(asker)
        if len(self._whole) == 1:
            asker.loop.call_soon(self.answer)

    def answer(self) -> None:
        """Answer everybody now."""
        while self._whole:
            some, self._whole = self._whole[:MOST], self._whole[MOST:]
            held = [(asker, one) for asker in some if (one := asker.let_go()) is not None]
            self._answer(held, [self.admitted(one) for _, one in held])

    def admitted(self, held: Held) -> AskedLink | None:
        """The link that is asked, if whoever asks may."""
        return self._safely(held, self.express.admitted, held.asked)

    def answer_one(self, asker: Asker, link: AskedLink | None) -> None:
        """Answer a question whose link is known."""
        held = asker.let_go()
        if held is not None:
            self._answer([(asker, held)], [link])

    def _answer(self, held: Sequence[tuple[Asker, Held]], links: Sequence[AskedLink | None]) -> None:
        answers = [self._answer_to(one, link) for (_, one), link in zip(held, links, strict=True)]
        given = zip(held, answers, strict=True)
        out = [(asker, one) for (asker, one), answer in given if self._is_out(asker, one, answer)]
        for asker, one in out:
            self._note(asker, one)

    def _is_out(self, asker: Asker, held: Held, answer: bytes | None) -> bool:
        """Send an answer, or begin the question where there is none; whether it was sent."""
        try:
            if answer is not None and self._is_sent(asker, held, answer):
                return True
            asker.begin(held)
        except Exception:  # of this connection alone: the others have their answers to come
            log.exception("connection_failed", request_id=held.name)
            asker.end()
        return False

    def _answer_to(self, held: Held, link: AskedLink | None) -> bytes | None:
        if link is None:
            return None
        return self._safely(held, self.express.answer, held.asked, link, held.body)

    def _safely(self, held: Held, ask: Callable[..., Found | None], *known: object) -> Found | None:
        """What ``ask`` gives; None where it fails in a way that nobody thought of: the long way is another."""
        try:
            return ask(*known)
        except Exception:
            held.name = self.express.name(held.headers)
            log.exception("short_way_failed", request_id=held.name)
            return None

    def _is_sent(self, asker: Asker, held: Held, answer: bytes) -> bool:
        held.name = held.name or self.express.name(held.headers)
        head = self.express.head(asker.default_headers, held.name, len(answer), keep_alive=held.keep_alive)
        return asker.send(held, head + answer)

    def _note(self, asker: Asker, held: Held) -> None:
        """Do with a question whose answer is out what the middleware does with theirs."""
        try:
            spent = time.perf_counter() - held.since
            self.express.count(held.asked, spent)
            told = Told(str(held.name), "POST", held.asked.address, 200, spent, time.time())
            self.express.told.tell(asker.loop.call_later, told)
        except Exception:  # as uvicorn does: the answer is out, and another must not follow it
            log.exception("failed_after_an_answer", request_id=held.name)
            asker.end()
