"""What happens once an hour: days leave retention, dead and idle grants are looked after, one by one."""

import pytest
from sqlalchemy import select, text

from ga_sync.accounts.upkeep import UPKEEP
from jobs.registry import Again, Held, Task
from models.audit import first_break
from models.audit_event import AuditEvent
from models.day import Reading
from models.grant import Grant
from models.keyring import Owner
from tests.web.bench import ACME, House

TASK = Task("job", UPKEEP, UPKEEP, "*", 1, 0)


def _refreshes(house: House) -> int:
    return [asked["method"] for asked in house.requests()].count("Refresh")


def test_days_leave_retention(fresh: House) -> None:
    _, link_id = fresh.linked()
    fresh.call("POST", f"/v1/links/{link_id}/pause")
    fresh.forward(days=88)
    assert fresh.service.upkeep.job(TASK, Held()) == Again(
        fresh.clock() + fresh.service.settings.sync_interval
    )
    with fresh.service.stores.data.reading() as session:
        assert len(session.scalars(select(Reading.day)).all()) == 2
    fresh.forward(days=5)
    fresh.service.upkeep.job(TASK, Held())
    with fresh.service.stores.data.reading() as session:
        assert session.scalars(select(Reading.day)).all() == []


def test_a_grant_without_links_is_purged_after_seven_days(fresh: House) -> None:
    grant_id = fresh.consent()
    fresh.forward(days=6, hours=23)
    fresh.work()
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["status"] == "active"
    fresh.forward(hours=2)
    fresh.work()
    grant = fresh.call("GET", f"/v1/grants/{grant_id}")
    assert (grant["status"], grant["receipt"]["google"]) == ("revoked", "revoked")


def test_a_dead_grant_answers_for_thirty_days_and_is_then_purged(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.mood("token_error", error="invalid_grant", method="Refresh")
    fresh.forward(days=1)
    fresh.work()
    fresh.forward(days=29)
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    fresh.forward(days=1)
    fresh.work()
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["receipt"]["links"] == [link_id]
    fresh.refused("not-found", "GET", f"/v1/links/{link_id}")


def test_every_grant_is_refreshed_once_a_day_and_one_bad_one_stops_no_other(fresh: House) -> None:
    bad = fresh.consent(user="user0@agency.example")
    lost = fresh.consent(user="user1@agency.example")
    good = fresh.consent(user="user2@agency.example")
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("UPDATE grants SET client_id = 'another' WHERE grant_id = :id"), {"id": bad})
    fresh.service.keyring.destroy([Owner("grant", lost)], ACME, fresh.clock())
    fresh.forward(hours=21)
    fresh.service.upkeep.job(TASK, Held())
    assert _refreshes(fresh) == 1
    with fresh.service.stores.data.reading() as session:
        assert session.get_one(Grant, good).refreshed_at == fresh.clock()
        assert session.get_one(Grant, bad).status == "active"


def test_a_draining_worker_refreshes_nothing_more(fresh: House) -> None:
    fresh.consent()
    fresh.forward(hours=21)
    stopping, lost = Held(), Held()
    stopping.stopping.set()
    lost.lost.set()
    for held in (stopping, lost):
        fresh.service.upkeep.job(TASK, held)
    assert _refreshes(fresh) == 0


def test_the_audit_log_ends_after_400_days_and_is_whole_before_and_after(fresh: House) -> None:
    fresh.begin()
    fresh.forward(days=300)
    fresh.begin()
    for days, left in ((99, 2), (2, 1)):
        fresh.forward(days=days)
        fresh.service.upkeep.job(TASK, Held())
        with fresh.service.stores.data.reading() as session:
            verbs = list(session.scalars(select(AuditEvent.verb).where(AuditEvent.verb == "grant.begin")))
            assert (len(verbs), first_break(session)) == (left, None)


def test_what_left_retention_leaves_every_file_within_the_hour(fresh: House) -> None:
    fresh.linked()
    service = fresh.service
    if not service.stores.data.is_sqlite:
        pytest.skip("PostgreSQL keeps deleted rows until it is vacuumed; they are sealed")
    with service.stores.data.reading() as session:
        canaries = [bytes(value)[40:72] for value in session.scalars(text("SELECT value FROM readings"))]
    fresh.forward(days=100)
    service.upkeep.job(TASK, Held())
    files = {path.name: path.read_bytes() for path in fresh.folder.iterdir() if path.is_file()}
    assert [name for name, raw in files.items() for canary in canaries if canary in raw] == []
    assert {name: len(raw) for name, raw in files.items() if name.endswith("-wal")} == {
        "data.db-wal": 0,
        "keyring.db-wal": 0,
    }
