"""Every question that a recording store may ask, a method each."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Literal, Self, TypeVar

import httpx
import msgspec

from ga_sync.client.answers import (
    Answered,
    Changes,
    Count,
    DayInfo,
    Explanation,
    Exported,
    LinkInfo,
    Matches,
    Memberships,
    Page,
    SegmentInfo,
)
from ga_sync.client.asking import EVER, Candidate, Filter, Window, as_json
from ga_sync.client.wire import Patience, Wire, converted, decoded, unbroken

Answer = TypeVar("Answer")
USUAL = Patience()


class Client:
    """Asks one server with one key. Share it between threads; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        http: httpx.Client | None = None,
        patience: Patience = USUAL,
        wait: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
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
        self._wire = Wire(url, key, http, patience=patience, wait=wait, jitter=jitter, clock=clock)

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
        asked = {"recordings": list(map(as_json, candidates))} if days else {"recording_ids": candidates}
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

    def links(self) -> Iterator[LinkInfo]:
        """Give every link of the customer."""
        return self._listed("/v1/links", "links", {}, LinkInfo)

    def segments(self, link_id: str) -> Iterator[SegmentInfo]:
        """Give every segment of the customer."""
        return self._listed(f"/v1/links/{link_id}/segments", "segments", {}, SegmentInfo)

    def days(self, link_id: str, window: Window = EVER) -> Iterator[DayInfo]:
        """Give every day with its state, oldest first."""
        return self._listed(f"/v1/links/{link_id}/days", "days", window.members(), DayInfo)

    def put_recorded(self, link_id: str, day: date, count: int) -> None:
        """Tell how many recordings the store has of a day: the answers' coverage is measured by it."""
        self._wire.send("PUT", f"/v1/links/{link_id}/days/{day.isoformat()}/recorded", json={"count": count})

    def changes(self, link_id: str, since: str | None = None) -> Iterator[Changes]:
        """Give what changed, page by page, up to now; without `since` the present state as `entered` first.

        Raises:
            Expired: `since` is older than the log; begin without it.
        """
        more = True
        while more:
            params = {} if since is None else {"since": since}
            page = decoded(
                self._wire.send("GET", f"/v1/links/{link_id}/changes", params=params).content, Changes
            )
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
            lines = unbroken(response.iter_lines())
            yield decoded(about, Answered), (decoded(line.encode(), Exported) for line in lines if line)

    @contextmanager
    def export_arrow(self, link_id: str, text: str, window: Window = EVER) -> Iterator[Iterator[bytes]]:
        """Open the same as the bytes of an Arrow IPC stream.

        Raises:
            Interrupted: while reading, when the stream breaks off.
        """
        with self._stream(link_id, text, window, "arrow") as response:
            yield unbroken(response.iter_bytes())

    @contextmanager
    def _stream(self, link_id: str, text: str, window: Window, format_: str) -> Iterator[httpx.Response]:
        params = {"filter": text, "format": format_, **window.members()}
        response = self._wire.send(
            "GET", f"/v1/links/{link_id}/recordings/export", params=params, stream=True
        )
        try:
            yield response
        finally:
            response.close()

    def _asked(self, link_id: str, what: str, body: Mapping[str, Any], form: type[Answer]) -> Answer:
        members = {name: value for name, value in body.items() if value is not None}
        return decoded(self._wire.send("POST", f"/v1/links/{link_id}/{what}", json=members).content, form)

    def _listed(
        self, path: str, name: str, params: Mapping[str, str], form: type[Answer]
    ) -> Iterator[Answer]:
        cursor: str | None = None
        while True:
            place = {} if cursor is None else {"cursor": cursor}
            asked = {"limit": "1000", **params, **place}
            body = decoded(self._wire.send("GET", path, params=asked).content, dict[str, Any])
            yield from converted(body.get(name), list[form])  # type: ignore[valid-type]
            cursor = body.get("next_cursor")
            if cursor is None:
                return

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    def __enter__(self) -> Self:
        """Itself, to be closed at the end of a ``with`` block."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()
