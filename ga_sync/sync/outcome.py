"""How a run ends and when the link's turn comes again (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ga_sync.analytics.errors import AnalyticsError, Retry
from ga_sync.analytics.quota import Kind
from ga_sync.sync.errors import Parked
from models.run import RunStatus
from oauth.errors import GrantError, OauthError, OurFault

GRANT_DEAD, DAMAGED = "grant_dead", "damaged"
SLOW_RETRY = timedelta(hours=24)
_OUR_QUOTAS = {Kind.ADMIN_PER_DAY, Kind.ADMIN_PER_MINUTE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    Attributes:
        status: of the run.
        error: a stable word for what stopped it, or None.
        retry_at: when what is left is tried again; None where nothing is left.
        next_due: when the link's turn comes.
        broken: the reason to mark the link broken with, or None.
        alarm: whether operators must act.
    """

    status: RunStatus
    error: str | None
    retry_at: datetime | None
    next_due: datetime
    broken: str | None = None
    alarm: bool = False


def settle(error: Exception | None, days_read: int, now: datetime, regular: datetime) -> Outcome:
    """Decide the end of a run that read ``days_read`` days and was stopped by ``error`` (None: it read all).

    ``regular`` is the link's next turn by its own grid.
    """
    if error is None:
        return Outcome(RunStatus.SUCCEEDED, None, None, regular)
    if isinstance(error, Parked):
        ours = error.kind in _OUR_QUOTAS
        return Outcome(RunStatus.PARTIAL, f"quota_{error.kind.value}", error.until, error.until, alarm=ours)
    if isinstance(error, GrantError):
        return Outcome(RunStatus.FAILED, GRANT_DEAD, None, now + SLOW_RETRY)
    if isinstance(error, OurFault):
        return Outcome(RunStatus.FAILED, "client_refused", regular, regular, alarm=True)
    if isinstance(error, OauthError):
        return Outcome(_stopped(days_read), "token_unavailable", regular, regular)
    assert isinstance(error, AnalyticsError)
    return _refused(error, days_read, now, regular)


def _refused(error: AnalyticsError, days_read: int, now: datetime, regular: datetime) -> Outcome:
    slug = error.slug.replace("-", "_")
    if error.blames == "customer" and error.retry is Retry.NEVER:
        return Outcome(RunStatus.FAILED, slug, None, now + SLOW_RETRY, broken=slug)
    passing = error.retry in {Retry.BACKOFF, Retry.AT_TIME}
    status = _stopped(days_read) if passing else RunStatus.FAILED
    return Outcome(status, slug, regular, regular, alarm=error.blames == "ours")


def _stopped(days_read: int) -> RunStatus:
    """By something that passes: what was read stays."""
    return RunStatus.PARTIAL if days_read else RunStatus.FAILED
