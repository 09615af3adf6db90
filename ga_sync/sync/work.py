"""What the steps of one run hand to each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ga_sync.sync.completeness import Held
from ga_sync.sync.links import OpenLink
from ga_sync.sync.segments import Known
from jobs import registry
from jobs.registry import Task
from models.forgets import Forgotten
from models.keyring import Sealer


@dataclass(frozen=True, slots=True)
class Listing:
    """What a run goes by: what Google listed of the property and its segments, or what is held of an older listing.

    Attributes:
        at: before Google was asked for the audiences; None where the held ones are used.
        segments: every segment by its number, as it stands after the listing.
        time_zone: the property's, a zone that this system knows.
        display_name: the property's.
        service_level: the property's, by Google's name.
        changed_on: the day, in the new zone, on which the time zone was found changed; None where it was not.
    """

    at: datetime | None
    segments: Mapping[str, Known]
    time_zone: str
    display_name: str
    service_level: str
    changed_on: date | None


@dataclass(slots=True)
class Work:
    """One run under way: what was read from our own store at its start, and what it has learnt since.

    Attributes:
        task: the claim of the job, which fences every transaction.
        held: what the worker signals.
        link: the link, opened.
        sealer: of everything learnt through the link.
        forgotten: tells what the link has to forget, at this moment.
        run_id: the run.
        wanted: whether a person asked for this run.
        checked_at: when the audiences were last listed, None before the first time.
        property_ref: what all links of the property share.
        known: the segments held, by number.
        days: the published account of each held day.
        done: the days that this run has staged, with the time zone that each was read in.
        listing: what the run goes by; None before that is settled.
        left: the days that the run still has to read, in their order.
        fresh_since: days read since then are not read again, for this run goes on where others had to stop.
        turn_until: when the right to read the property ends unless it is renewed.
        listed_again: the audiences were listed once more, for one of them had vanished from a report.
        unsure: they could not be, so that what has vanished is kept.
    """

    task: Task
    held: registry.Held
    link: OpenLink
    sealer: Sealer
    forgotten: Callable[[], Forgotten]
    run_id: str
    wanted: bool
    checked_at: datetime | None
    property_ref: bytes
    known: dict[str, Known]
    days: dict[date, Held]
    done: dict[date, str]
    listing: Listing | None = None
    left: list[date] = field(default_factory=list)
    fresh_since: datetime | None = None
    turn_until: datetime | None = None
    listed_again: bool = False
    unsure: bool = False
