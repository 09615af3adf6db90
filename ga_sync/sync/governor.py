"""What one property still gives us: asked before each report, told after it.

A property's quotas are its owner's, for every tool they use; so there is one budget for all of our links to it.
https://developers.google.com/analytics/devguides/reporting/data/v1/quotas
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ga_sync.analytics.quota import Kind, Limits, QuotaState, QuotaStatus, headroom, retry_at, which
from ga_sync.sync.errors import Parked
from ga_sync.sync.quota import HOUR, Memory, remember

ERRORS_AN_HOUR = 5
"""Failures of Google after which we leave a property alone: ten an hour stop every request of our project."""
RETRIES_AN_HOUR = 3
DEAREST_PAGE = 10
"""Tokens that a full page of a report may cost."""
_SOON = timedelta(seconds=30)
_TOKENS = (Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_HOUR, Kind.TOKENS_PER_PROJECT_PER_HOUR)


class Governor:
    """One property's budget during a run. Not for several threads: a property has one run at a time."""

    def __init__(
        self,
        memory: Memory,
        limits: Limits,
        share: float,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
        save: Callable[[dict[str, Any]], None] = lambda _memory: None,
    ) -> None:
        """Go on from what is remembered.

        Args:
            memory: what all links of the property know together.
            limits: of the property.
            share: the part of each window that everybody together may have spent before we stop.
            clock: the current time.
            jitter: draws from [0, 1).
            save: keeps the memory at once, for failures must be known even if this process dies.
        """
        self._memory, self._limits, self._share = memory, limits, share
        self._clock, self._jitter, self._save = clock, jitter, save
        self._active: QuotaState | None = None

    def check(self) -> None:
        """Prove that there is room for one more request.

        Raises:
            Parked: there is none before the time it tells.
        """
        now = self._clock()
        self._memory.forget(now)
        if len(self._memory.errors) >= ERRORS_AN_HOUR:
            raise Parked(Kind.SERVER_ERRORS, self._memory.errors[-ERRORS_AN_HOUR] + HOUR)
        state = self._state(now)
        kind = headroom(state, self._limits, self._share)
        if kind is not None:
            raise Parked(kind, self._refilled(kind, now))

    def has_room_for(self, requests: int) -> bool:
        """Whether so many more reports about audiences, at their dearest, stay within our share."""
        state = self._state(self._clock())
        spent = dict.fromkeys(_TOKENS, DEAREST_PAGE * requests) | {Kind.THRESHOLDED: requests}
        later = {
            kind: QuotaStatus(None, one.remaining - spent.get(kind, 0))
            for kind, one in state.kinds.items()
            if one.remaining is not None
        }
        return headroom(QuotaState(later), self._limits, self._share) is None

    def asked(self) -> None:
        """A report about audiences is being asked for: Google may count it as potentially thresholded."""
        self._memory.thresholded.append(self._clock())

    def answered(self, quota: QuotaState | None) -> None:
        """Google answered, and may have told the property's quotas."""
        if quota is not None:
            self._memory.told, self._memory.told_at = quota, self._clock()
            self._active = quota

    def failed(self) -> bool:
        """Google failed us; whether trying again is still decent."""
        self._memory.errors.append(self._clock())
        self._save(self.memory())
        return len(self._memory.errors) <= RETRIES_AN_HOUR

    def refused(self, said: Kind) -> Parked:
        """A quota is exhausted: which one, by its state first, by Google's words second, and when it refills."""
        now = self._clock()
        kind = which(said, self._active or self._memory.holds(now))
        return Parked(kind, retry_at(kind, now, self._jitter()))

    def memory(self) -> dict[str, Any]:
        """What to keep for the next run of any link to this property."""
        return remember(self._memory, self._clock())

    def _state(self, now: datetime) -> QuotaState:
        """Google's word, that of this run whole; where it does not count thresholded requests, our own count."""
        state = self._active or self._memory.holds(now) or QuotaState()
        if state.remaining(Kind.THRESHOLDED) is not None:
            return state
        self._memory.forget(now)
        left = self._limits[Kind.THRESHOLDED] - len(self._memory.thresholded)
        return QuotaState({**state.kinds, Kind.THRESHOLDED: QuotaStatus(None, left)})

    def _refilled(self, kind: Kind, now: datetime) -> datetime:
        """An hour after Google told it, not after we looked again; our own count refills mark by mark."""
        counted = self._memory.told is None or self._memory.told.remaining(Kind.THRESHOLDED) is None
        if kind is Kind.THRESHOLDED and counted and self._memory.thresholded:
            return max(self._memory.thresholded[0] + HOUR, now + _SOON)
        told_at = self._memory.told_at or now
        return max(retry_at(kind, told_at, self._jitter()), now + _SOON)
