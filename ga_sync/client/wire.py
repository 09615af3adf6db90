"""The network: one request, repeated until it is answered or patience ends; answers and refusals understood."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec

from ga_sync.client.errors import (
    Busy,
    ClientError,
    Expired,
    Interrupted,
    Refused,
    Unintelligible,
    Unreachable,
)

Answer = TypeVar("Answer")
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_KINDS: dict[int, type[Refused]] = {HTTPStatus.GONE: Expired, **dict.fromkeys(_BUSY, Busy)}


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


class Wire:
    """Sends to one server with one key."""

    def __init__(
        self,
        url: str,
        key: str,
        http: httpx.Client | None = None,
        *,
        patience: Patience,
        wait: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._http = url.rstrip("/"), http or httpx.Client(timeout=TIMEOUT)
        self._headers = {"authorization": f"Bearer {key}"}
        self._patience, self._wait, self._jitter, self._clock = patience, wait, jitter, clock

    def send(self, method: str, path: str, *, stream: bool = False, **parts: Any) -> httpx.Response:  # noqa: ANN401 -- httpx's own
        """Send until it is answered, or patience ends.

        Raises:
            Unreachable, Refused: see the tree.
        """
        failed = 0
        while True:
            answer, asked = self._once(method, path, stream=stream, **parts)
            if isinstance(answer, httpx.Response):
                return answer
            failed += 1
            if failed >= self._patience.attempts:
                raise answer
            self._wait(self._patience.pause(failed, asked, self._jitter()))

    def _once(
        self,
        method: str,
        path: str,
        *,
        stream: bool,
        **parts: Any,  # noqa: ANN401 -- httpx's own
    ) -> tuple[httpx.Response | ClientError, float | None]:
        """The answer, or what may go away, with the seconds that the server wants to be left alone."""
        try:
            request = self._http.build_request(method, self._url + path, headers=self._headers, **parts)
            response = self._http.send(request, stream=stream)
            if response.is_success:
                return response, None
            refusal = _refusal(response)
        except httpx.TransportError as error:
            failure = Unreachable(f"no answer to {method} {path}: {type(error).__name__}")
            failure.__cause__ = error
            return failure, None
        if response.status_code in _BUSY:
            return refusal, self._wish(response.headers.get("retry-after", ""))
        raise refusal

    def _wish(self, text: str) -> float | None:
        """Read `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3)."""
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock())
        except ValueError:
            return None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


def _refusal(response: httpx.Response) -> Refused:
    """Read a problem (RFC 9457); a proxy's page has none."""
    try:
        problem = msgspec.json.decode(response.read(), type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    finally:
        response.close()
    slug = str(problem.get("type", "")).rpartition("/")[2] or "unknown"
    kind = _KINDS.get(response.status_code, Refused)
    return kind(response.status_code, slug, str(problem.get("detail", "")))


def unbroken(parts: Iterator[Answer]) -> Iterator[Answer]:
    """Pass a stream on. Raises Interrupted where it breaks off."""
    try:
        yield from parts
    except httpx.TransportError as error:
        raise Interrupted(f"the stream broke off: {type(error).__name__}; begin anew") from error


def decoded(body: bytes, form: type[Answer]) -> Answer:
    """Read an answer. Raises Unintelligible where it is none of ours."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as error:
        raise Unintelligible(f"not an answer of version 1: {error}") from error


def converted(value: object, form: type[Answer]) -> Answer:
    """Do the same with what is decoded already."""
    try:
        return msgspec.convert(value, type=form)
    except msgspec.ValidationError as error:
        raise Unintelligible(f"not an answer of version 1: {error}") from error
