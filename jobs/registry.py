"""What work there is: the kinds of jobs and the functions that do them, registered by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from jobs.schedule import Retry


@dataclass(frozen=True, slots=True)
class Task:
    """One claim of one job.

    ``epoch`` grows with every claim and is the fencing token; ``attempts`` counts the failures in a row before this
    claim (a holder that vanished counts as one).
    """

    job_id: str
    kind: str
    subject_id: str
    customer_id: str
    epoch: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a handler watches while it works.

    ``lost`` is set when the lease could not be extended: stop, nothing may be committed any more.
    ``stopping`` is set when the worker drains: finish the step in hand and return ``Again`` for the rest.
    """

    lost: Event = field(default_factory=Event)
    stopping: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class Again:
    """The job went well and runs again at ``at``, an aware time, or earlier where somebody asked for it meanwhile.

    Raises ValueError for a time without a zone.
    """

    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the time of the next turn must carry its time zone")


@dataclass(frozen=True, slots=True)
class Done:
    """The job went well and is over, unless somebody asked for it again meanwhile."""


Handler = Callable[[Task, Held], Again | Done]


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of job: who does it, how long a claim lasts without a heartbeat, how long failures wait."""

    handler: Handler
    lease: timedelta
    retry: Retry


class Registry:
    """The kinds of jobs that a worker does; filled before the worker starts."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def register(self, kind: str, handler: Handler, *, lease: timedelta, retry: Retry) -> None:
        """Let ``handler`` do the jobs of ``kind``.

        Handlers may run twice for one wish (a holder can vanish after its last commit), and call
        :func:`jobs.store.fence` first in every transaction that writes.

        Raises:
            ValueError: the kind has a handler already, or the lease is not longer than nothing.
        """
        if kind in self._entries:
            raise ValueError(f"jobs of kind {kind} have a handler already")
        if lease <= timedelta(0):
            raise ValueError(f"the lease of {kind} must be longer than nothing")
        self._entries[kind] = Entry(handler, lease, retry)

    def entry(self, kind: str) -> Entry:
        """The entry of a kind; raises KeyError for a kind that was never registered."""
        return self._entries[kind]

    def kinds(self) -> tuple[str, ...]:
        """Every registered kind, in the order of registration."""
        return tuple(self._entries)

    def shortest_lease(self) -> timedelta | None:
        """The shortest lease of all kinds, None where nothing is registered."""
        return min((entry.lease for entry in self._entries.values()), default=None)
