"""What a recording store imports to ask which recordings are in which segments.

```
with Client("https://ga.example.com", key) as client:
    page = client.query(link_id, all_(segment("111"), not_(segment("222"))))
```
It stands alone: nothing of the rest is imported, so it may be copied beside other code. Every call is safe to repeat,
and is repeated: on 429, 503 and when the network fails, after a growing, jittered pause, or the server's `Retry-After`.

```
ClientError
├── Unreachable      the network failed, also when it was tried again
├── Interrupted      a stream broke off: begin the export anew
├── Unintelligible   the answer is not of the documented shape
└── Refused          the server said no: `status`, `slug` and `detail` (RFC 9457) say why
    ├── Expired      410: the place in `changes` is older than the log; begin without `since`
    └── Busy         429 or 503, also when it was tried again
```
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, Self, TypeAlias, TypeVar

import httpx
import msgspec

Filter: TypeAlias = Mapping[str, Any]
"""`segment`, `all_`, `any_` and `not_` make them."""
Answer = TypeVar("Answer")
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class ClientError(Exception):
    """Root of this tree."""


class Unreachable(ClientError):
    """The network failed each time; the cause is the last failure."""


class Interrupted(ClientError):
    """A stream broke off in the middle; what came before is true, and not all."""


class Unintelligible(ClientError):
    """The answer is not of the documented shape: another service, or another version."""


class Refused(ClientError):
    """The server said no.

    Attributes:
        status: HTTP's.
        slug: What kind of problem; `malformed`, `unauthenticated`, `unknown-segment`, …
        detail: What to do about it.
    """

    def __init__(self, status: int, slug: str, detail: str) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status, self.slug, self.detail = status, slug, detail


class Expired(Refused):
    """The place in the log of changes is too old: take the present state, by `changes` without `since`."""


class Busy(Refused):
    """The server could not answer in time, also when it was asked again."""


class Completeness(msgspec.Struct, frozen=True):
    """The worst state among the days used, and how many days have which."""

    state: str
    days: dict[str, int]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer carries: when its generation was committed (None before the first), and how whole it is."""

    as_of: datetime | None
    completeness: Completeness


class Page(Answered, frozen=True, kw_only=True):
    """Ids by last-seen day descending; `next_cursor` is None at the end."""

    recording_ids: list[str]
    next_cursor: str | None


class Matches(Answered, frozen=True, kw_only=True):
    """Ids of which the filter is true, and of which it may be; both in the order asked."""

    matches: list[str]
    undecided: list[str]


class Group(msgspec.Struct, frozen=True):
    """The count of a day or of a segment."""

    key: str
    count: int


class Count(Answered, frozen=True, kw_only=True):
    """How many, exactly; `by` where it was asked for."""

    count: int
    by: list[Group] | None = None


class Held(msgspec.Struct, frozen=True):
    """The segments of one recording."""

    recording_id: str
    segment_ids: list[str]


class Memberships(Answered, frozen=True, kw_only=True):
    """The segments of each recording, in the order asked."""

    recordings: list[Held]


class Evidence(msgspec.Struct, frozen=True):
    """A day that says that a recording is in a segment."""

    day: date
    state: str
    fetched_at: datetime


class Reason(msgspec.Struct, frozen=True):
    """Whether a recording is in a segment of the filter, and the days that say so."""

    segment_id: str
    member: bool
    days: list[Evidence]


class Explained(msgspec.Struct, frozen=True):
    """Why a filter is true of a recording or not."""

    recording_id: str
    match: bool
    segments: list[Reason]


class Explanation(Answered, frozen=True, kw_only=True):
    """One for each recording, in the order asked."""

    recordings: list[Explained]


class SegmentInfo(msgspec.Struct, frozen=True):
    """A customer-made audience; the number is its key, names are data."""

    segment_id: str
    name: str
    label: str | None
    recordings: int
    first_day: date | None
    last_day: date | None
    created_at: datetime
    archived: bool


class DayInfo(msgspec.Struct, frozen=True):
    """One day with its state; `seen` is None before it is sealed, `recorded` until the store has said it."""

    day: date
    state: str
    reasons: list[str]
    recordings: int | None
    memberships: int | None
    seen: int | None
    recorded: int | None
    coverage: float | None
    fetched_at: datetime | None


class Change(msgspec.Struct, frozen=True):
    """A recording entered or left a segment."""

    segment_id: str
    recording_id: str
    change: Literal["entered", "left"]
    as_of: datetime


class Changes(msgspec.Struct, frozen=True):
    """A page of changes. Apply them, then remember `next`: it is the `since` of the following one."""

    changes: list[Change]
    next: str
    more: bool


class Exported(msgspec.Struct, frozen=True):
    """A recording with its newest day in the window."""

    recording_id: str
    last_day: date


def segment(segment_id: str) -> Filter:
    """Who is in a segment, by its id."""
    return {"segment": segment_id}


def all_(*filters: Filter) -> Filter:
    """Whoever every one of these is true of."""
    return {"all": list(filters)}


def any_(*filters: Filter) -> Filter:
    """Whoever at least one of these is true of."""
    return {"any": list(filters)}


def not_(filter_: Filter) -> Filter:
    """Whoever this is not true of."""
    return {"not": filter_}


@dataclass(frozen=True, slots=True)
class Window:
    """Days, both inclusive, in the property's time zone; None is open."""

    first: date | None = None
    last: date | None = None

    def members(self) -> dict[str, str]:
        """Give `from` and `to`, where they are set."""
        days = {"from": self.first, "to": self.last}
        return {name: day.isoformat() for name, day in days.items() if day is not None}


EVER = Window()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording, with the day that the store has it on where it knows: that decides what is undecided."""

    id: str
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long is waited. Seconds; the pause doubles each time, and a jitter takes up to half of it."""

    attempts: int = 5
    first: float = 0.25
    longest: float = 30.0

    def pause(self, failed: int, asked: float | None, jitter: float) -> float:
        """Give the seconds before the next try, after so many failed; the server's own wish is kept to."""
        if asked is not None:
            return min(asked, self.longest)
        return min(self.longest, self.first * 2.0 ** (failed - 1)) * (1 - jitter / 2)


def _now() -> float:
    return time.time()


class Client:
    """Asks one server with one key. Share it between threads; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        http: httpx.Client | None = None,
        patience: Patience = Patience(),  # noqa: B008 -- immutable
        wait: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = _now,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: Where the server is, such as `https://ga.example.com`.
            key: An API key of the role `store`.
            http: A client of your own, with your timeouts or proxies; it is closed with this one.
            patience: How often a call is repeated.
            wait: Waits for so many seconds.
            jitter: Gives a number from 0 to 1.
            clock: Gives the seconds since 1970, to understand a `Retry-After` that is a date.
        """
        self._url, self._http = url.rstrip("/"), http or httpx.Client(timeout=TIMEOUT)
        self._headers = {"authorization": f"Bearer {key}"}
        self._patience, self._wait, self._jitter, self._clock = patience, wait, jitter, clock

    def query(
        self,
        link_id: str,
        filter_: Filter,
        window: Window = EVER,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Give a page of at most 10,000 recordings that a filter is true of."""
        body = {"filter": filter_, "limit": limit, "cursor": cursor, **window.members()}
        return self._asked(link_id, "recordings/query", body, Page)

    def every(
        self, link_id: str, filter_: Filter, window: Window = EVER, *, limit: int = 10_000
    ) -> Iterator[str]:
        """Give every such recording, page by page; a sync in between is no harm."""
        cursor: str | None = None
        while True:
            page = self.query(link_id, filter_, window, limit=limit, cursor=cursor)
            yield from page.recording_ids
            cursor = page.next_cursor
            if cursor is None:
                return

    def match(
        self, link_id: str, filter_: Filter, candidates: Sequence[str | Candidate], window: Window = EVER
    ) -> Matches:
        """Say of at most 10,000 candidates whether the filter is true of them."""
        days = any(isinstance(candidate, Candidate) for candidate in candidates)
        asked = {"recordings": list(map(_candidate, candidates))} if days else {"recording_ids": candidates}
        return self._asked(
            link_id, "recordings/match", {"filter": filter_, **asked, **window.members()}, Matches
        )

    def count(
        self,
        link_id: str,
        filter_: Filter,
        window: Window = EVER,
        *,
        by: Literal["day", "segment"] | None = None,
        among: Sequence[str] | None = None,
    ) -> Count:
        """Count the recordings that a filter is true of, exactly; among at most 10,000 where given."""
        body = {"filter": filter_, "by": by, "recording_ids": among, **window.members()}
        return self._asked(link_id, "recordings/count", body, Count)

    def memberships(self, link_id: str, recording_ids: Sequence[str]) -> Memberships:
        """Give the segments of at most 1,000 recordings."""
        return self._asked(link_id, "recordings/segments", {"recording_ids": recording_ids}, Memberships)

    def explain(self, link_id: str, filter_: Filter, recording_ids: Sequence[str]) -> Explanation:
        """Say why a filter is true of at most 100 recordings, or not."""
        body = {"filter": filter_, "recording_ids": recording_ids}
        return self._asked(link_id, "recordings/explain", body, Explanation)

    def segments(self, link_id: str) -> Iterator[SegmentInfo]:
        """Give every segment of the customer."""
        return self._listed(f"/v1/links/{link_id}/segments", "segments", {}, SegmentInfo)

    def days(self, link_id: str, window: Window = EVER) -> Iterator[DayInfo]:
        """Give every day with its state, oldest first."""
        return self._listed(f"/v1/links/{link_id}/days", "days", window.members(), DayInfo)

    def put_recorded(self, link_id: str, day: date, count: int) -> None:
        """Tell how many recordings the store has of a day: the answers' coverage is measured by it."""
        self._sent("PUT", f"/v1/links/{link_id}/days/{day.isoformat()}/recorded", json={"count": count})

    def changes(self, link_id: str, since: str | None = None) -> Iterator[Changes]:
        """Give what changed, page by page, up to now; without `since` the present state as `entered` first.

        Raises:
            Expired: `since` is older than the log; begin without it.
        """
        more = True
        while more:
            params = {} if since is None else {"since": since}
            page = _decoded(self._sent("GET", f"/v1/links/{link_id}/changes", params=params).content, Changes)
            yield page
            since, more = page.next, page.more

    @contextmanager
    def export(
        self, link_id: str, text: str, window: Window = EVER
    ) -> Iterator[tuple[Answered, Iterator[Exported]]]:
        """Open a stream of every recording of a filter, in constant memory; the filter is text, or JSON as text.

        Raises:
            Interrupted: while reading, when the stream breaks off.
        """
        with self._stream(link_id, text, window, "ndjson") as response:
            about = msgspec.json.encode(
                {
                    "as_of": response.headers.get("ga-sync-as-of") or None,
                    "completeness": msgspec.Raw(response.headers.get("ga-sync-completeness", "").encode()),
                }
            )
            lines = _unbroken(response.iter_lines())
            yield _decoded(about, Answered), (_decoded(line.encode(), Exported) for line in lines if line)

    @contextmanager
    def export_arrow(self, link_id: str, text: str, window: Window = EVER) -> Iterator[Iterator[bytes]]:
        """Open the same as the bytes of an Arrow IPC stream.

        Raises:
            Interrupted: while reading, when the stream breaks off.
        """
        with self._stream(link_id, text, window, "arrow") as response:
            yield _unbroken(response.iter_bytes())

    @contextmanager
    def _stream(self, link_id: str, text: str, window: Window, format_: str) -> Iterator[httpx.Response]:
        params = {"filter": text, "format": format_, **window.members()}
        response = self._sent("GET", f"/v1/links/{link_id}/recordings/export", params=params, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _asked(self, link_id: str, what: str, body: Mapping[str, Any], form: type[Answer]) -> Answer:
        members = {name: value for name, value in body.items() if value is not None}
        return _decoded(self._sent("POST", f"/v1/links/{link_id}/{what}", json=members).content, form)

    def _listed(
        self, path: str, name: str, params: Mapping[str, str], form: type[Answer]
    ) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            place = {} if cursor is None else {"cursor": cursor}
            asked = {"limit": "1000", **params, **place}
            body = _decoded(self._sent("GET", path, params=asked).content, dict[str, Any])
            yield from _converted(body.get(name), list[form])  # type: ignore[valid-type]
            cursor = body.get("next_cursor")
            if cursor is None:
                return

    def _sent(self, method: str, path: str, *, stream: bool = False, **parts: Any) -> httpx.Response:  # noqa: ANN401 -- httpx's own
        """Send until it is answered, or patience ends.

        Raises:
            Unreachable, Refused: see the tree.
        """
        failed = 0
        while True:
            asked: float | None = None
            try:
                request = self._http.build_request(method, self._url + path, headers=self._headers, **parts)
                response = self._http.send(request, stream=stream)
                if response.status_code not in _BUSY:
                    return _accepted(response)
                asked, refusal = self._wish(response), _refusal(response)
            except httpx.TransportError as error:
                refusal = Unreachable(f"no answer to {method} {path}: {type(error).__name__}")
                refusal.__cause__ = error
            failed += 1
            if failed >= self._patience.attempts:
                raise refusal
            self._wait(self._patience.pause(failed, asked, self._jitter()))

    def _wish(self, response: httpx.Response) -> float | None:
        """How many seconds the server wants to be left alone (RFC 9110, section 10.2.3)."""
        text = response.headers.get("retry-after", "")
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock())
        except ValueError:
            return None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        """Itself, to be closed at the end of a ``with`` block."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()


def _candidate(candidate: str | Candidate) -> dict[str, str]:
    if isinstance(candidate, str):
        return {"id": candidate}
    return {"id": candidate.id} | ({} if candidate.day is None else {"day": candidate.day.isoformat()})


def _accepted(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        raise _refusal(response)
    return response


def _refusal(response: httpx.Response) -> ClientError:
    kinds = {HTTPStatus.GONE: Expired, **dict.fromkeys(_BUSY, Busy)}
    try:
        problem = msgspec.json.decode(response.read(), type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    finally:
        response.close()
    slug = str(problem.get("type", "")).rpartition("/")[2] or "unknown"
    return kinds.get(HTTPStatus(response.status_code), Refused)(
        response.status_code, slug, str(problem.get("detail", ""))
    )


def _unbroken(parts: Iterator[Answer]) -> Iterator[Answer]:
    try:
        yield from parts
    except httpx.TransportError as error:
        raise Interrupted(f"the stream broke off: {type(error).__name__}; begin anew") from error


def _decoded(body: bytes, form: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as error:
        raise Unintelligible(f"not an answer of version 1: {error}") from error


def _converted(value: object, form: type[Answer]) -> Answer:
    try:
        return msgspec.convert(value, type=form)
    except msgspec.ValidationError as error:
        raise Unintelligible(f"not an answer of version 1: {error}") from error
