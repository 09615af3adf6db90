"""From what Google said to a sealed reading: memberships carried over, judged, ready to be staged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import DayData, build_day, build_day_from_columns, decode, encode
from ga_sync.index.errors import DamagedDay
from ga_sync.sync.completeness import Held, Verdict, judge
from ga_sync.sync.fetch import Fetched
from models.day import Reading
from models.keyring import Sealer


@dataclass(frozen=True, slots=True)
class Judged:
    """A day built and judged, ready to be sealed; ``differs`` as :func:`difference` where it was sealed before."""

    fetched: Fetched
    data: DayData
    verdict: Verdict
    differs: tuple[int, int] | None = None


def held_of(reading: Reading) -> Held:
    """A stored reading's own account."""
    return Held(
        reading.state,
        tuple(reading.reasons),
        reading.recordings,
        reading.memberships,
        reading.seen,
        reading.began_at,
    )


def build(fetched: Fetched, sealer: Sealer) -> DayData:
    """The day's value from Google's columns."""
    key = sealer.key(LOOKUP)
    if fetched.reading is None:
        return build_day({}, key)
    members = {name.rpartition("/")[2]: positions for name, positions in fetched.reading.members.items()}
    return build_day_from_columns(fetched.reading.ids, members, key)


def carried_over(new: DayData, held: DayData, absent: Iterable[str], sealer: Sealer) -> DayData:
    """Memberships of audiences that left Google's list stay as held where Google gives no row for them any more."""
    missing = [segment for segment in absent if segment in held.segments and segment not in new.segments]
    if not missing:
        return new
    kept = members_of(held)
    return build_day(members_of(new) | {segment: kept[segment] for segment in missing}, sealer.key(LOOKUP))


def wants_finer(held: Held | None, *, young: bool) -> bool:
    """Whether a day folded into "(other)" is read once more, finer: when that first strikes, and at its sealing."""
    if held is None or not {"other_row", "other_value"} & set(held.reasons):
        return True
    return not young and "young" in held.reasons


def difference(before: DayData, now: DayData) -> tuple[int, int]:
    """How many memberships came, and how many went."""
    old, new = members_of(before), members_of(now)
    gained = sum(len(set(new[one]) - set(old.get(one, ()))) for one in new)
    lost = sum(len(set(old[one]) - set(new.get(one, ()))) for one in old)
    return gained, lost


def members_of(data: DayData) -> dict[str, list[str]]:
    """A day as segment → ids."""
    ids = list(data.ids)
    return {segment: [ids[at] for at in bitmap] for segment, bitmap in data.segments.items()}


def judge_day(fetched: Fetched, data: DayData, held: Held | None, changed_on: date | None) -> Judged:
    """The verdict on a built day by itself; ``changed_on`` is the day on which the property's time zone changed."""
    marked = fetched.day == changed_on or (held is not None and "time_zone_changed" in held.reasons)
    return Judged(fetched, data, judge(replace(fetched.signs, time_zone_changed=marked)))


def seal(judged: Judged, row: Mapping[str, str], sealer: Sealer) -> Reading:
    """The row to stage; ``row`` holds reading_id, link_id, customer_id and run_id."""
    fetched = judged.fetched
    reading = Reading(
        **row,
        day=fetched.day,
        published=False,
        time_zone=fetched.time_zone,
        began_at=fetched.began_at,
        fetched_at=fetched.fetched_at,
        state=judged.verdict.state,
        reasons=list(judged.verdict.reasons),
        seen=fetched.seen,
        recordings=judged.data.recordings,
        memberships=judged.data.memberships,
        rows=fetched.reading.rows if fetched.reading else 0,
        junk=fetched.reading.dropped.junk if fetched.reading else 0,
    )
    reading.came, reading.went = judged.differs or (None, None)
    reading.value = sealer.seal(reading.place(), encode(judged.data))
    return reading


def unseal(reading: Reading, sealer: Sealer) -> DayData:
    """A stored day.

    Raises:
        SealBroken: the value was altered or moved.
        DamagedDay: it opens, but is no day, or it is quarantined.
    """
    if "damaged" in reading.reasons:
        raise DamagedDay("The stored day is quarantined. The next synchronisation reads it anew.")
    return decode(sealer.open(reading.place(), reading.value), sealer.key(LOOKUP))
