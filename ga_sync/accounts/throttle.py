"""Whoever fails to sign in waits longer each time: counted before the password is looked at, known address or not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from ga_sync.accounts.errors import SlowDown
from models.throttle import Throttle

ACCOUNT_FREE, NETWORK_FREE = 5, 30
FIRST, LONGEST = timedelta(seconds=30), timedelta(minutes=15)
FORGOTTEN = timedelta(hours=24)


def pause_after(failures: int, free: int) -> timedelta:
    """How long to wait after so many failures in a row, of which ``free`` cost nothing: 30 s, doubled, to 15 min.

    >>> [pause_after(failures, 5).total_seconds() for failures in (4, 5, 6, 60)]
    [0.0, 30.0, 60.0, 900.0]
    """
    if failures < free:
        return timedelta()
    return min(LONGEST, FIRST * (1 << min(failures - free, 10)))


def attempt(session: Session, counted: Sequence[tuple[bytes, int]], now: datetime) -> None:
    """Count an attempt against each (reference, free attempts), in the caller's transaction.

    Raises:
        SlowDown: one of them has to wait still; nothing is counted.
    """
    rows = [session.get(Throttle, reference, with_for_update=True) for reference, _ in sorted(counted)]
    waits = [row.blocked_until - now for row in rows if row is not None and row.blocked_until > now]
    if waits:
        raise SlowDown("too many attempts to sign in: wait, then try again", _seconds(max(waits)))
    for (reference, free), row in zip(sorted(counted), rows, strict=True):
        failures = 1 if row is None or row.last_at < now - FORGOTTEN else row.failures + 1
        session.merge(
            Throttle(
                reference=reference,
                failures=failures,
                blocked_until=now + pause_after(failures, free),
                last_at=now,
            )
        )


def _seconds(wait: timedelta) -> int:
    return max(1, -(-wait // timedelta(seconds=1)))


def absolve(session: Session, account: bytes, network: bytes) -> None:
    """The attempt was right: the account starts anew, the network has one failure less."""
    session.execute(delete(Throttle).where(Throttle.reference == account))
    row = session.get(Throttle, network, with_for_update=True)
    if row is not None:
        row.failures, row.blocked_until = max(0, row.failures - 1), row.last_at


def expire(session: Session, now: datetime) -> None:
    """Forget who has not tried for a day."""
    session.execute(delete(Throttle).where(Throttle.last_at < now - FORGOTTEN))
