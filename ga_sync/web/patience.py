"""A body arrives within a minute: whoever trickles it holds nothing of ours for longer."""

from asyncio.events import get_running_loop
from asyncio.timeouts import timeout_at
from typing import ClassVar

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from ga_sync.accounts.errors import Refusal

BODY_SECONDS = 60.0


class TooSlow(Refusal):
    """The body did not arrive in time."""

    slug: ClassVar[str] = "too-slow"


class Patient:
    """Waits for a body so long and no longer; an answer may take the time that it needs."""

    def __init__(self, seconds: float = BODY_SECONDS) -> None:
        self._seconds = seconds

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The application, with an end to its patience."""

        async def patient(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive if scope["type"] != ScopeType.HTTP else self._timed(receive), send)

        return patient

    def _timed(self, receive: Receive) -> Receive:
        until, arrived = get_running_loop().time() + self._seconds, False

        async def timed():  # type: ignore[no-untyped-def]  # noqa: ANN202 -- one of the framework's forty messages
            nonlocal arrived
            if arrived:  # what comes now is the caller's going away, whenever that is
                return await receive()
            try:
                async with timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise TooSlow(f"a body arrives within {self._seconds:.0f} seconds: send it again") from None
            arrived = not message.get("more_body", False)
            return message

        return timed
