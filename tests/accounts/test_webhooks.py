"""Events for the console: signed, delivered with patience, taken down only with the truth they tell."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from ga_sync.accounts.webhooks import (
    NOTICE,
    WEBHOOK,
    Notices,
    Outbox,
    Postman,
    headers,
    pause,
    signing_key,
    stage,
)
from jobs import store as jobs_store
from jobs.registry import Again, Held, Registry
from jobs.schedule import Retry
from jobs.worker import Worker
from models.grant import Grant, GrantStatus
from models.job import Job
from models.link import Link, LinkStatus
from models.run import RunStatus
from models.session import Store
from models.webhook import Webhook
from oauth.tokens import DEAD_LIFE
from tests.clock import NOON, SettableClock
from tests.postgres import DatabaseUrls

KEY = b"a key of the console's own, shared with us"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
URL = "https://console.example.com/hooks"
DAY = timedelta(days=1)


def new_id() -> str:
    return str(uuid4())


@dataclass
class Console:
    """A console that answers as told and remembers what came."""

    answers: list[int | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers={"location": "https://elsewhere.example.com/"})

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


@dataclass
class Desk:
    """An outbox and who empties it."""

    data: Store
    clock: SettableClock
    console: Console
    outbox: Outbox
    worker: Worker

    def work(self) -> None:
        self.worker.run_due(limit=50)

    def link(self) -> Link:
        return Link(
            link_id="L", grant_id="G", customer_id="acme", status=LinkStatus.BROKEN, reason="not_found"
        )

    def tell(self, told: Callable[[Any], None]) -> None:
        with self.data.transaction() as session:
            told(session)

    def rows(self, table: type) -> list[Any]:
        with self.data.reading() as session:
            return list(session.scalars(select(table)))

    def die(self, at: datetime, *, purge_in: timedelta = DEAD_LIFE) -> None:
        with self.data.transaction() as session:
            session.merge(
                Grant(
                    grant_id="G",
                    customer_id="acme",
                    status=GrantStatus.RECONSENT_REQUIRED,
                    reason="invalid_grant",
                    created_at=at,
                    expires_at=at,
                    purge_at=at + purge_in,
                )
            )

    def set_grant(self, status: GrantStatus) -> None:
        with self.data.transaction() as session:
            row = session.get(Grant, "G")
            assert row is not None
            row.status = status


@pytest.fixture
def desk(migrated_urls: DatabaseUrls, clock: SettableClock) -> Iterator[Desk]:
    data, console = Store(migrated_urls.data), Console()
    outbox = Outbox(clock, new_id, listening=True)
    retry = Retry(timedelta(seconds=30), timedelta(hours=1))
    registry = Registry()
    with httpx.Client(transport=httpx.MockTransport(console)) as http:
        postman = Postman(data, http, URL, signing_key(SECRET), clock=clock, jitter=lambda: 0.0)
        registry.register(WEBHOOK, postman, lease=timedelta(minutes=1), retry=retry)
        registry.register(NOTICE, Notices(data, outbox, clock), lease=timedelta(minutes=1), retry=retry)
        worker = Worker(data, registry, clock=clock, owner="one", exclusive=False)
        yield Desk(data, clock, console, outbox, worker)
        worker.stop(5)
    data.close()


def finished(desk: Desk) -> None:
    desk.tell(lambda session: desk.outbox.run_finished(session, desk.link(), "R", RunStatus.SUCCEEDED, None))


def test_an_event_reaches_the_console_once_and_is_forgotten(desk: Desk) -> None:
    finished(desk)
    desk.work()
    desk.work()
    assert desk.console.events() == [
        {
            "type": "run.finished",
            "timestamp": "2026-11-23T12:00:00Z",
            "data": {
                "customer_id": "acme",
                "link_id": "L",
                "run_id": "R",
                "status": "succeeded",
                "reason": None,
            },
        }
    ]
    assert (desk.rows(Webhook), desk.rows(Job)) == ([], [])


def test_the_signature_is_that_of_standard_webhooks(desk: Desk) -> None:
    finished(desk)
    desk.work()
    request = desk.console.requests[0]
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.content
    )
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert request.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert request.headers["content-type"] == "application/json"
    assert str(request.url) == URL


def test_the_specification_s_own_example_is_signed_alike() -> None:
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    made = headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "ünïcode"])
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="GA_SYNC_WEBHOOK_SECRET"):
        signing_key(secret)


@pytest.mark.parametrize("answer", [500, 404, 302, 410, httpx.ConnectError("no"), httpx.ReadTimeout("slow")])
def test_what_the_console_does_not_take_is_sent_again_with_the_same_id(
    desk: Desk, answer: int | Exception
) -> None:
    desk.console.answers = [answer, answer]
    finished(desk)
    desk.work()
    desk.clock.advance(timedelta(seconds=4))
    desk.work()
    assert len(desk.console.requests) == 1
    for wait in (1, 60):
        desk.clock.advance(timedelta(seconds=wait))
        desk.work()
    assert len(desk.console.requests) == 3
    assert len({request.headers["webhook-id"] for request in desk.console.requests}) == 1
    assert {request.url.host for request in desk.console.requests} == {"console.example.com"}
    assert desk.rows(Webhook) == []


def test_after_three_days_an_event_is_dropped_and_operators_hear_of_it(desk: Desk) -> None:
    desk.console.answers = [500] * 100
    finished(desk)
    with capture_logs() as logs:
        for _ in range(100):
            desk.work()
            desk.clock.advance(timedelta(hours=1))
    assert [line["event"] for line in logs] == ["webhook_dropped"]
    assert (desk.rows(Webhook), desk.rows(Job)) == ([], [])
    assert 5 < len(desk.console.requests) < 20


def test_pauses_grow_from_seconds_to_hours() -> None:
    assert [pause(attempts, 0.0).total_seconds() for attempts in (1, 2, 7, 99)] == [5, 60, 36_000, 36_000]
    assert pause(1, 1.0).total_seconds() == 6


def test_an_event_whose_truth_was_rolled_back_was_never_there(desk: Desk) -> None:
    def told(session: Any) -> None:  # noqa: ANN401
        desk.outbox.link_broken(session, desk.link())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.tell(told)
    desk.work()
    assert desk.console.requests == []


def test_broken_and_recovered_links_are_told_with_their_ids_alone(desk: Desk) -> None:
    desk.tell(lambda session: desk.outbox.link_broken(session, desk.link()))
    desk.tell(lambda session: desk.outbox.link_recovered(session, desk.link()))
    desk.work()
    data = {"customer_id": "acme", "grant_id": "G", "link_id": "L", "status": "broken", "reason": "not_found"}
    told = sorted(desk.console.events(), key=lambda event: event["type"])
    assert [(event["type"], event["data"]) for event in told] == [
        ("link.broken", data),
        ("link.recovered", data),
    ]


def test_where_no_console_listens_nothing_is_kept(desk: Desk) -> None:
    deaf = Outbox(desk.clock, new_id, listening=False)
    desk.die(NOON)
    desk.tell(lambda session: deaf.link_broken(session, desk.link()))
    deaf.find_dead(desk.data)
    assert (desk.rows(Webhook), desk.rows(Job)) == ([], [])


def types(desk: Desk) -> list[tuple[str, str]]:
    """What was told, and clear the desk."""
    told = [(event["type"], event["data"]["reason"]) for event in desk.console.events()]
    desk.console.requests.clear()
    return told


def test_a_dead_grant_is_told_at_once_and_on_days_7_and_25(desk: Desk) -> None:
    desk.die(NOON)
    told = {}
    for day in range(32):
        desk.outbox.find_dead(desk.data)
        desk.work()
        if found := types(desk):
            told[day] = found
        desk.clock.advance(DAY)
    assert told == {
        0: [("grant.reconsent_required", "invalid_grant")],
        7: [("grant.purge_notice", "purged_in_23_days")],
        25: [("grant.purge_notice", "purged_in_5_days")],
    }


def test_a_reconnected_grant_is_not_told_of_any_more_and_a_second_end_is(desk: Desk) -> None:
    desk.die(NOON)
    desk.outbox.find_dead(desk.data)
    desk.work()
    desk.set_grant(GrantStatus.ACTIVE)
    desk.clock.advance(8 * DAY)
    desk.work()
    assert (types(desk), desk.rows(Job)) == ([("grant.reconsent_required", "invalid_grant")], [])
    desk.die(desk.clock())
    desk.outbox.find_dead(desk.data)
    desk.work()
    assert types(desk) == [("grant.reconsent_required", "invalid_grant")]


def test_a_grant_that_is_purged_sooner_is_told_too(desk: Desk) -> None:
    desk.die(NOON, purge_in=timedelta(days=6))
    desk.tell(lambda session: desk.outbox.grant_dead(session, "G", "acme"))
    desk.work()
    assert types(desk) == [("grant.reconsent_required", "invalid_grant")]
    desk.clock.advance(DAY)
    desk.work()
    assert types(desk) == [("grant.purge_notice", "purged_in_5_days")]


def test_a_notice_whose_teller_crashed_is_told_again_as_one_event(desk: Desk) -> None:
    desk.die(NOON)
    notices = Notices(desk.data, desk.outbox, desk.clock)
    for _ in range(2):
        desk.outbox.find_dead(desk.data)
        with desk.data.transaction() as session:
            claimed = jobs_store.claim(session, [NOTICE], desk.clock(), "x", timedelta(seconds=1))
        assert claimed is not None
        assert isinstance(notices(claimed, Held()), Again)
        desk.clock.advance(timedelta(seconds=2))
    assert len(desk.rows(Webhook)) == 1


@pytest.mark.parametrize(("days", "expected"), [(0, 0), (6.9, 0), (7, 7), (24, 7), (25, 25), (40, 25)])
def test_the_stage_of_an_end_is_the_last_day_reached(days: float, expected: int) -> None:
    assert stage(timedelta(days=days)) == expected
