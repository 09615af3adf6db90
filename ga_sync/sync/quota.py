"""A property's quotas between runs: remembered with its links, as Google last told them and as we spent them (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ga_sync.analytics.quota import QUOTA_ZONE, Kind, QuotaState, QuotaStatus

Remembered = Mapping[str, Any]
HOUR = timedelta(hours=1)
_DAILY = {Kind.TOKENS_PER_DAY}
_MOMENTARY = {Kind.CONCURRENT_REQUESTS}


@dataclass(slots=True)
class Memory:
    """What is known of a property's quotas.

    Attributes:
        told: by Google's newest answer; None where it never said anything.
        told_at: when that was.
        errors: when Google failed us, within the last hour or longer ago.
        thresholded: when we asked for audiences, likewise.
    """

    told: QuotaState | None = None
    told_at: datetime | None = None
    errors: list[datetime] = field(default_factory=list)
    thresholded: list[datetime] = field(default_factory=list)

    def holds(self, now: datetime) -> QuotaState | None:
        """What still holds of Google's word: hourly quotas for an hour, daily ones until midnight Pacific."""
        if self.told is None or self.told_at is None:
            return None
        at = self.told_at
        return QuotaState({kind: one for kind, one in self.told.kinds.items() if _still_holds(kind, at, now)})

    def forget(self, now: datetime) -> None:
        """Drop what is older than an hour."""
        self.errors = [at for at in self.errors if now - at < HOUR]
        self.thresholded = [at for at in self.thresholded if now - at < HOUR]


def remember(memory: Memory, now: datetime) -> dict[str, Any]:
    """What to keep of it, as JSON."""
    memory.forget(now)
    kinds = {} if memory.told is None else memory.told.kinds
    return {
        "at": None if memory.told_at is None else memory.told_at.isoformat(),
        "kinds": {
            kind.value: {"consumed": one.consumed, "remaining": one.remaining} for kind, one in kinds.items()
        },
        "errors": [at.timestamp() for at in memory.errors],
        "thresholded": [at.timestamp() for at in memory.thresholded],
    }


def recall(kept: Iterable[Remembered], now: datetime) -> Memory:
    """What all links of a property remember together: the newest word of Google's, everything that we did."""
    memories = list(kept)
    newest = max(memories, key=lambda one: str(one.get("at") or ""), default={})
    memory = Memory(
        errors=_union(one.get("errors", ()) for one in memories),
        thresholded=_union(one.get("thresholded", ()) for one in memories),
    )
    if newest.get("at"):
        memory.told_at = datetime.fromisoformat(newest["at"])
        memory.told = QuotaState(
            {
                Kind(name): QuotaStatus(one["consumed"], one["remaining"])
                for name, one in newest["kinds"].items()
            }
        )
    memory.forget(now)
    return memory


def _union(marks: Iterable[Iterable[float]]) -> list[datetime]:
    """Each moment as often as the link that saw it most often: links pass on what they recalled of each other."""
    joined: Counter[float] = Counter()
    for one in marks:
        joined |= Counter(one)
    return [datetime.fromtimestamp(at, UTC) for at in sorted(joined.elements())]


def _still_holds(kind: Kind, at: datetime, now: datetime) -> bool:
    if kind in _MOMENTARY:
        return False
    if kind in _DAILY:
        return at.astimezone(QUOTA_ZONE).date() == now.astimezone(QUOTA_ZONE).date()
    return now - at < HOUR
