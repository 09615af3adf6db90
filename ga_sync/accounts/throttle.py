"""Whoever fails to sign in waits longer each time: counted before the password is looked at, known address or not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import LargeBinary, bindparam, delete, text
from sqlalchemy.orm import Session

from ga_sync.accounts.errors import SlowDown
from models.base import UtcDateTime
from models.throttle import Throttle

ACCOUNT_FREE, NETWORK_FREE = 5, 30
FIRST, LONGEST = timedelta(seconds=30), timedelta(minutes=15)
FORGOTTEN = timedelta(hours=24)
_FIRST = text(
    "INSERT INTO throttles (reference, failures, blocked_until, last_at) VALUES (:reference, 0, :now, :now) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("reference", type_=LargeBinary), bindparam("now", type_=UtcDateTime))


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
    rows = [(_locked(session, reference, now), free) for reference, free in sorted(counted)]
    wait = max(row.blocked_until for row, _ in rows) - now
    if wait > timedelta():
        raise SlowDown("too many attempts to sign in: wait, then try again", _seconds(wait))
    for row, free in rows:
        row.failures = 1 if row.last_at < now - FORGOTTEN else row.failures + 1
        row.blocked_until, row.last_at = now + pause_after(row.failures, free), now


def _locked(session: Session, reference: bytes, now: datetime) -> Throttle:
    """The row, made where there is none; always in the order of the references, so that nobody waits in a circle."""
    session.execute(_FIRST, {"reference": reference, "now": now})
    return session.get_one(Throttle, reference, with_for_update=True)


def _seconds(wait: timedelta) -> int:
    return max(1, -(-wait // timedelta(seconds=1)))


def absolve(session: Session, account: bytes, network: bytes, now: datetime) -> None:
    """The attempt was right: the account starts anew, the network has one failure less."""
    rows = {reference: _locked(session, reference, now) for reference in sorted((account, network))}
    rows[account].failures = 0
    rows[network].failures = max(0, rows[network].failures - 1)
    for row in rows.values():
        row.blocked_until = now


def expire(session: Session, now: datetime) -> None:
    """Forget who has not tried for a day."""
    session.execute(delete(Throttle).where(Throttle.last_at < now - FORGOTTEN))
