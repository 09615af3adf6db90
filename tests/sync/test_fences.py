"""Whoever pauses, removes or takes over a link is first; what is killed or drained goes on where it stopped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ga_sync.analytics import errors as google
from ga_sync.index.cache import IndexCache
from jobs import store as jobs_store
from jobs.errors import LostLease
from jobs.registry import Again, Done, Held
from models.keyring import Owner
from models.link import Link, LinkStatus
from models.run import RunStatus
from models.session import Store
from tests.sync.bench import BACKFILL, LEASE, TODAY, Bench, back, held_signals, new_id
from tests.sync.fake_google import BUYERS

Deed = Callable[[Bench, Held], None]


def pause(bench: Bench, _held: Held) -> None:
    bench.pause()


def remove(bench: Bench, _held: Held) -> None:
    bench.change_link(status=LinkStatus.REMOVED, epoch=bench.row().epoch + 1)


def take_over(bench: Bench, _held: Held) -> None:
    """Somebody paused and resumed it: active again, but another epoch."""
    bench.change_link(epoch=bench.row().epoch + 1)


def destroy_key(bench: Bench, _held: Held) -> None:
    remove(bench, _held)
    bench.keyring.destroy([Owner("link", bench.link_id)], "acme", bench.clock())


DEEDS = [pause, remove, take_over, destroy_key]


def during_report(bench: Bench, number: int, deed: Deed, held: Held) -> None:
    """Let ``deed`` happen while Google answers the n-th report."""

    def act(method: str) -> None:
        if method == "run_report" and len(bench.google.days_asked()) == number:
            bench.google.before = lambda _method: None
            deed(bench, held)

    bench.google.before = act


@pytest.mark.parametrize("deed", DEEDS)
def test_a_link_that_goes_during_a_run_gets_nothing_more_and_google_is_not_called_again(
    bench: Bench, deed: Deed
) -> None:
    held = held_signals()
    during_report(bench, 2, deed, held)
    assert bench.pipeline()(bench.claim(), held) == Done()
    assert bench.google.days_asked() == [back(0), back(1)]
    assert bench.google.seen_asked() == []
    assert (bench.day_rows(), bench.stored(), bench.row().generation) == (set(), 1, 0)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_link_that_goes_during_the_last_report_is_not_published(bench: Bench, deed: Deed) -> None:
    held = held_signals()
    during_report(bench, BACKFILL, deed, held)
    assert bench.pipeline()(bench.claim(), held) == Done()
    assert (bench.day_rows(), bench.row().generation, bench.row().as_of) == (set(), 0, None)


def test_a_link_that_goes_while_a_failure_is_waited_out_is_not_asked_for_again(bench: Bench) -> None:
    bench.google.fail("run_report", google.GoogleUnavailable("x", "run_report"))
    held = held_signals()
    pipeline = bench.pipeline()
    during_report(bench, 1, pause, held)
    assert pipeline(bench.claim(), held) == Done()
    assert bench.google.days_asked() == [TODAY]


@pytest.mark.parametrize("first", [True, False])
def test_a_lost_lease_ends_the_run_at_the_next_call(bench: Bench, *, first: bool) -> None:
    held = held_signals(lost=first)
    during_report(bench, 2, lambda _bench, held: held.lost.set(), held)
    with pytest.raises(LostLease):
        bench.pipeline()(bench.claim(), held)
    assert len(bench.google.days_asked()) == (0 if first else 2)


def test_a_former_holder_commits_nothing_once_another_has_claimed(bench: Bench) -> None:
    task = bench.claim()
    held = held_signals()

    def claimed_by_another(bench: Bench, _held: Held) -> None:
        bench.clock.advance(LEASE + timedelta(seconds=1))
        with bench.data.transaction() as session:
            assert jobs_store.claim(session, ["sync"], bench.clock(), "two", LEASE) is not None

    during_report(bench, 2, claimed_by_another, held)
    with pytest.raises(LostLease):
        bench.pipeline()(task, held)
    assert bench.stored() == 1


def test_a_draining_worker_stops_between_days_and_the_next_one_goes_on(bench: Bench) -> None:
    held = held_signals()
    during_report(bench, 3, lambda _bench, held: held.stopping.set(), held)
    outcome = bench.sync(held=held)
    assert outcome == Again(bench.clock())
    run = bench.last_run
    assert (run.status, run.days_read, run.days_left) == (RunStatus.RUNNING, 3, BACKFILL - 3)
    assert bench.row().generation == 0
    bench.google.calls.clear()
    bench.sync()
    assert bench.google.days_asked() == [back(n) for n in range(3, BACKFILL)]
    assert [run.status for run in bench.runs()] == [RunStatus.SUCCEEDED]
    assert (bench.last_run.days_read, bench.row().generation, len(bench.days())) == (BACKFILL, 1, BACKFILL)


def test_a_smaller_incomplete_day_is_not_read_again_after_a_drain(bench: Bench) -> None:
    bench.sync()
    bench.google.totals[TODAY] = 99
    bench.google.members[TODAY] = {BUYERS: ["one"]}
    bench.google.calls.clear()
    held = held_signals()
    during_report(bench, 1, lambda _bench, held: held.stopping.set(), held)
    bench.sync(held=held)
    bench.sync()
    assert bench.google.days_asked() == [back(n) for n in range(4)]
    assert bench.states()[TODAY] == ("provisional", ("young",))


def test_a_run_that_was_killed_before_its_publication_is_published_by_the_next_holder(bench: Bench) -> None:
    cache = IndexCache(bench.keyring, 1 << 20)
    store = fragile(bench, "UPDATE links")
    task = bench.claim()
    with pytest.raises(OperationalError):
        bench.pipeline(data=store)(task, held_signals())
    store.close()
    assert (bench.stored(), bench.row().generation, bench.served(cache).days) == (BACKFILL, 0, {})
    assert bench.last_run.status == RunStatus.RUNNING
    bench.crash(task)
    bench.google.calls.clear()
    bench.sync()
    assert bench.google.days_asked() == []
    assert [run.status for run in bench.runs()] == [RunStatus.SUCCEEDED]
    assert len(bench.served(cache).days) == BACKFILL


def test_a_database_that_fails_leaves_the_run_open_for_the_next_claim(bench: Bench) -> None:
    store = fragile(bench, "INSERT INTO readings", 3)
    task = bench.claim()
    with pytest.raises(OperationalError):
        bench.pipeline(data=store)(task, held_signals())
    store.close()
    assert (bench.stored(), bench.last_run.status) == (2, RunStatus.RUNNING)
    bench.settle(task, Again(bench.clock()))
    bench.google.calls.clear()
    bench.sync()
    assert bench.google.days_asked() == [back(n) for n in range(2, BACKFILL)]


def test_what_a_run_without_an_end_staged_goes_when_another_one_begins(bench: Bench) -> None:
    held = held_signals()
    during_report(bench, 2, lambda _bench, held: held.stopping.set(), held)
    bench.sync(held=held)
    with bench.data.transaction() as session:
        run = session.get(type(bench.last_run), bench.last_run.run_id)
        assert run is not None
        run.status = RunStatus.FAILED
    bench.google.calls.clear()
    bench.sync()
    assert len(bench.google.days_asked()) == BACKFILL
    assert bench.stored() == BACKFILL


def test_a_run_asked_for_while_one_is_under_way_comes_after_it(bench: Bench) -> None:
    task = bench.claim()

    def ask(bench: Bench, _held: Held) -> None:
        with bench.data.transaction() as session:
            jobs_store.enqueue(session, "sync", bench.link_id, "acme", bench.clock(), new_id)

    during_report(bench, 1, ask, held_signals())
    bench.settle(task, bench.pipeline()(task, held_signals()))
    with bench.data.reading() as session:
        assert jobs_store.next_due_at(session, "sync", bench.link_id) == bench.clock()


def fragile(bench: Bench, begins: str, number: int = 1) -> Store:
    """The same database behind a connection that breaks at the n-th statement that begins so, and ever after."""
    store = Store(bench.data.url.render_as_string(hide_password=False))
    left = [number]

    def break_(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith(begins):
            left[0] -= 1
            if left[0] <= 0:
                raise OperationalError(statement, {}, Exception("the connection broke"))

    event.listen(store.engine, "before_cursor_execute", break_)
    return store


def test_requests_by_people_and_a_run_never_wait_for_each_other_in_a_circle(bench: Bench) -> None:
    """Both touch the job first and the link after it; a deadlock would end one of them with an error."""
    done = Event()

    def ask() -> int:
        asked = 0
        while not done.is_set():
            with bench.data.transaction() as session:
                jobs_store.enqueue(session, "sync", bench.link_id, "acme", bench.clock(), new_id)
                row = session.get(Link, bench.link_id, with_for_update=True)
                assert row is not None
                row.reason = f"asked {asked}"
            asked += 1
        return asked

    task = bench.claim()
    with ThreadPoolExecutor(2) as pool:
        askers = [pool.submit(ask) for _ in range(2)]
        try:
            outcome = bench.pipeline()(task, held_signals())
        finally:
            done.set()
        assert all(asker.result() for asker in askers)
    assert isinstance(outcome, Again)
    assert bench.last_run.status == RunStatus.SUCCEEDED
