"""Every call to Google of one run: fresh tokens, few retries, quota watched, cost counted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from google.analytics import data_v1beta as data

from ga_sync.analytics.answers import ReportPage
from ga_sync.analytics.client import Google
from ga_sync.analytics.errors import GoogleUnavailable, MalformedAnswer, QuotaExhausted, Unauthenticated
from ga_sync.analytics.quota import Kind, backoff
from ga_sync.analytics.requests import reads_audiences
from ga_sync.sync.governor import Governor

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Rim:
    """The world as arguments.

    ``token(refused)`` gives a usable access token (another one than ``refused``) and is asked before every call;
    what it raises stops the run. ``wait(seconds)`` waits and may be cut short by a drain; ``jitter()`` is random
    in 0..1.
    """

    token: Callable[[str | None], str]
    wait: Callable[[float], None]
    jitter: Callable[[], float]
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Cost:
    """What reports have cost."""

    requests: int = 0
    rows: int = 0
    tokens: int = 0


class Calls:
    """Calls of one run to one property; ``governor`` is asked before each report and told after it."""

    def __init__(self, google: Google, rim: Rim, governor: Governor) -> None:
        self.google, self.governor, self.cost = google, governor, Cost()
        self._rim, self._waited = rim, False

    def report(self, request: data.RunReportRequest) -> ReportPage:
        """One page of a report.

        Raises:
            Parked: a quota leaves no room, by what Google last said or by its refusal.
            AnalyticsError: as :mod:`ga_sync.analytics.errors` tells.
        """
        page = self._asking(lambda token: self._counted(token, request), self.governor.failed)
        self.cost.rows += page.rows
        self.governor.answered(page.quota)
        if page.quota is not None:
            self.cost.tokens += page.quota.tokens
        return page

    def call(self, ask: Callable[[str], Answer]) -> Answer:
        """Ask with a token: once more after a 401 with a fresh one, at most twice more after an error of Google's.

        Raises:
            Parked: a quota is exhausted.
            AnalyticsError: what stays after that.
        """
        return self._asking(ask, lambda: True)

    def _asking(self, ask: Callable[[str], Answer], failed: Callable[[], bool]) -> Answer:
        while True:
            try:
                return self._patiently(ask, failed)
            except QuotaExhausted as refusal:
                parked = self.governor.refused(refusal.kind)
                if parked.kind is not Kind.CONCURRENT_REQUESTS or self._waited:
                    raise parked from refusal
                self._waited = True  # half a minute, once a run, is no reason to stop half-way
                self._rim.wait((parked.until - self._rim.clock()).total_seconds())

    def _patiently(self, ask: Callable[[str], Answer], failed: Callable[[], bool]) -> Answer:
        """``failed`` counts a failure of Google's and says whether asking again is decent."""
        token = self._rim.token(None)
        refreshed, failures = False, 0
        while True:
            try:
                return ask(token)
            except Unauthenticated:
                if refreshed:
                    raise
                token, refreshed = self._rim.token(token), True
            except (GoogleUnavailable, MalformedAnswer) as error:
                failures += 1
                decent = isinstance(error, MalformedAnswer) or failed()
                pause = backoff(failures, self._rim.jitter()) if decent else None
                if pause is None:
                    raise
                self._rim.wait(pause.total_seconds())
                token = self._rim.token(None)

    def take_cost(self) -> Cost:
        """What reports have cost since the last time this was asked."""
        cost, self.cost = self.cost, Cost()
        return cost

    def _counted(self, token: str, request: data.RunReportRequest) -> ReportPage:
        self.governor.check()
        self.cost.requests += 1
        if reads_audiences(request):
            self.governor.asked()
        return self.google.run_report(token, request)
