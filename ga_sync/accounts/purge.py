"""Destroying: a link with its key, a grant with all its links, a customer with all grants.

The order is the proof. First one transaction fences every writer, moves the token into the outbox and deletes the rows.
Then the keys are destroyed and a tombstone is written. Only then the receipt is dated, and Google is told. Each step
can run twice; a job queued in the first transaction goes on where a crash stopped. Whoever needs several rows locks
them in one order: jobs, then the grant, then its links; the audit log comes last.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.accounts import store, views
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.queue import SYNC
from ga_sync.accounts.views import View
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache
from jobs import store as jobs_store
from jobs.registry import Again, Done, Held, Task
from models.audit import append
from models.errors import DataKeyGone
from models.grant import Grant, GrantStatus
from models.keyring import Keyring, Owner
from models.link import Link, LinkStatus
from models.session import Store
from oauth.revocation import Revocations
from oauth.tokens import Tokens

REVOKE, BURY = "revoke", "bury"
_TAKEN_ALONG = "last_link"
_CLOSED = (GrantStatus.REVOKING, GrantStatus.REVOKED)
_RECOVERY = timedelta(seconds=30)
_BATCH = 500


class Purge:
    """Destroys grants, links and customers."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        tokens: Tokens,
        revocations: Revocations,
        index: IndexCache,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        people: Callable[[str, str], object] = lambda _customer_id, _actor: None,
    ) -> None:
        """Destroy what ``data`` holds; ``people`` destroys the accounts of a customer, in the name of an actor."""
        self._data, self._keyring, self._tokens = data, keyring, tokens
        self._revocations, self._index = revocations, index
        self._clock, self._new_id, self._people = clock, new_id, people

    def grant(self, grant_id: str, customer_id: str, actor: str) -> View:
        """Destroy a grant and everything learnt through it; the receipt. Again: the same receipt. Raises NotFound."""
        counted = self._count(grant_id, customer_id)
        with self._data.transaction() as session:
            for link in store.links_of(session, grant_id, customer_id):
                jobs_store.remove(session, SYNC, link.link_id)
            row = store.grant(session, grant_id, customer_id, lock=True)
            if row is None:
                raise NotFound("there is no such grant for this key")
            if row.status not in _CLOSED:
                self._begin(session, row, counted)
                append(session, self._clock(), actor, "grant.revoke", grant_id, customer_id)
        return self._finished(grant_id, customer_id)

    def _count(self, grant_id: str, customer_id: str) -> dict[str, int]:
        """How many distinct recordings each link of the grant holds."""
        with self._data.reading() as session:
            links = [link.link_id for link in store.links_of(session, grant_id, customer_id)]
            return {link_id: self._recordings(session, link_id, customer_id) for link_id in links}

    def _recordings(self, session: Session, link_id: str, customer_id: str) -> int:
        try:
            link = index_store.link(session, link_id, customer_id)
            return 0 if link is None else self._index.serve(session, link).index.recordings
        except DataKeyGone:
            return 0

    def _begin(self, session: Session, row: Grant, counted: Mapping[str, int]) -> None:
        """Erase the links of a grant that this transaction holds, take its token away, queue the rest of the work."""
        now = self._clock()
        for link in store.links_of(session, row.grant_id, row.customer_id, lock=True):
            self._erase(session, link, counted.get(link.link_id, 0), now)
            _add_to(row, link)
        self._revocations.bury(session, row, now)
        jobs_store.enqueue(session, REVOKE, row.grant_id, row.customer_id, now + _RECOVERY, self._new_id)

    def _erase(self, session: Session, link: Link, recordings: int, now: datetime) -> None:
        link.purged_days = len(store.held_days(session, link.link_id, link.customer_id))
        link.purged_segments = store.segment_count(session, link.link_id)
        link.purged_recordings = recordings
        store.erase_link(session, link, now)

    def _finished(self, grant_id: str, customer_id: str) -> View:
        again = self.finish_grant(grant_id, customer_id)
        if again is not None:
            with self._data.transaction() as session:
                jobs_store.enqueue(session, REVOKE, grant_id, customer_id, again, self._new_id)
        return self._receipt(grant_id, customer_id)

    def _receipt(self, grant_id: str, customer_id: str) -> View:
        with self._data.reading() as session:
            row = store.grant(session, grant_id, customer_id)
        assert row is not None, "a revoked grant stays"
        return views.receipt(row)

    def finish_grant(self, grant_id: str, customer_id: str) -> datetime | None:
        """Destroy the keys, date the receipt, tell Google once; when to tell it again, or None.

        Nothing happens to a grant whose revocation was not begun. Raises KekUnusable where the outbox does not open.
        """
        with self._data.reading() as session:
            row = store.grant(session, grant_id, customer_id)
        if row is None or row.status not in _CLOSED:
            return None
        again = None
        if row.purged_at is None and not self._destroy_keys(row):
            again = self._soon()  # the receipt is dated when the wrapped keys have left every file, too
        told = self._revocations.attempt(grant_id)
        return min((one for one in (again, told) if one is not None), default=None)

    def _destroy_keys(self, row: Grant) -> bool:
        """Whether what was destroyed has left every file, too: a reader can hold that up for a while.

        Then the receipt is dated.
        """
        links = [link_id for link_id in row.purged_links.split(",") if link_id]
        owners = [Owner("grant", row.grant_id), *(Owner("link", link_id) for link_id in links)]
        clean = self._keyring.destroy(owners, row.customer_id, self._clock())
        self._tokens.forget(row.grant_id)
        for link_id in links:
            self._index.drop(link_id)
        if not (self._data.checkpoint() and clean):
            return False
        with self._data.transaction() as session:
            again = store.grant(session, row.grant_id, row.customer_id, lock=True)
            if again is not None and again.purged_at is None:
                again.purged_at = self._clock()
        return True

    def link(self, link_id: str, customer_id: str, actor: str) -> View:
        """Destroy a link and its key; the last link takes its grant along. Again: the same answer. Raises NotFound."""
        while (row := self._link(link_id, customer_id)).status != LinkStatus.REMOVED:
            self._remove(row, actor)  # twice where it moves to another grant in this moment
        if row.reason == _TAKEN_ALONG:
            taken: View | None = self._finished(row.grant_id, customer_id)
        else:
            taken = None
            if self._destroy_link_key(link_id, customer_id):
                with self._data.transaction() as session:
                    jobs_store.remove(session, BURY, link_id)
        return _link_receipt(row, taken)

    def _link(self, link_id: str, customer_id: str) -> Link:
        with self._data.reading() as session:
            row = store.any_link(session, link_id, customer_id)
        if row is None:
            raise NotFound("there is no such link for this key")
        return row

    def _remove(self, row: Link, actor: str) -> None:
        counted = self._count(row.grant_id, row.customer_id)
        with self._data.transaction() as session:
            jobs_store.remove(session, SYNC, row.link_id)
            grant = store.grant(session, row.grant_id, row.customer_id, lock=True)
            links = store.links_of(session, row.grant_id, row.customer_id, lock=True)
            link = next((one for one in links if one.link_id == row.link_id), None)
            if link is None:
                return
            now = self._clock()
            if grant is not None and len(links) == 1:
                link.reason = _TAKEN_ALONG
                self._begin(session, grant, counted)
                append(session, now, actor, "grant.revoke", grant.grant_id, grant.customer_id)
            else:
                link.reason = None
                self._erase(session, link, counted.get(link.link_id, 0), now)
                jobs_store.enqueue(
                    session, BURY, link.link_id, link.customer_id, now + _RECOVERY, self._new_id
                )
            append(session, now, actor, "link.remove", link.link_id, link.customer_id)

    def _destroy_link_key(self, link_id: str, customer_id: str) -> bool:
        clean = self._keyring.destroy([Owner("link", link_id)], customer_id, self._clock())
        self._index.drop(link_id)
        return self._data.checkpoint() and clean

    def customer(self, customer_id: str, actor: str) -> View:
        """Destroy everything of a customer. Again: the same answer."""
        with self._data.reading() as session:
            grants = store.customers_grants(session, customer_id)
        self._people(customer_id, actor)
        return {"customer_id": customer_id, "grants": [self.grant(one, customer_id, actor) for one in grants]}

    def bury_again(self) -> int:
        """Apply tombstones to a restored backup before it serves: what was destroyed stays destroyed; how many were."""
        buried = self._keyring.buried()
        done = sum(
            self._bury_links(batch, buried)
            for batch in _batches([owner.id for owner in buried if owner.kind == "link"])
        ) + sum(
            self._bury_grants(batch)
            for batch in _batches([owner.id for owner in buried if owner.kind == "grant"])
        )
        if done:
            self._data.checkpoint()
        return done

    def _bury_links(self, link_ids: Sequence[str], buried: Collection[Owner]) -> int:
        with self._data.transaction() as session:
            links = store.live_links_among(session, link_ids)
            for link in links:
                jobs_store.remove(session, SYNC, link.link_id)
                self._erase(session, link, 0, self._clock())
                grant = store.grant(session, link.grant_id, link.customer_id, lock=True)
                if grant is not None and Owner("grant", grant.grant_id) in buried:
                    _add_to(grant, link)
            return len(links)

    def _bury_grants(self, grant_ids: Sequence[str]) -> int:
        with self._data.transaction() as session:
            grants = store.live_grants_among(session, grant_ids)
            for grant in grants:
                now = self._clock()
                self._revocations.bury(session, grant, now)
                jobs_store.enqueue(session, REVOKE, grant.grant_id, grant.customer_id, now, self._new_id)
            return len(grants)

    def revoke_job(self, task: Task, _held: Held) -> Again | Done:
        """The handler of ``revoke`` jobs: goes on where a crash stopped, then tells Google until it answers."""
        again = self.finish_grant(task.subject_id, task.customer_id)
        return Done() if again is None else Again(again)

    def clean(self) -> bool:
        """What was deleted meanwhile, by whomever, leaves every file of SQLite; False while a reader holds that up."""
        keys = self._keyring.clean()
        return self._data.checkpoint() and keys

    def _soon(self) -> datetime:
        return self._clock() + _RECOVERY

    def bury_job(self, task: Task, _held: Held) -> Again | Done:
        """The handler of ``bury`` jobs: the key of a removed link is destroyed even after a crash."""
        clean = self._destroy_link_key(task.subject_id, task.customer_id)
        return Done() if clean else Again(self._soon())


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]


def _add_to(row: Grant, link: Link) -> None:
    row.purged_links = ",".join(filter(None, (row.purged_links, link.link_id)))
    row.purged_days += link.purged_days
    row.purged_segments += link.purged_segments
    row.purged_recordings += link.purged_recordings


def _link_receipt(row: Link, taken: View | None) -> View:
    return {
        "link_id": row.link_id,
        "purged_at": views.moment(row.removed_at),
        "days": row.purged_days,
        "segments": row.purged_segments,
        "recordings": row.purged_recordings,
        "grant": taken,
    }
