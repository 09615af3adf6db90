"""Every call to Google of one run: fresh tokens, few retries, quota watched, cost counted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from google.analytics import data_v1beta as data

from ga_sync.analytics.answers import ReportPage
from ga_sync.analytics.client import Google
from ga_sync.analytics.errors import GoogleUnavailable, MalformedAnswer, QuotaExhausted, Unauthenticated
from ga_sync.analytics.quota import Kind, Limits, QuotaState, backoff, headroom, retry_at, which
from ga_sync.sync.errors import Parked

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
    """Calls of one run to one property.

    ``quota`` is what is known of the property's quotas, ``told`` what Google said of them in this run.
    """

    def __init__(
        self, google: Google, rim: Rim, limits: Limits, share: float, quota: QuotaState | None
    ) -> None:
        self.google, self.quota, self.cost = google, quota, Cost()
        self.told: QuotaState | None = None
        self._rim, self._limits, self._share = rim, limits, share

    def report(self, request: data.RunReportRequest) -> ReportPage:
        """One page of a report.

        Raises:
            Parked: a quota leaves no room, by what Google last said or by its refusal.
            AnalyticsError: as :mod:`ga_sync.analytics.errors` tells.
        """
        self._check_room()
        page = self.call(lambda token: self._counted(token, request))
        self.cost.rows += page.rows
        if page.quota is not None:
            self.quota = self.told = page.quota
            self.cost.tokens += page.quota.tokens
        return page

    def call(self, ask: Callable[[str], Answer]) -> Answer:
        """Ask with a token: once more after a 401 with a fresh one, at most twice more after an error of Google's.

        Raises:
            Parked: a quota is exhausted.
            AnalyticsError: what stays after that.
        """
        try:
            return self._patiently(ask)
        except QuotaExhausted as refusal:
            raise self._parked(which(refusal.kind, self.quota)) from refusal

    def _patiently(self, ask: Callable[[str], Answer]) -> Answer:
        token = self._rim.token(None)
        refreshed, failures = False, 0
        while True:
            try:
                return ask(token)
            except Unauthenticated:
                if refreshed:
                    raise
                token, refreshed = self._rim.token(token), True
            except (GoogleUnavailable, MalformedAnswer):
                failures += 1
                pause = backoff(failures, self._rim.jitter())
                if pause is None:
                    raise
                self._rim.wait(pause.total_seconds())
                token = self._rim.token(None)

    def take_cost(self) -> Cost:
        """What reports have cost since the last time this was asked."""
        cost, self.cost = self.cost, Cost()
        return cost

    def _counted(self, token: str, request: data.RunReportRequest) -> ReportPage:
        self.cost.requests += 1
        return self.google.run_report(token, request)

    def _check_room(self) -> None:
        kind = None if self.quota is None else headroom(self.quota, self._limits, self._share)
        if kind is not None:
            raise self._parked(kind)

    def _parked(self, kind: Kind) -> Parked:
        return Parked(kind, retry_at(kind, self._rim.clock(), self._rim.jitter()))
