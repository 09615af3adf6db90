"""When work runs next, and how long a failure waits: pure functions of their arguments."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
_DOUBLINGS = 40  # a doubling more would only be capped; a float holds this many of any base


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a job waits after unexpected failures: ``base``, doubled each time, never more than ``cap``."""

    base: timedelta
    cap: timedelta


def backoff(attempt: int, base: timedelta, cap: timedelta, jitter: float) -> timedelta:
    """How long to wait after the ``attempt``-th failure in a row (1 is the first).

    The full wait is ``base`` doubled with every attempt, at most ``cap``; half of it is kept and the other half is
    multiplied by ``jitter`` (0 ≤ jitter < 1), so that what failed together does not come back together.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    doublings = min(max(attempt, 1) - 1, _DOUBLINGS)
    full = min(base.total_seconds() * 2.0**doublings, cap.total_seconds())
    return timedelta(seconds=full * (1 + jitter) / 2)


def spread(subject_id: str, interval: timedelta) -> timedelta:
    """The subject's own place within ``interval``: 0 ≤ offset < interval, the same in every process and release.

    Thousands of subjects spread evenly, so that their starts do not stampede on the hour.
    """
    number = int.from_bytes(hashlib.sha256(subject_id.encode()).digest()[:8], "big")
    microseconds = interval // timedelta(microseconds=1)
    return timedelta(microseconds=number * microseconds >> 64)


def next_due(after: datetime, subject_id: str, interval: timedelta) -> datetime:
    """The subject's next turn, in UTC, when its last one began at ``after``.

    Turns lie ``interval`` apart on the subject's own grid (see :func:`spread`). A turn less than half an interval
    away is left out: the work that just began covers it. Raises ValueError when ``after`` has no time zone.
    """
    if after.tzinfo is None:
        raise ValueError("a turn is counted from a time with a zone")
    first = _ORIGIN + spread(subject_id, interval)
    passed = after.astimezone(UTC) + interval / 2 - first
    return first + -(-passed // interval) * interval
