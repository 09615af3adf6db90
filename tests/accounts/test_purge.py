"""Destruction: the receipt, Google's answer, crashes between any two steps, and what is left (nothing)."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from ga_sync import bootstrap
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.purge import Purge
from ga_sync.index.cache import Served
from jobs.registry import Again, Done, Held, Task
from models.audit import first_break
from models.data_key import DataKey, Tombstone
from models.grant import Grant
from models.job import Job
from models.keyring import Owner
from models.link import Link
from models.revocation import Revocation
from oauth.revocation import Revocations
from tests.accounts.crashes import BusyStore, Killed, MortalKeyring, MortalStore, Steps
from tests.web.bench import ACME, GLOBEX, House, HouseMaker, Json

RECEIPT = {"grant_id", "purged_at", "google", "links", "days", "segments", "recordings"}


def _gone(house: House, grant_id: str, *link_ids: str) -> None:
    """Neither key nor token nor row is left."""
    with house.service.stores.keyring.reading() as session:
        owners = set(session.scalars(select(DataKey.owner_id)))
        buried = set(session.scalars(select(Tombstone.object_id)))
    assert owners.isdisjoint({grant_id, *link_ids})
    assert {grant_id, *link_ids} <= buried
    with house.service.stores.data.reading() as session:
        for table in ("segments", "readings", "days", "runs"):
            held = set(session.scalars(text(f"SELECT DISTINCT link_id FROM {table}")))
            assert held.isdisjoint(link_ids)
        assert session.get_one(Grant, grant_id).token is None
    for link_id in link_ids:
        house.refused("not-found", "GET", f"/v1/links/{link_id}")


def _mortal(house: House, step: Steps) -> Purge:
    """A purge that is killed at a step."""
    service = house.service
    data = cast("Any", MortalStore(service.stores.data, step))
    keyring = cast("Any", MortalKeyring(service.keyring, step))
    revocations = Revocations(data, service.keyring, service.revocations._google, clock=house.clock)  # noqa: SLF001
    return Purge(
        data,
        keyring,
        service.tokens,
        revocations,
        service.index,
        clock=house.clock,
        new_id=bootstrap.new_id,
    )


def _audit_whole(house: House) -> None:
    with house.service.stores.data.reading() as session:
        assert first_break(session) is None


def test_a_grant_is_destroyed_here_and_revoked_at_google(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    second = fresh.link(fresh.consent(user="user0@agency.example"), 1)
    receipt = fresh.call("DELETE", f"/v1/grants/{grant_id}")
    assert set(receipt) == RECEIPT
    assert (receipt["google"], receipt["links"], receipt["days"]) == ("revoked", [link_id], 3)
    assert receipt["segments"] > 0
    assert receipt["recordings"] > 0
    assert receipt["purged_at"].endswith("Z")
    _gone(fresh, grant_id, link_id)
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}") == receipt
    grant = fresh.call("GET", f"/v1/grants/{grant_id}")
    assert (grant["status"], grant["receipt"], grant["links"]) == ("revoked", receipt, [])
    assert fresh.call("GET", f"/v1/links/{second}")["status"] == "active"
    fresh.forward(minutes=1)
    fresh.work()
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}") == receipt
    assert [asked["method"] for asked in fresh.requests()].count("Revoke") == 1
    _audit_whole(fresh)


def test_a_token_that_is_dead_already_is_as_good_as_revoked(fresh: House) -> None:
    first, link_id = fresh.linked()
    second = fresh.consent()
    assert fresh.call("DELETE", f"/v1/grants/{second}")["google"] == "revoked"
    assert fresh.call("DELETE", f"/v1/grants/{first}")["google"] == "already_dead"
    _gone(fresh, first, link_id)


def test_a_grant_that_never_had_a_token_is_already_dead(fresh: House) -> None:
    begun = fresh.begin()
    receipt = fresh.call("DELETE", f"/v1/grants/{begun['grant_id']}")
    assert (receipt["google"], receipt["links"], receipt["days"]) == ("already_dead", [], 0)


def test_google_down_is_told_again_until_it_answers(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.mood("revoke_http_error", status=503)
    pending = fresh.call("DELETE", f"/v1/grants/{grant_id}")
    assert pending["google"] == "pending"
    _gone(fresh, grant_id, link_id)
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["status"] == "revoking"
    fresh.forward(hours=2)
    fresh.work()
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}") == pending
    fresh.calm()
    fresh.forward(hours=2)
    fresh.work()
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["receipt"] == {**pending, "google": "revoked"}
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}") == {**pending, "google": "revoked"}


def test_after_72_hours_it_is_unconfirmed_with_what_to_do(fresh: House) -> None:
    grant_id, _ = fresh.linked()
    fresh.mood("revoke_http_error", status=503)
    pending = fresh.call("DELETE", f"/v1/grants/{grant_id}")
    for _ in range(3):
        fresh.forward(hours=24)
        fresh.work()
    grant = fresh.call("GET", f"/v1/grants/{grant_id}")
    assert (grant["status"], grant["receipt"]) == ("revoked", {**pending, "google": "unconfirmed"})
    assert "myaccount.google.com" in grant["action"]
    with fresh.service.stores.data.reading() as session:
        assert session.get(Revocation, grant_id) is None


def test_removing_one_of_two_links_leaves_the_grant_and_the_last_takes_it_along(fresh: House) -> None:
    grant_id = fresh.consent(user="user0@agency.example")
    one, two = fresh.link(grant_id, 0), fresh.link(grant_id, 1)
    fresh.work()
    first = fresh.call("DELETE", f"/v1/links/{one}")
    assert set(first) == {"link_id", "purged_at", "days", "segments", "recordings", "grant"}
    assert (first["link_id"], first["grant"], first["days"]) == (one, None, 3)
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["links"] == [two]
    assert fresh.call("DELETE", f"/v1/links/{one}") == first
    last = fresh.call("DELETE", f"/v1/links/{two}")
    assert last["grant"]["google"] == "revoked"
    assert last["grant"]["links"] == [two]
    assert fresh.call("DELETE", f"/v1/links/{two}") == last
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}") == last["grant"]
    _gone(fresh, grant_id, one, two)
    fresh.forward(minutes=1)
    fresh.work()
    assert fresh.call("DELETE", f"/v1/links/{one}") == first
    assert fresh.call("DELETE", f"/v1/links/{two}") == last
    assert fresh.call("GET", "/v1/links")["links"] == []
    again = fresh.link(fresh.consent(user="user1@agency.example"))
    assert again not in {one, two}
    _audit_whole(fresh)


def test_the_last_link_of_a_pending_revocation_says_so_and_advances(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.mood("revoke_http_error", status=503)
    pending = fresh.call("DELETE", f"/v1/links/{link_id}")
    assert pending["grant"]["google"] == "pending"
    fresh.calm()
    fresh.forward(hours=2)
    fresh.work()
    done = fresh.call("DELETE", f"/v1/links/{link_id}")
    assert done == {**pending, "grant": {**pending["grant"], "google": "revoked"}}
    _gone(fresh, grant_id, link_id)


def test_a_customer_is_destroyed_whole_and_another_is_not_touched(fresh: House) -> None:
    grant_id, link_id = fresh.linked(ACME, "user0@agency.example")
    begun = fresh.begin()
    other_grant, other = fresh.linked(GLOBEX, "user1@agency.example")
    receipts = fresh.call("DELETE", f"/v1/customers/{ACME}", customer=ACME)
    assert receipts["customer_id"] == ACME
    assert {one["grant_id"] for one in receipts["grants"]} == {grant_id, begun["grant_id"]}
    assert fresh.call("DELETE", f"/v1/customers/{ACME}") == receipts
    _gone(fresh, grant_id, link_id)
    assert fresh.call("GET", f"/v1/links/{other}")["grant_id"] == other_grant
    assert fresh.call("DELETE", "/v1/customers/nobody") == {"customer_id": "nobody", "grants": []}


@pytest.mark.parametrize("what", ["grant", "last link"])
def test_a_crash_between_any_two_steps_ends_the_same(make_house: HouseMaker, what: str) -> None:
    fresh = make_house(backfill=1)
    step, receipts = 1, []
    while True:
        grant_id, link_id = fresh.linked()
        if what == "grant":
            receipts.append(_killed_at(fresh, step, "grant", grant_id, grant_id, link_id))
        else:
            receipts.append(_killed_at(fresh, step, "link", link_id, grant_id, link_id))
        if receipts[-1] is None:
            break
        step += 1
    assert step > 8, "there were that many steps to crash at"
    _audit_whole(fresh)


def _killed_at(house: House, step: int, verb: str, subject: str, grant_id: str, link_id: str) -> Json | None:
    """Kill at a step, let the job go on, ask again; None where there were not that many steps."""
    steps = Steps(step)
    purge = _mortal(house, steps)
    try:
        getattr(purge, verb)(subject, ACME, "test")
    except Killed:
        house.forward(minutes=2)
        house.work()
    killed = steps.seen >= step
    house.forward(minutes=2)
    receipt = house.call("DELETE", f"/v1/{verb}s/{subject}")
    grant = receipt if verb == "grant" else receipt["grant"]
    assert grant["google"] in {"revoked", "already_dead"}
    assert grant["links"] == [link_id]
    assert grant["days"] == 1
    house.forward(minutes=2)
    house.work()
    assert house.call("DELETE", f"/v1/{verb}s/{subject}") == receipt
    _gone(house, grant_id, link_id)
    with house.service.stores.data.reading() as session:
        assert list(session.scalars(select(Job.kind).where(Job.subject_id.in_([grant_id, link_id])))) == []
    return receipt if killed else None


def test_a_crash_while_one_of_two_links_is_removed_is_finished_by_the_job(fresh: House) -> None:
    grant_id = fresh.consent(user="user0@agency.example")
    kept = fresh.link(grant_id, 1)
    step = 1
    while True:
        fresh.forward(minutes=1)
        link_id = fresh.link(grant_id, 0)
        steps = Steps(step)
        try:
            _mortal(fresh, steps).link(link_id, ACME, "test")
        except Killed:
            fresh.forward(minutes=2)
            fresh.work()
        receipt = fresh.call("DELETE", f"/v1/links/{link_id}")
        assert receipt["grant"] is None
        assert fresh.call("DELETE", f"/v1/links/{link_id}") == receipt
        with fresh.service.stores.keyring.reading() as session:
            assert link_id not in set(session.scalars(select(DataKey.owner_id)))
        if steps.seen < step:
            break
        step += 1
    assert step > 5
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["links"] == [kept]


def test_jobs_of_what_is_not_begun_do_nothing(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    purge = fresh.service.purge
    for subject in (grant_id, "nobody"):
        task = Task("job", "revoke", subject, ACME, 1, 0)
        assert purge.revoke_job(task, Held()) == Done()
    assert fresh.call("GET", f"/v1/links/{link_id}")["status"] == "active"
    with pytest.raises(NotFound):
        purge.link("nobody", ACME, "test")
    with pytest.raises(NotFound):
        purge.grant("nobody", ACME, "test")


def test_while_a_reader_holds_the_log_up_the_job_comes_again(fresh: House) -> None:
    grant_id = fresh.consent(user="user0@agency.example")
    one, _ = fresh.link(grant_id, 0), fresh.link(grant_id, 1)
    service = fresh.service
    busy = BusyStore(service.stores.data)
    purge = Purge(
        cast("Any", busy),
        service.keyring,
        service.tokens,
        service.revocations,
        service.index,
        clock=fresh.clock,
        new_id=bootstrap.new_id,
    )
    receipt = purge.link(one, ACME, "test")
    assert receipt["purged_at"]
    bury = Task("job", "bury", one, ACME, 1, 0)
    assert isinstance(purge.bury_job(bury, Held()), Again)
    with service.stores.data.reading() as session:
        assert session.scalar(select(Job.kind).where(Job.subject_id == one)) == "bury"
    held_up = purge.grant(grant_id, ACME, "test")
    assert (held_up["google"], held_up["purged_at"]) == ("revoked", None)
    revoke = Task("job", "revoke", grant_id, ACME, 1, 0)
    assert isinstance(purge.revoke_job(revoke, Held()), Again)
    busy.busy = False
    assert purge.bury_job(bury, Held()) == Done()
    assert purge.revoke_job(revoke, Held()) == Done()
    assert purge.grant(grant_id, ACME, "test")["purged_at"] is not None


def test_a_link_whose_key_is_gone_is_counted_as_empty_and_removed(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.service.keyring.destroy([Owner("link", link_id)], ACME, fresh.clock())
    fresh.service.index.drop(link_id)
    assert fresh.call("DELETE", f"/v1/grants/{grant_id}")["recordings"] == 0


class MovingIndex:
    """An index cache; while a link is counted for the first time, the link moves to another grant."""

    def __init__(self, index: Any, move: Callable[[], None]) -> None:  # noqa: ANN401 -- an index cache
        self._index, self._move = index, move
        self._moved = False

    def serve(self, session: Session, link: Link) -> Served:
        """Serve, after the move."""
        if not self._moved:
            self._moved = True
            self._move()
        served: Served = self._index.serve(session, link)
        return served

    def drop(self, link_id: str) -> None:
        """Forget a link."""
        self._index.drop(link_id)


def test_a_link_that_moves_while_it_is_removed_is_removed_from_where_it_went(fresh: House) -> None:
    _, link_id = fresh.linked(user="user0@agency.example")
    second = fresh.consent(user="user1@agency.example")
    service = fresh.service

    def move() -> None:
        with service.stores.data.transaction() as session:
            session.execute(update(Link).where(Link.link_id == link_id).values(grant_id=second))

    purge = Purge(
        service.stores.data,
        service.keyring,
        service.tokens,
        service.revocations,
        cast("Any", MovingIndex(service.index, move)),
        clock=fresh.clock,
        new_id=bootstrap.new_id,
    )
    receipt = purge.link(link_id, ACME, "test")
    assert receipt["grant"]["grant_id"] == second
    _gone(fresh, second, link_id)
