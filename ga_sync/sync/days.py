"""Reading what is left of a run's days: each fetched, judged, sealed, and staged in a transaction of its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import structlog
from sqlalchemy.orm import Session

from ga_sync.analytics.errors import MalformedAnswer
from ga_sync.index.day import DayData
from ga_sync.index.errors import DamagedDay
from ga_sync.index.store import mark_damaged
from ga_sync.sync import segments, stage, store
from ga_sync.sync.calls import Calls
from ga_sync.sync.errors import Parked
from ga_sync.sync.fetch import DayFetcher, Fetched
from ga_sync.sync.forgets import cleaned
from ga_sync.sync.listing import moved
from ga_sync.sync.window import heals, local_day, same_days, seals_at, to_read, wanted
from ga_sync.sync.work import Listing, Work
from jobs import store as jobs_store
from models.day import Reading
from models.errors import SealBroken
from models.session import Store

log = structlog.get_logger()


class DayReader:
    """Plans, reads and stages days."""

    def __init__(
        self,
        data: Store,
        backfill_days: int,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        list_again: Callable[[Work, Calls], Listing],
    ) -> None:
        self._data, self._backfill_days = data, backfill_days
        self._clock, self._new_id, self._list_again = clock, new_id, list_again

    def plan(self, session: Session, work: Work, time_zone: str) -> None:
        """What is left to read, by the days of this zone; a day staged in another one is read anew."""
        now = self._clock()
        days = wanted(local_day(now, time_zone), work.link.first_day, work.link.retention_days)
        states = {day: held.state if held.readable else "missing" for day, held in work.days.items()}
        known = (work.listing.segments if work.listing else work.known).values()
        healing = {
            day
            for day, held in work.days.items()
            if held.began_at is not None
            and (
                heals(day, held.began_at, now, time_zone)
                or segments.unasked(known, day, held.began_at, time_zone)
            )
        }
        work.done = {day: zone for day, zone in work.done.items() if zone == time_zone}
        reads = to_read(days, states, self._backfill_days, healing)
        work.left = [day for day in reads if day not in work.done and not _is_fresh(work, day, time_zone)]
        store.set_left(session, work.run_id, read=len(work.done), left=len(work.left))

    def read(self, work: Work, calls: Calls) -> bool:
        """Read what is left; False when the worker drains.

        Raises:
            Parked, AnalyticsError: as :meth:`Calls.report`.
        """
        fetcher = DayFetcher(calls, work.link, self._clock)
        while work.left:
            if work.held.stopping.is_set():
                return False
            fetched = self._fetch(work, fetcher, work.left[0])
            if not self._found_moved(work, fetched):
                self._stage(work, fetched, calls)
        return True

    def _fetch(self, work: Work, fetcher: DayFetcher, day: date) -> Fetched:
        assert work.listing is not None
        zone = work.listing.time_zone
        asked = segments.asked_for(work.listing.segments.values(), day, zone)
        young = self._clock() < seals_at(day, zone)
        return fetcher.fetch(day, zone, asked, finer=stage.wants_finer(work.days.get(day), young=young))

    def _found_moved(self, work: Work, fetched: Fetched) -> bool:
        """A report says in which zone its day lies: where that is another one, the days left are planned anew."""
        said = fetched.reading.flags.time_zone if fetched.reading else ""
        if not said or _same(fetched.time_zone, said, self._clock()):
            return False
        assert work.listing is not None
        work.listing = moved(work.listing, said, self._clock())
        log.info("time_zone_changed", link_id=work.link.link_id)
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            self.plan(session, work, said)
        return True

    def _stage(self, work: Work, fetched: Fetched, calls: Calls) -> None:
        """Build, judge and stage one day; whether it takes the held one's place is decided at the end of the run."""
        assert work.listing is not None
        held = work.days.get(fetched.day)
        vanished = self._vanished(work, fetched, calls)
        data = cleaned(stage.build(fetched, work.sealer), work.forgotten(), work.sealer)
        absent = [known.segment_id for known in work.listing.segments.values() if known.misses]
        absent += vanished if work.unsure else []
        sealed = held is not None and held.state == "complete"
        differs = None
        if held is not None and (absent or sealed):
            data, differs = self._compared(work, fetched.day, data, absent, sealed=sealed)
        judged = stage.judge_day(fetched, data, held, work.listing.changed_on)
        self._commit(work, replace(judged, differs=differs), calls)
        if differs is not None:
            came, went = differs
            say = log.warning if came or went else log.debug
            day = fetched.day.isoformat()
            say("sealed_day_read_again", link_id=work.link.link_id, day=day, came=came, went=went)

    def _vanished(self, work: Work, fetched: Fetched, calls: Calls) -> list[str]:
        """The segments of which the held reading has recordings and this one none, perhaps archived since the listing.

        The first time a run meets one it lists the audiences once more, so that no archived one passes for empty.
        """
        if fetched.reading is None or (work.listed_again and not work.unsure):
            return []
        empty = {name.rpartition("/")[2] for name, part in fetched.reading.members.items() if not len(part)}
        before = self._held(work, fetched.day)[1] if empty and fetched.day in work.days else None
        vanished = sorted(empty & before.segments.keys()) if before else []
        if vanished and not work.listed_again:
            work.listed_again = True
            try:
                work.listing = self._list_again(work, calls)
            except Parked as parked:
                log.warning("listing_put_off", link_id=work.link.link_id, quota=parked.kind.value)
                work.unsure = True
        return vanished

    def _compared(
        self, work: Work, day: date, data: DayData, absent: list[str], *, sealed: bool
    ) -> tuple[DayData, tuple[int, int] | None]:
        """With what is carried over from the held reading, and how it differs from that where that was sealed."""
        row, before = self._held(work, day)
        if row is None or before is None:
            return data, None
        now = stage.carried_over(data, before, absent, work.sealer)
        return now, stage.difference(before, now) if sealed else None

    def _held(self, work: Work, day: date) -> tuple[Reading | None, DayData | None]:
        """The held reading of a day, opened."""
        with self._data.reading() as session:
            row = store.published_day(session, work.link.link_id, work.link.customer_id, day)
        if row is None:
            return None, None
        try:
            return row, stage.unseal(row, work.sealer)
        except (SealBroken, DamagedDay):
            log.exception("day_damaged", link_id=work.link.link_id, day=day.isoformat())
            self._quarantine(work, row.reading_id)
            return row, None

    def _quarantine(self, work: Work, reading_id: str) -> None:
        """A held reading that does not open keeps no other from its place."""
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            mark_damaged(session, reading_id, work.link.customer_id)

    def _commit(self, work: Work, judged: stage.Judged, calls: Calls) -> None:
        link, fetched = work.link, judged.fetched
        names = {
            "reading_id": self._new_id(),
            "link_id": link.link_id,
            "customer_id": link.customer_id,
            "run_id": work.run_id,
        }
        reading = stage.seal(judged, names, work.sealer)
        cost = calls.take_cost()
        with self._data.transaction() as session:
            jobs_store.fence(session, work.task)
            store.locked_link(session, link.link_id, link.customer_id, link.epoch)
            store.unstage(session, work.run_id, fetched.day)
            session.add(reading)
            store.progress(
                session, work.run_id, days=1, requests=cost.requests, rows=cost.rows, tokens=cost.tokens
            )
        work.done[fetched.day] = fetched.time_zone
        work.left.remove(fetched.day)


def _is_fresh(work: Work, day: date, time_zone: str) -> bool:
    """Whether the run before this one, which had to stop, has read the day well."""
    held = work.days.get(day)
    if held is None or held.began_at is None or work.fresh_since is None:
        return False
    good = held.state in {"complete", "provisional"} and time_zone == work.link.time_zone
    return good and held.began_at >= work.fresh_since


def _same(planned: str, said: str, now: datetime) -> bool:
    """Whether two zones cut the same days.

    Raises:
        MalformedAnswer: the zone that was said is none that this system knows.
    """
    try:
        return same_days(planned, said, now)
    except (KeyError, ValueError, OSError) as error:
        raise MalformedAnswer("a time zone that is not known here", "run_report") from error
