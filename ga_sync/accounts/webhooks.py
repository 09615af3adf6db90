"""Events for the console: an outbox written in the transaction that makes them true, emptied by a job each.

Signed as Standard Webhooks are: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
An event that is sent twice has the same ``webhook-id`` both times. Events hold ids, a status and a reason, no more.
"""

import base64
import binascii
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import structlog
from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.accounts.views import moment
from jobs import store as jobs_store
from jobs.errors import GiveUp, RetryAt
from jobs.registry import Again, Done, Held, Task
from models.grant import Grant, GrantStatus
from models.link import Link
from models.run import RunStatus
from models.session import Store
from models.webhook import Webhook
from oauth.tokens import DEAD_LIFE

WEBHOOK, NOTICE = "webhook", "notice"
DEADLINE = timedelta(days=3)
NOTICE_DAYS = (0, 7, 25)
"""Days after its end on which a grant's end is told: when it happens, and twice before all is purged."""
TIMEOUT = 10.0
_PAUSES = (5, 60, 300, 1800, 7200, 18_000, 36_000)
_NAMES = uuid.UUID("5f0d3c1e-6a44-4c55-9f5c-2b7b1f6a9d10")

log = structlog.get_logger()
Body = dict[str, object]


def signing_key(secret: str) -> bytes:
    """The key in a secret of the form ``whsec_<base64>``.

    Raises:
        ValueError: it has another form.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("GA_SYNC_WEBHOOK_SECRET must be whsec_ followed by base64")
    return key


def headers(key: bytes, event_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one attempt (pure)."""
    at = str(int(now.timestamp()))
    signed = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def pause(attempts: int, jitter: float) -> timedelta:
    """How long to wait after the n-th attempt that failed: seconds first, hours later, a fifth of it by chance."""
    return timedelta(seconds=_PAUSES[min(attempts, len(_PAUSES)) - 1]) * (1 + jitter / 5)


def stage(age: timedelta) -> int:
    """Which of the days on which a grant's end is told was reached last."""
    return max(day for day in NOTICE_DAYS if day == 0 or age >= timedelta(days=day))


class Outbox:
    """Takes events down; the listener of :mod:`ga_sync.sync.announce`. Keeps nothing where no console listens."""

    def __init__(self, clock: Callable[[], datetime], new_id: Callable[[], str], *, listening: bool) -> None:
        self._clock, self._new_id, self._listening = clock, new_id, listening

    def put(self, session: Session, event_id: str, type_: str, customer_id: str, data: Body) -> None:
        """Take one event down, in the caller's transaction; the same id again changes nothing."""
        if not self._listening or session.get(Webhook, event_id) is not None:
            return
        now = self._clock()
        body = {"customer_id": customer_id, **data}
        session.add(
            Webhook(
                event_id=event_id, customer_id=customer_id, type=type_, data=body, created_at=now, attempts=0
            )
        )
        jobs_store.enqueue(session, WEBHOOK, event_id, customer_id, now, self._new_id)

    def run_finished(
        self, session: Session, link: Link, run_id: str, status: RunStatus, error: str | None
    ) -> None:
        """``run.finished``."""
        data: Body = {"link_id": link.link_id, "run_id": run_id, "status": status.value, "reason": error}
        self.put(session, self._new_id(), "run.finished", link.customer_id, data)

    def link_broken(self, session: Session, link: Link) -> None:
        """``link.broken``."""
        self._link(session, link, "link.broken")

    def link_recovered(self, session: Session, link: Link) -> None:
        """``link.recovered``."""
        self._link(session, link, "link.recovered")

    def _link(self, session: Session, link: Link, type_: str) -> None:
        data: Body = {
            "grant_id": link.grant_id,
            "link_id": link.link_id,
            "status": link.status,
            "reason": link.reason,
        }
        self.put(session, self._new_id(), type_, link.customer_id, data)

    def grant_dead(self, session: Session, grant_id: str, customer_id: str) -> None:
        """Let the notices of a dead grant begin; they go on by themselves."""
        if self._listening and not jobs_store.exists(session, NOTICE, grant_id):
            jobs_store.enqueue(session, NOTICE, grant_id, customer_id, self._clock(), self._new_id)

    def find_dead(self, data: Store) -> None:
        """Begin those of grants whose end was noticed where nobody announces it."""
        with data.reading() as session:
            dead = store.dead_grants(session)
        for grant_id, customer_id in dead:
            with data.transaction() as session:
                self.grant_dead(session, grant_id, customer_id)


class Notices:
    """The handler of ``notice`` jobs: a dead grant is told at once, and again on days 7 and 25."""

    def __init__(self, data: Store, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._data, self._outbox, self._clock = data, outbox, clock

    def __call__(self, task: Task, _held: Held) -> Again | Done:
        """Tell the stage that is reached, and come again at the next; the job ends when the grant is not dead."""
        now = self._clock()
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            grant = store.grant(session, task.subject_id, task.customer_id)
            if grant is None or grant.status != GrantStatus.RECONSENT_REQUIRED or grant.purge_at is None:
                return Done()
            died_at, left = grant.purge_at - DEAD_LIFE, grant.purge_at - now
            day = 0 if task.epoch == 1 else stage(now - died_at)
            if left > timedelta(0):
                self._tell(session, grant, day, left.days)
        turns = [died_at + timedelta(days=one) for one in NOTICE_DAYS]
        return Again(
            next((turn for turn in turns if turn > now), max(grant.purge_at, now) + timedelta(days=1))
        )

    def _tell(self, session: Session, grant: Grant, day: int, days_left: int) -> None:
        """Of one end and stage the id is always the same, so that a repetition is known for one."""
        event_id = str(uuid.uuid5(_NAMES, f"{grant.grant_id}/{grant.purge_at}/{day}"))
        data: Body = {"grant_id": grant.grant_id, "status": grant.status}
        if day:
            type_, data["reason"] = "grant.purge_notice", f"purged_in_{days_left}_days"
        else:
            type_, data["reason"] = "grant.reconsent_required", grant.reason
        self._outbox.put(session, event_id, type_, grant.customer_id, data)


class Postman:
    """The handler of ``webhook`` jobs: delivers one event, with patience, and never elsewhere than to the console."""

    def __init__(
        self,
        data: Store,
        http: httpx.Client,
        url: str,
        key: bytes,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        """``http`` follows no redirects; ``url`` is https, or on this machine."""
        self._data, self._http, self._url, self._key = data, http, url, key
        self._clock, self._jitter = clock, jitter

    def __call__(self, task: Task, _held: Held) -> Again | Done:
        """Deliver, and forget.

        Raises:
            RetryAt: the console did not take it.
            GiveUp: it did not for three days.
        """
        with self._data.reading() as session:
            row = session.get(Webhook, task.subject_id)
        if row is None:
            return Done()
        why = self._refusal(row)
        if why is None:
            self._drop(task)
            return Done()
        now = self._clock()
        if now - row.created_at >= DEADLINE:
            self._drop(task)
            log.error("webhook_dropped", event_id=row.event_id, type=row.type, why=why)
            raise GiveUp(f"the console did not take the event: {why}")
        raise RetryAt(now + pause(task.attempts + 1, self._jitter()), why)

    def _refusal(self, row: Webhook) -> str | None:
        """Why the console did not take it, or None."""
        event = {"type": row.type, "timestamp": moment(row.created_at), "data": row.data}
        body = json.dumps(event, separators=(",", ":")).encode()
        try:
            with self._http.stream(
                "POST",
                self._url,
                content=body,
                headers=headers(self._key, row.event_id, self._clock(), body),
                timeout=TIMEOUT,
                follow_redirects=False,
            ) as answer:  # whose body is not read
                return None if answer.is_success else f"status {answer.status_code}"
        except httpx.HTTPError as error:
            return type(error).__name__

    def _drop(self, task: Task) -> None:
        with self._data.transaction() as session:
            jobs_store.fence(session, task)
            row = session.get(Webhook, task.subject_id)
            if row is not None:
                session.delete(row)
