"""The short way to the answers of :mod:`ga_sync.accounts.at_once`: no thread where none is needed, and no handlers.

It answers plain requests alone, always with 200; every other one goes on as if this were not here. The order is that of
the long way: key, role, object, and only then the body.
"""

from asyncio.events import get_running_loop
from collections.abc import Callable, Iterable

import msgspec
from anyio import to_thread
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send
from msgspec import UnsetType

from ga_sync.accounts.at_once import AtOnce
from ga_sync.accounts.errors import Refusal
from ga_sync.accounts.generation import Window
from ga_sync.accounts.views import View
from ga_sync.index.errors import InvalidWindow
from ga_sync.index.store import AskedLink
from ga_sync.web.auth import Door
from ga_sync.web.bodies import Count, Match, Query

MAX_BODY = 16 * 1024
_DIGITS = len(str(MAX_BODY))
_BEARER = b"bearer "
Ask = Callable[[AtOnce, AskedLink, bytes], View | None]


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key of a plain request: one that has one, and a short body of JSON whose length it says."""
    key: bytes | None = None
    kind = length = b""
    for name, value in headers:
        if name == b"authorization":
            if key is not None:
                return None
            key = value
        elif name == b"content-type":
            kind = value
        elif name == b"content-length":
            length = value
    short = length.isdigit() and len(length) <= _DIGITS and 0 < int(length) <= MAX_BODY
    if not short or kind != b"application/json" or key is None or key[: len(_BEARER)].lower() != _BEARER:
        return None
    return key[len(_BEARER) :].decode("latin-1").strip()


class Express:
    """Middleware of an address about recordings of a link, for the roles that the address admits."""

    def __init__(self, roles: tuple[str, ...], ask: Ask) -> None:
        self._roles, self._ask = roles, ask

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The application, with the short way before it."""

        async def express(scope: Scope, receive: Receive, send: Send) -> None:
            link = await self._admitted(scope)
            if link is None:
                await app(scope, receive, send)
                return
            turned: list[str] = []
            get_running_loop().call_soon(turned.append, "once")
            try:
                message = await receive()
            except Refusal as slow:
                await app(scope, _again(slow, receive), send)
                return
            if turned:  # the body was waited for: what was looked at before may have ended since
                link = await self._admitted(scope)
            at_once = scope["litestar_app"].state.at_once
            answer = None if link is None else self._answer(at_once, link, message)
            if answer is None:
                await app(scope, _again(message, receive), send)
                return
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer, "more_body": False})

        return express

    async def _admitted(self, scope: Scope) -> AskedLink | None:
        key = key_of(scope["headers"])
        if key is None:
            return None
        state = scope["litestar_app"].state
        at_once: AtOnce = state.at_once
        door: Door = state.door
        asked = (key, str(scope["path_params"]["link_id"]), self._roles)
        admitted = await to_thread.run_sync(at_once.admit, *asked) if at_once.waits else at_once.admit(*asked)
        return admitted.link if admitted is not None and door.has_noted(admitted.key_id) else None

    def _answer(self, at_once: AtOnce, link: AskedLink, message: ReceiveMessage) -> bytes | None:
        if message["type"] != "http.request" or message["more_body"]:
            return None
        try:
            found = self._ask(at_once, link, message["body"])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidWindow):
            return None
        return None if found is None else msgspec.json.encode(found)


def _again(first: ReceiveMessage | Refusal, receive: Receive) -> Receive:
    """Receiving for whoever comes next, beginning with what was received already."""
    waiting = [first]

    async def again():  # type: ignore[no-untyped-def]  # noqa: ANN202 -- one of the framework's forty messages
        if not waiting:
            return await receive()
        message = waiting.pop()
        if isinstance(message, Refusal):
            raise message
        return message

    return again


_QUERY = msgspec.json.Decoder(Query)
_MATCH = msgspec.json.Decoder(Match)
_COUNT = msgspec.json.Decoder(Count)


def query(at_once: AtOnce, link: AskedLink, body: bytes) -> View | None:
    """A first page."""
    asked = _QUERY.decode(body)
    if asked.cursor is not None:
        return None
    return at_once.query(link, asked.filter, Window(asked.from_, asked.to), asked.limit)


def match(at_once: AtOnce, link: AskedLink, body: bytes) -> View | None:
    """A few candidates."""
    asked = _MATCH.decode(body)
    if isinstance(asked.recording_ids, UnsetType) or not isinstance(asked.recordings, UnsetType):
        return None
    candidates = [(recording_id, None) for recording_id in asked.recording_ids]
    return at_once.match(link, asked.filter, candidates, Window(asked.from_, asked.to))


def count(at_once: AtOnce, link: AskedLink, body: bytes) -> View | None:
    """A number alone."""
    asked = _COUNT.decode(body)
    if asked.by is not None or not isinstance(asked.recording_ids, UnsetType):
        return None
    return at_once.count(link, asked.filter, Window(asked.from_, asked.to))
