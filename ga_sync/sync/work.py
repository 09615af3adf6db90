"""What the steps of one run hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ga_sync.sync.completeness import Held
from ga_sync.sync.links import OpenLink
from ga_sync.sync.segments import Known
from jobs import registry
from jobs.registry import Task
from models.keyring import Sealer


@dataclass(frozen=True, slots=True)
class Listing:
    """What a successful listing, begun at ``at``, says of the property and its segments.

    Attributes:
        at: before Google was asked.
        segments: every segment by its number, as it stands after the listing.
        time_zone: the property's, a zone that this system knows.
        display_name: the property's.
        service_level: the property's, by Google's name.
        changed_on: the day, in the new zone, on which the time zone was found changed; None where it was not.
    """

    at: datetime
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
        run_id: the run.
        known: the segments held, by number.
        days: the published account of each held day.
        done: the days that this run has staged, with the time zone that each was read in.
        listing: what Google listed; None before that.
        left: the days that the run still has to read, newest first.
    """

    task: Task
    held: registry.Held
    link: OpenLink
    sealer: Sealer
    run_id: str
    known: dict[str, Known]
    days: dict[date, Held]
    done: dict[date, str]
    listing: Listing | None = None
    left: list[date] = field(default_factory=list)
