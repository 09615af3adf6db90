"""One run at a time at a property, and the turn that comes back whatever happens."""

from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from jobs import store as jobs_store
from jobs.errors import LostLease
from jobs.registry import Again
from models.run import RunStatus
from models.session import Store
from tests.sync.bench import Bench, held_signals
from tests.sync.fake_google import PROPERTY

NAME = f"property:{PROPERTY.encode().hex()}"


def holder(bench: Bench) -> str | None:
    with bench.data.reading() as session:
        return jobs_store.lease_owner(session, NAME, bench.clock())


def take(bench: Bench, owner: str) -> None:
    with bench.data.transaction() as session:
        assert jobs_store.hold_lease(session, NAME, owner, bench.clock(), timedelta(minutes=3))


def test_another_link_of_the_property_waits_a_moment_without_a_call(bench: Bench) -> None:
    take(bench, "another link")
    outcome = bench.pipeline()(bench.claim(), held_signals())
    assert outcome == Again(bench.clock() + timedelta(seconds=15))
    assert (bench.google.calls, bench.runs()) == ([], [])


def test_the_turn_is_held_during_a_run_and_given_back_after_it(bench: Bench) -> None:
    seen = []
    bench.google.before = lambda _method: seen.append(holder(bench))
    bench.sync()
    assert set(seen) == {bench.link_id}
    assert holder(bench) is None


def test_a_turn_of_a_holder_that_vanished_ends_by_itself_for_others_and_is_its_own_at_once(
    bench: Bench,
) -> None:
    take(bench, bench.link_id)
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    take(bench, "another link")
    bench.clock.advance(timedelta(minutes=3))
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_a_long_run_keeps_its_turn(bench: Bench) -> None:
    bench.google.before = lambda _method: bench.clock.advance(timedelta(minutes=2))
    ends = []

    def note(_method: str) -> None:
        bench.clock.advance(timedelta(minutes=2))
        ends.append(holder(bench))

    bench.google.before = note
    bench.sync()
    assert set(ends) == {bench.link_id}


def test_a_run_that_stood_still_until_another_began_stops(bench: Bench) -> None:
    def stand_still(_method: str) -> None:
        bench.google.before = lambda _method: None
        bench.clock.advance(timedelta(minutes=4))
        take(bench, "another link")

    bench.google.before = stand_still
    with pytest.raises(LostLease):
        bench.pipeline()(bench.claim(), held_signals())
    assert holder(bench) == "another link"


def test_a_turn_that_cannot_be_given_back_ends_by_itself(bench: Bench) -> None:
    store = Store(bench.data.url.render_as_string(hide_password=False))

    def refuse(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE FROM leases"):
            raise OperationalError(statement, {}, Exception("no"))

    event.listen(store.engine, "before_cursor_execute", refuse)
    outcome = bench.pipeline(data=store)(bench.claim(), held_signals())
    store.close()
    assert isinstance(outcome, Again)
    assert (bench.last_run.status, holder(bench)) == (RunStatus.SUCCEEDED, bench.link_id)
