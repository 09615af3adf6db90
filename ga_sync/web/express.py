"""The short way to the answers of :mod:`ga_sync.accounts.at_once`: from a request's head and body to an answer's body.

It answers plain requests alone, always with 200; every other one goes the long way as if this were not here. How bytes
come and go is :mod:`ga_sync.web.direct`'s.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec import UnsetType
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ga_sync.accounts.at_once import AtOnce
from ga_sync.accounts.generation import Window
from ga_sync.accounts.views import View
from ga_sync.index.errors import InvalidWindow
from ga_sync.index.store import AskedLink
from ga_sync.web.auth import Door
from ga_sync.web.bodies import Count, Match, Query
from ga_sync.web.marks import REQUEST_ID, Headers, fixed_headers, lines, request_id
from ga_sync.web.metrics import Counter
from ga_sync.web.services import Services
from ga_sync.web.tracing import Later

MAX_BODY = 16 * 1024
ROLES = ("store", "console")
"""Who may ask about recordings, beside administrators."""
_DIGITS = len(str(MAX_BODY))
_BEARER = b"bearer "
_ADDRESS = re.compile(rb"/v1/links/([A-Za-z0-9._-]{1,64})/recordings/(query|match|count)")
Ask = Callable[[AtOnce, AskedLink, bytes | bytearray], View | None]


class Asked(NamedTuple):
    """Of a plain request what comes before its body: who asks which link for what (``query``, ``match``, ``count``)."""

    key: str
    link_id: str
    what: str

    @property
    def address(self) -> str:
        """As it is declared: what logs and metrics name."""
        return address_of(self.what)


def address_of(what: str) -> str:
    """The address of a question about recordings, as it is declared."""
    return f"/v1/links/{{link_id}}/recordings/{what}"


def plain(method: bytes, url: bytes, headers: Headers) -> Asked | None:
    """What a request asks, if it is plain: one key, nothing in its address to be decoded, a short body of JSON."""
    place = _ADDRESS.fullmatch(url) if method == b"POST" else None
    key = None if place is None else key_of(headers)
    if place is None or key is None:
        return None
    return Asked(key, place[1].decode(), place[2].decode())


def key_of(headers: Headers) -> str | None:
    """The key of a plain request: one that has one, and a short body of JSON, whose length it says."""
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
    """Answers questions about recordings at once, or not at all."""

    def __init__(self, services: Services, door: Door) -> None:
        self._at_once, self._door, self._random = services.at_once, door, services.random
        self._fixed = lines(fixed_headers(services))
        self._counters: dict[str, Counter] = {}
        self.told = Later()
        """The lines of its requests that are not written yet."""
        self.waits = self._at_once.waits
        """Whether :meth:`admitted` crosses a network: then it belongs into a thread."""

    def admitted(self, asked: Asked) -> AskedLink | None:
        """The link, if who asks may ask about it, and the use of the key need not be noted."""
        admitted = self._at_once.admit(asked.key, asked.link_id, ROLES)
        return admitted.link if admitted is not None and self._door.has_noted(admitted.key_id) else None

    def answer(self, asked: Asked, link: AskedLink, body: bytes | bytearray) -> bytes | None:
        """What the long way answers, as JSON, if it is in memory."""
        try:
            found = _ASKS[asked.what](self._at_once, link, body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidWindow):
            return None
        return None if found is None else msgspec.json.encode(found)

    def name(self, headers: Headers) -> str:
        """The id of a request."""
        return request_id(headers, self._random)

    def head(self, first: Headers, name: str, size: int, *, keep_alive: bool) -> bytes:
        """What comes before an answer of so many bytes, to the request of this id: what the long way writes."""
        about = b"content-type: application/json\r\ncontent-length: %d\r\n%s: %s\r\n"
        own = about % (size, REQUEST_ID.encode(), name.encode())
        end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        return b"".join([STATUS_LINE[200], lines(first), own, self._fixed, end])

    def count(self, asked: Asked, seconds: float) -> None:
        """Count a question that was answered within so many seconds."""
        counter = self._counters.get(asked.what)
        if counter is None:
            counter = self._counters[asked.what] = Counter(asked.address)
        counter(seconds)


_QUERY = msgspec.json.Decoder(Query)
_MATCH = msgspec.json.Decoder(Match)
_COUNT = msgspec.json.Decoder(Count)


def _query(at_once: AtOnce, link: AskedLink, body: bytes | bytearray) -> View | None:
    asked = _QUERY.decode(body)
    if asked.cursor is not None:
        return None
    return at_once.query(link, asked.filter, Window(asked.from_, asked.to), asked.limit)


def _match(at_once: AtOnce, link: AskedLink, body: bytes | bytearray) -> View | None:
    asked = _MATCH.decode(body)
    if isinstance(asked.recording_ids, UnsetType) or not isinstance(asked.recordings, UnsetType):
        return None
    candidates = [(recording_id, None) for recording_id in asked.recording_ids]
    return at_once.match(link, asked.filter, candidates, Window(asked.from_, asked.to))


def _count(at_once: AtOnce, link: AskedLink, body: bytes | bytearray) -> View | None:
    asked = _COUNT.decode(body)
    if asked.by is not None or not isinstance(asked.recording_ids, UnsetType):
        return None
    return at_once.count(link, asked.filter, Window(asked.from_, asked.to))


_ASKS: dict[str, Ask] = {"query": _query, "match": _match, "count": _count}
