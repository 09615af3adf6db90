"""Links: shown, synchronised on request, paused, resumed."""

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy.orm import Session

from ga_sync.accounts import store, views
from ga_sync.accounts.errors import (
    Invalid,
    NotFound,
    Paused,
)
from ga_sync.accounts.generation import Window
from ga_sync.accounts.names import LONGEST_LABEL, is_plain
from ga_sync.accounts.queue import SYNC, wake, wanted_run
from ga_sync.accounts.retention import Retention, oldest_day
from ga_sync.accounts.views import View
from ga_sync.sync import store as sync_store
from ga_sync.sync.heads import Heading
from ga_sync.sync.links import OpenLink, open_link, sealer_of
from ga_sync.sync.window import local_day, wanted
from jobs import store as jobs_store
from models.audit import append
from models.errors import DataKeyGone
from models.keyring import Keyring
from models.link import Link, LinkStatus
from models.run import RunStatus
from models.session import Store


class Links:
    """Everything about links but their removal."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        retention: Retention,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        retention_days: int,
    ) -> None:
        self._data, self._keyring, self._retention = data, keyring, retention
        self._clock, self._new_id = clock, new_id
        self._retention_days = retention_days

    def check_retention(self, retention_days: int | None) -> int:
        """Per link retention can only be shorter than the system's. Raises Invalid."""
        if retention_days is None:
            return self._retention_days
        if not 1 <= retention_days <= self._retention_days:
            raise Invalid(f"retention_days must be between 1 and {self._retention_days}")
        return retention_days

    def sync(self, link_id: str, customer_id: str, actor: str) -> View:
        """Queue a run now, or show the one under way. Raises Paused, NotFound."""
        with self._data.reading() as session:
            row = self._row(session, link_id, customer_id)
            run = sync_store.unfinished_run(session, link_id, customer_id)
        if run is not None and run.status == RunStatus.RUNNING and row.status != LinkStatus.PAUSED:
            return views.run(run)  # waking its job would run the link once more afterwards
        return self._queued(link_id, customer_id, actor)

    def _queued(self, link_id: str, customer_id: str, actor: str) -> View:
        with self._data.transaction() as session:
            wake(session, link_id, customer_id, self._clock(), self._new_id)
            row = self._row(session, link_id, customer_id, lock=True)
            self.require_not_paused(row)
            run = wanted_run(session, row, self._clock(), self._new_id)
            append(session, self._clock(), actor, "link.sync", link_id, customer_id)
            return views.run(run)

    def wake_all(self, grant_id: str, customer_id: str) -> None:
        """Let the turn of every link of a grant come at once: its permission is new."""
        with self._data.transaction() as session:
            for row in store.links_of(session, grant_id, customer_id):
                if row.status != LinkStatus.PAUSED:
                    wake(session, row.link_id, customer_id, self._clock(), self._new_id)

    def require_not_paused(self, row: Link) -> None:
        """Raises Paused."""
        if row.status == LinkStatus.PAUSED:
            raise Paused("the link is paused: resume it first")

    def _row(self, session: Session, link_id: str, customer_id: str, *, lock: bool = False) -> Link:
        row = store.any_link(session, link_id, customer_id, lock=lock)
        if row is None or row.status == LinkStatus.REMOVED:
            raise NotFound("there is no such link for this key")
        return row

    def view(self, link_id: str, customer_id: str) -> View:
        """A link. Raises NotFound; DataKeyGone where it is removed in this moment."""
        with self._data.reading() as session:
            return self._view(session, self._row(session, link_id, customer_id))

    def _view(self, session: Session, row: Link) -> View:
        opened = self._open(row)
        held = store.held_days(session, row.link_id, row.customer_id)
        return views.link(
            row,
            opened,
            store.grant(session, row.grant_id, row.customer_id),
            store.last_run(session, row.link_id),
            jobs_store.next_due_at(session, SYNC, row.link_id),
            [held[day].state if day in held else "missing" for day in self._wanted(row)],
        )

    def _open(self, row: Link) -> OpenLink:
        return open_link(sealer_of(self._keyring, row.link_id), row)

    def _wanted(self, row: Link) -> list[date]:
        return wanted(local_day(self._clock(), row.time_zone), row.first_day, row.retention_days)

    def page(self, customer_id: str | None, page: store.Page) -> list[tuple[str, View | None]]:
        """A page of links by id; without its view a link that is removed in this moment."""
        with self._data.reading() as session:
            rows = store.links(session, customer_id, page)
            return [(row.link_id, self._view_or_none(session, row)) for row in rows]

    def _view_or_none(self, session: Session, row: Link) -> View | None:
        try:
            return self._view(session, row)
        except DataKeyGone:
            return None

    def listed(self, customer_id: str | None, page: store.Page) -> list[View]:
        """A page of links."""
        return [view for _, view in self.page(customer_id, page) if view is not None]

    def change(self, link_id: str, customer_id: str, retention_days: int, actor: str) -> View:
        """Shorten (or, up to the system's, lengthen) how long days are kept; older ones are destroyed with it."""
        kept = self.check_retention(retention_days)
        with self._data.transaction() as session:
            row = self._row(session, link_id, customer_id, lock=True)
            row.retention_days = kept
            self._retention.apply_within(session, row)
            append(session, self._clock(), actor, "link.change", link_id, customer_id)
        return self.view(link_id, customer_id)

    def pause(self, link_id: str, customer_id: str, actor: str) -> View:
        """Restriction: no call to Google, no answers, nothing lost; whoever works on it is fenced."""
        with self._data.transaction() as session:
            jobs_store.remove(session, SYNC, link_id)
            row = self._row(session, link_id, customer_id, lock=True)
            if row.status != LinkStatus.PAUSED:
                row.status, row.epoch = LinkStatus.PAUSED, row.epoch + 1
                run = sync_store.unfinished_run(session, link_id, customer_id)
                if run is not None:
                    run.status, run.error, run.finished_at = RunStatus.PARTIAL, "paused", self._clock()
                append(session, self._clock(), actor, "link.pause", link_id, customer_id)
        return self.view(link_id, customer_id)

    def resume(self, link_id: str, customer_id: str, actor: str) -> View:
        """Lift a pause and synchronise at once; nothing happens to a link that is not paused."""
        with self._data.reading() as session:
            paused = self._row(session, link_id, customer_id).status == LinkStatus.PAUSED
        if paused:
            self._resume(link_id, customer_id, actor)
        return self.view(link_id, customer_id)

    def _resume(self, link_id: str, customer_id: str, actor: str) -> None:
        with self._data.transaction() as session:
            wake(session, link_id, customer_id, self._clock(), self._new_id)
            row = self._row(session, link_id, customer_id, lock=True)
            row.status, row.reason = LinkStatus.ACTIVE, None
            wanted_run(session, row, self._clock(), self._new_id)
            append(session, self._clock(), actor, "link.resume", link_id, customer_id)

    def runs(self, link_id: str, customer_id: str, after: str, limit: int) -> list[View]:
        """A page of runs, newest first."""
        with self._data.reading() as session:
            self._row(session, link_id, customer_id)
            before = sync_store.run(session, after, customer_id) if after else None
            return [views.run(run) for run in store.runs(session, link_id, customer_id, before, limit)]

    def run(self, link_id: str, run_id: str, customer_id: str) -> View:
        """One run. Raises NotFound."""
        with self._data.reading() as session:
            self._row(session, link_id, customer_id)
            found = sync_store.run(session, run_id, customer_id) if is_plain(run_id) else None
        if found is None or found.link_id != link_id:
            raise NotFound("there is no such run of this link")
        return views.run(found)

    def days(self, link_id: str, customer_id: str, first: date | None, last: date | None) -> list[View]:
        """Every wanted or held day of retention in the range, oldest first. Raises InvalidWindow."""
        window = Window(first, last)
        with self._data.reading() as session:
            row = self._row(session, link_id, customer_id)
            held = store.held_days(session, link_id, customer_id)
            recorded = store.recorded(session, link_id, customer_id)
        oldest = oldest_day(row, self._clock())  # older ones answer nothing, and go within the hour
        days = sorted(day for day in {*self._wanted(row), *held} if day >= oldest)
        return [views.day(day, held.get(day), recorded.get(day)) for day in days if window.holds(day)]

    def put_recorded(self, link_id: str, customer_id: str, day: date, count: int) -> None:
        """Note how many recordings the store has for a day, for ``coverage``."""
        with self._data.transaction() as session:
            row = self._row(session, link_id, customer_id, lock=True)
            if day not in self._wanted(row):
                raise Invalid("day must be one that this link keeps")
            store.put_recorded(session, row, day, count)

    def label(self, link_id: str, customer_id: str, segment_id: str, label: str | None, actor: str) -> None:
        """Set or remove the customer's own name for a segment. Raises NotFound for an unknown one."""
        if label is not None and not 1 <= len(label) <= LONGEST_LABEL:
            raise Invalid(f"label must have 1 to {LONGEST_LABEL} characters, or be null")
        with self._data.transaction() as session:
            link = self._row(session, link_id, customer_id, lock=True)
            sealer = sealer_of(self._keyring, link_id)
            heading = Heading(session, link, sealer)
            row = sync_store.segment_row(session, sealer, link_id, segment_id)
            if row is None:
                raise NotFound("there is no such segment in this link")
            sync_store.set_label(sealer, row, label)
            heading.write()
            append(session, self._clock(), actor, "segment.label", link_id, customer_id)
