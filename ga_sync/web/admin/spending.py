"""What runs took and cost, and what is left of a property's quotas, as numbers for charts (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ga_sync.accounts.views import View
from ga_sync.web.console.drawing import Bar, bars
from ga_sync.web.showing import seconds, when

WIDTH, HEIGHT = 600.0, 100.0
QUOTA_WORDS: Mapping[str, str] = {
    "tokens_per_day": "Tokens a day",
    "tokens_per_hour": "Tokens an hour",
    "tokens_per_project_per_hour": "Tokens an hour, our share",
    "concurrent_requests": "Requests at once",
    "server_errors": "Server errors an hour",
    "thresholded": "Thresholded requests an hour",
}


def took(run: View) -> float | None:
    """Seconds from start to finish; None for a run that has not ended."""
    if run["started_at"] is None or run["finished_at"] is None:
        return None
    begun, ended = (datetime.fromisoformat(str(run[name])) for name in ("started_at", "finished_at"))
    return max(0.0, (ended - begun).total_seconds())


def runs_chart(runs: Sequence[View]) -> list[Bar]:
    """How long each ended run took, oldest first; the bar's class is the run's status."""
    ended = [(run, spent) for run in reversed(runs) if (spent := took(run)) is not None]
    return bars(
        [
            (spent, str(run["status"]), f"{when(run['started_at'])}: {seconds(spent)}, {run['status']}")
            for run, spent in ended
        ],
        WIDTH,
        HEIGHT,
    )


def tokens_chart(runs: Sequence[View]) -> list[Bar]:
    """What each run spent of Google's tokens, oldest first."""
    begun = [run for run in reversed(runs) if run["started_at"] is not None]
    return bars(
        [
            (run["tokens"], str(run["status"]), f"{when(run['started_at'])}: {run['tokens']:,} tokens")
            for run in begun
        ],
        WIDTH,
        HEIGHT,
    )


@dataclass(frozen=True, slots=True)
class Meter:
    """One quota: what is left of what a property has in its window."""

    name: str
    remaining: int
    total: int


def meters(quota: Mapping[str, Any] | None) -> list[Meter]:
    """Every quota that Google has told of; those that say nothing about what is left are left out.

    ``consumed`` is what one request took, so the whole is the limit.
    """
    found = []
    for kind, told in (quota or {}).items():
        known = isinstance(told, Mapping) and told.get("remaining") is not None
        if known and (total := max(int(told["remaining"]), int(told.get("limit") or 0))):
            found.append(Meter(QUOTA_WORDS.get(kind, kind.replace("_", " ")), int(told["remaining"]), total))
    return found
