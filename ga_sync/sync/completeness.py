"""How true a day is (pure): the states and reasons of a reading, and which of two readings is kept."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

STATES = ("complete", "provisional", "suspect", "incomplete", "missing")
SUSPECT = frozenset({"thresholded", "collapse"})
INCOMPLETE = frozenset(
    {"other_row", "other_value", "sampled", "truncated", "row_count", "rows_below_total", "damaged"}
)
COLLAPSE_DAYS, COLLAPSE_AT_LEAST, COLLAPSE_SEEN = 14, 7, 200


@dataclass(frozen=True, slots=True)
class Signs:
    """What Google's answers about one day said of themselves."""

    other_row: bool = False
    other_value: bool = False
    sampled: bool = False
    truncated: bool = False
    row_count: bool = False
    rows_below_total: bool = False
    thresholded: bool = False
    ids_of_100: bool = False
    time_zone_changed: bool = False
    young: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A day's state with every reason that applies."""

    state: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A reading's own account, without its value.

    Attributes:
        state: one of ``STATES``.
        reasons: every slug that applies.
        recordings: distinct recording ids.
        memberships: how many times a recording is in a segment: what "fuller" means.
        seen: how many ids Google knew that day in any audience or none; None before the sealing reading.
        began_at: before the first page was asked for; None where that does not matter.
    """

    state: str
    reasons: tuple[str, ...]
    recordings: int
    memberships: int
    seen: int | None
    began_at: datetime | None = None

    @property
    def readable(self) -> bool:
        """Its value opens, as far as anybody has found out."""
        return "damaged" not in self.reasons


def collapsed(recordings: int, seen: int, history: Sequence[tuple[int, int]]) -> bool:
    """Whether rows vanished silently: under half the median share of the last 14 complete days.

    ``history`` holds (recordings, seen) of complete days, newest first; fewer than 7 of them prove nothing.
    """
    shares = [held / known for held, known in history[:COLLAPSE_DAYS] if known]
    if seen < COLLAPSE_SEEN or len(shares) < COLLAPSE_AT_LEAST:
        return False
    return recordings / seen < median(shares) / 2


def judge(signs: Signs, *, collapse: bool = False) -> Verdict:
    """The worst state that applies, and every reason."""
    reasons = {name for name in Signs.__dataclass_fields__ if getattr(signs, name)}
    return verdict_of(reasons | {"collapse"} if collapse else reasons)


def verdict_of(reasons: Iterable[str]) -> Verdict:
    """The worst state that these reasons make."""
    slugs = frozenset(reasons)
    return Verdict(_state(slugs), tuple(sorted(slugs)))


def _state(reasons: frozenset[str]) -> str:
    if reasons & INCOMPLETE:
        return "incomplete"
    if reasons & SUSPECT:
        return "suspect"
    return "provisional" if "young" in reasons else "complete"


def is_good(signs: Signs) -> bool:
    """Nothing but youth speaks against this reading."""
    return judge(signs).state in {"complete", "provisional"}


def replaces(new: Verdict, new_size: int, held_size: int | None) -> bool:
    """Whether a new reading takes the held one's place: a smaller incomplete or collapsed one never does."""
    if held_size is None or new_size >= held_size:
        return True
    return new.state != "incomplete" and "collapse" not in new.reasons


def take_over(staged: Mapping[date, Held], held: Mapping[date, Held]) -> dict[date, Verdict]:
    """Which staged readings take their day over at the end of a run, each with its last verdict.

    Only here all days are known, so here a sealed day is compared with the last other complete days, those that the
    same run has sealed among them; a reading that nobody can open any more gives way to any other.
    """
    complete = {
        day: (one.recordings, one.seen)
        for day, one in {**held, **staged}.items()
        if one.state == "complete" and one.seen is not None
    }
    verdicts = {day: _compared(day, one, complete) for day, one in staged.items()}
    sizes = {day: one.memberships for day, one in held.items() if one.readable}
    return {
        day: verdict
        for day, verdict in verdicts.items()
        if replaces(verdict, staged[day].memberships, sizes.get(day))
    }


def _compared(day: date, one: Held, complete: Mapping[date, tuple[int, int]]) -> Verdict:
    others = [complete[other] for other in sorted(complete, reverse=True) if other != day]
    if one.seen is not None and collapsed(one.recordings, one.seen, others):
        return verdict_of({*one.reasons, "collapse"})
    return Verdict(one.state, one.reasons)


def worst(states: Iterable[str]) -> tuple[str, dict[str, int]]:
    """The worst of the states used, with counts; where no day was used nothing is held: ``missing``."""
    counts = Counter(states)
    if not counts:
        return "missing", {}
    ordered = {state: counts[state] for state in STATES if counts[state]}
    return list(ordered)[-1], ordered
