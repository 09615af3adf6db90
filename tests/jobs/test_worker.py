"""Workers on both databases: once each, fenced, drained, and never stopped by one bad job."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from uuid import uuid4

import pytest

from jobs import store as sql
from jobs.errors import GiveUp, LostLease, RetryAt
from jobs.registry import Again, Done, Held, Registry, Task
from jobs.worker import Worker, story
from models.session import Store
from tests.clock import NOON, SettableClock
from tests.jobs.bench import (
    LEASE,
    PATIENCE,
    TroubledStore,
    Workshop,
    awaited,
    claim,
    due,
    eventually,
    held_row,
    row,
    take,
    want,
)

MINUTE = timedelta(minutes=1)
SHORT = timedelta(seconds=0.3)  # its heartbeat comes every 0.1 s


class Log:
    """A handler that notes the subjects it worked on and answers with `outcome`."""

    def __init__(self, outcome: Again | Done | None = None) -> None:
        self._seen: list[str] = []
        self._outcome = outcome or Done()

    @property
    def subjects(self) -> Counter[str]:
        """How often each subject was worked on so far."""
        return Counter(list(self._seen))

    def __call__(self, task: Task, _held: Held) -> Again | Done:
        self._seen.append(task.subject_id)
        return self._outcome


class Gate:
    """A handler that says it began and then waits to be let through."""

    def __init__(self) -> None:
        self.began, self.through = Event(), Event()
        self.held: list[Held] = []
        self.runs = 0

    def __call__(self, _task: Task, held: Held) -> Done:
        self.runs += 1
        self.held.append(held)
        self.began.set()
        self.through.wait(PATIENCE)
        return Done()


def raising(error: Exception) -> Callable[[Task, Held], Done]:
    """A handler that fails with `error` on subjects named poison and does the others."""

    def handler(task: Task, _held: Held) -> Done:
        if task.subject_id.startswith("poison"):
            raise error
        return Done()

    return handler


class Ear(logging.Handler):
    """Calls `heard` with every record, at the moment it is logged."""

    def __init__(self, heard: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard(record)


@contextmanager
def listening(heard: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Hears the worker's log for the length of a block."""
    ear, logger = Ear(heard), logging.getLogger("jobs.worker")
    logger.addHandler(ear)
    try:
        yield
    finally:
        logger.removeHandler(ear)


def test_everything_due_is_done_once_and_nothing_else(store: Store, workshop: Workshop) -> None:
    log = Log()
    for subject, when in (("a", NOON), ("b", NOON - MINUTE), ("later", NOON + MINUTE)):
        want(store, subject, when)
    assert workshop.worker(log).run_due() == 2
    assert log.subjects == {"a": 1, "b": 1}
    assert due(store, "later") == NOON + MINUTE


def test_a_limit_is_kept(store: Store, workshop: Workshop) -> None:
    log = Log(Again(NOON))
    want(store, "a", NOON)
    assert workshop.worker(log).run_due(limit=3) == 3
    assert log.subjects == {"a": 3}


def test_again_waits_until_its_time(store: Store, workshop: Workshop, clock: SettableClock) -> None:
    worker = workshop.worker(Log(Again(NOON + MINUTE)))
    want(store, "a", NOON)
    assert worker.run_due() == 1
    assert due(store, "a") == NOON + MINUTE
    clock.advance(MINUTE)
    assert worker.run_due(limit=1) == 1


def test_a_time_in_the_past_does_not_jump_the_queue(store: Store, workshop: Workshop) -> None:
    want(store, "greedy", NOON)
    workshop.worker(Log(Again(NOON - 600 * MINUTE))).run_due(limit=1)
    assert due(store, "greedy") == NOON


def test_a_job_wanted_by_its_own_handler_runs_again(store: Store, workshop: Workshop) -> None:
    runs = []

    def handler(task: Task, _held: Held) -> Done:
        runs.append(task.epoch)
        if len(runs) == 1:
            want(store, "a", NOON)
        return Done()

    want(store, "a", NOON)
    assert workshop.worker(handler).run_due() == 2
    assert runs == [1, 2]
    assert row(store, "a") is None


def test_two_workers_do_one_job_once(store: Store, second_store: Store, workshop: Workshop) -> None:
    gate = Gate()
    want(store, "a", NOON)
    for owner, place in (("one", store), ("two", second_store)):
        workshop.worker(gate, owner, store=place).start()
    assert awaited(gate.began)
    gate.through.set()
    assert eventually(lambda: row(store, "a") is None)
    assert gate.runs == 1


def test_two_workers_with_many_threads_do_two_hundred_jobs_once_each(
    store: Store, second_store: Store, workshop: Workshop
) -> None:
    first, second = Log(), Log()
    with store.transaction() as session:
        for n in range(200):
            sql.enqueue(session, "sync", f"s{n}", f"c{n % 5}", NOON, lambda: str(uuid4()))
    workshop.worker(first, "one", threads=8).start()
    workshop.worker(second, "two", store=second_store, threads=8).start()
    assert eventually(lambda: sum((first.subjects + second.subjects).values()) >= 200)
    assert first.subjects + second.subjects == {f"s{n}": 1 for n in range(200)}


def test_a_paused_holder_is_fenced(
    store: Store, second_store: Store, workshop: Workshop, clock: SettableClock
) -> None:
    """The holder sleeps past its lease, another does the job, and the sleeper's commit is refused."""
    began, resumed, refused = Event(), Event(), Event()

    def sleeper(task: Task, _held: Held) -> Done:
        began.set()
        resumed.wait(PATIENCE)
        try:
            with store.transaction() as session:
                sql.fence(session, task)
        except LostLease:
            refused.set()
            raise
        return Done()

    want(store, "a", NOON)
    with ThreadPoolExecutor(1) as pool:
        asleep = pool.submit(workshop.worker(sleeper).run_due, 1)
        assert awaited(began)
        clock.advance(LEASE)
        later = NOON + LEASE + MINUTE
        assert workshop.worker(Log(Again(later)), "two", store=second_store).run_due() == 1
        resumed.set()
        assert asleep.result() == 1
    assert refused.is_set()
    assert due(store, "a") == later


def test_a_holder_that_ends_too_late_changes_nothing(
    store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    def robbed(task: Task, _held: Held) -> Done:
        take(store, NOON + LEASE, "two")
        assert task.epoch == 1
        return Done()

    want(store, "a", NOON)
    with caplog.at_level(logging.INFO, "jobs"):
        assert workshop.worker(robbed).run_due(limit=1) == 1
    assert held_row(store, "a").lease_owner == "two"
    assert "was lost" in caplog.text


def test_a_heartbeat_keeps_a_long_job(store: Store, workshop: Workshop, clock: SettableClock) -> None:
    gate = Gate()
    want(store, "a", NOON)
    workshop.worker(gate, lease=SHORT).start()
    assert awaited(gate.began)
    clock.advance(MINUTE)
    extended = NOON + MINUTE + SHORT
    assert eventually(lambda: held_row(store, "a").lease_until == extended)
    assert not gate.held[0].lost.is_set()
    gate.through.set()
    assert eventually(lambda: row(store, "a") is None)


def test_a_clock_that_leaps_ahead_does_not_double_a_job_in_hand(
    store: Store, workshop: Workshop, clock: SettableClock
) -> None:
    gate = Gate()
    want(store, "a", NOON)
    workshop.worker(gate).start()
    assert awaited(gate.began)
    clock.advance(timedelta(days=1))
    assert eventually(lambda: held_row(store, "a").lease_until == clock() + LEASE)
    assert gate.runs == 1
    assert not gate.held[0].lost.is_set()
    gate.through.set()
    assert eventually(lambda: row(store, "a") is None)


def test_a_clock_that_fails_for_a_while_costs_no_thread(
    store: Store, workshop: Workshop, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    broken, asked = Event(), Event()

    def now() -> datetime:
        if broken.is_set():
            asked.set()
            raise OSError
        return clock()

    def handler(task: Task, _held: Held) -> Again | Done:
        if task.epoch > 1:
            return Done()
        broken.set()
        return Again(NOON + MINUTE)

    want(store, "a", NOON)
    workshop.worker(handler, clock=now, threads=1).start()
    assert awaited(asked)
    assert eventually(lambda: "raised an exception" in caplog.text)  # a tick, told by the scheduler
    assert eventually(lambda: "could not be stored (builtins.OSError)" in caplog.text)
    broken.clear()
    clock.advance(LEASE)
    assert eventually(lambda: row(store, "a") is None)


def test_a_holder_learns_that_its_job_was_removed(store: Store, workshop: Workshop) -> None:
    gate = Gate()
    want(store, "a", NOON)
    workshop.worker(gate, lease=SHORT).start()
    assert awaited(gate.began)
    with store.transaction() as session:
        sql.remove(session, "sync", "a")
    assert awaited(gate.held[0].lost)
    gate.through.set()


def test_a_holder_learns_that_its_lease_ran_out_while_the_database_was_away(
    store: Store, troubled: TroubledStore, workshop: Workshop, clock: SettableClock
) -> None:
    gate = Gate()
    want(store, "a", NOON)
    workshop.worker(gate, store=troubled, lease=SHORT).start()
    assert awaited(gate.began)
    troubled.trouble.set()
    assert awaited(troubled.refused)
    assert not gate.held[0].lost.wait(0.2)
    clock.advance(SHORT)
    assert awaited(gate.held[0].lost)
    troubled.trouble.clear()
    gate.through.set()


def test_a_locked_database_is_survived_and_told(
    store: Store, troubled: TroubledStore, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    troubled.trouble.set()
    want(store, "a", NOON)
    workshop.worker(log, store=troubled).start()
    assert awaited(troubled.refused)
    assert row(store, "a") is not None
    troubled.trouble.clear()
    assert eventually(lambda: log.subjects == {"a": 1})
    assert "could not be claimed (sqlalchemy.exc.OperationalError)" in caplog.text


def test_an_outcome_that_cannot_be_stored_is_told_and_the_job_runs_again(
    store: Store,
    troubled: TroubledStore,
    workshop: Workshop,
    clock: SettableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(_task: Task, _held: Held) -> Done:
        troubled.trouble.set()
        return Done()

    want(store, "a", NOON)
    worker = workshop.worker(handler, store=troubled)
    assert worker.run_due(limit=1) == 1
    assert "could not be stored" in caplog.text
    troubled.trouble.clear()
    clock.advance(LEASE)
    assert take(store, clock(), "two").attempts == 1


def test_leases_that_cannot_be_given_back_end_by_themselves(
    troubled: TroubledStore, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    worker = workshop.worker(Log(), store=troubled)
    troubled.trouble.set()
    assert worker.stop(0) == 0
    assert "could not be given back" in caplog.text


def test_a_bad_job_is_out_of_the_way_before_it_is_told(store: Store, workshop: Workshop) -> None:
    told: list[datetime | None] = []
    want(store, "poison", NOON)

    def heard(record: logging.LogRecord) -> None:
        if record.levelno == logging.ERROR:
            told.append(due(store, "poison"))

    with listening(heard):
        workshop.worker(raising(RuntimeError())).run_due()
    assert told == [NOON + MINUTE / 2]
    assert held_row(store, "poison").attempts == 1


def test_a_bad_job_does_not_delay_the_others(store: Store, workshop: Workshop) -> None:
    for number in range(3):
        want(store, f"poison-{number}", NOON - MINUTE)
        want(store, f"good-{number}", NOON)
    assert workshop.worker(raising(ZeroDivisionError()), threads=1).run_due() == 6
    assert all(row(store, f"good-{number}") is None for number in range(3))


def test_a_bad_job_waits_longer_each_time(store: Store, workshop: Workshop, clock: SettableClock) -> None:
    worker = workshop.worker(raising(RuntimeError()))
    want(store, "poison", NOON)
    waits = []
    for _ in range(9):
        assert worker.run_due() == 1
        waits.append((held_row(store, "poison").due_at - clock()) / MINUTE)
        clock.set(held_row(store, "poison").due_at)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_success_forgets_former_failures(store: Store, workshop: Workshop, clock: SettableClock) -> None:
    want(store, "poison", NOON)
    workshop.worker(raising(RuntimeError())).run_due()
    clock.advance(MINUTE)
    workshop.worker(Log(Again(NOON + 60 * MINUTE))).run_due()
    assert held_row(store, "poison").attempts == 0


def test_a_failure_is_told_with_its_place_and_without_its_words(
    store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    want(store, "poison", NOON)
    workshop.worker(raising(ValueError("token-ya29-canary"))).run_due()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert held_row(store, "poison").job_id in caplog.text
    assert "builtins.ValueError" in caplog.text
    assert "test_worker.py" in caplog.text
    assert "canary" not in caplog.text


def test_a_bad_job_is_told_even_when_it_cannot_be_postponed(
    store: Store, troubled: TroubledStore, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_task: Task, _held: Held) -> Done:
        troubled.trouble.set()
        raise KeyError

    want(store, "a", NOON)
    workshop.worker(handler, store=troubled).run_due(limit=1)
    troubled.trouble.clear()
    assert "builtins.KeyError" in caplog.text
    assert "could not be stored" in caplog.text


def look_up(words: str) -> None:
    raise KeyError(words)


def fail_because(words: str) -> None:
    try:
        look_up(words)
    except KeyError as error:
        raise RuntimeError(words) from error


def fail_while_handling(*, hidden: bool) -> None:
    try:
        look_up("nothing")
    except KeyError:
        if hidden:
            raise RuntimeError from None
        raise RuntimeError  # noqa: B904 -- the context is the point


def test_a_story_names_the_causes_and_quotes_nobody() -> None:
    words = "canary"  # by name below, because a frame quotes its source line
    with pytest.raises(RuntimeError, match=words) as caught:
        fail_because(words)
    told = story(caught.value)
    assert told.index("builtins.RuntimeError") < told.index("because of builtins.KeyError")
    assert words not in told


@pytest.mark.parametrize("hidden", [True, False])
def test_a_story_follows_the_context_unless_it_was_set_aside(hidden: bool) -> None:  # noqa: FBT001 -- a parameter
    with pytest.raises(RuntimeError) as caught:
        fail_while_handling(hidden=hidden)
    assert ("builtins.KeyError" in story(caught.value)) is not hidden


def test_a_retry_comes_when_the_handler_says(
    store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    want(store, "poison", NOON)
    with caplog.at_level(logging.INFO, "jobs"):
        workshop.worker(raising(RetryAt(NOON + 7 * MINUTE, "quota"))).run_due()
    assert due(store, "poison") == NOON + 7 * MINUTE
    assert held_row(store, "poison").attempts == 1
    assert "quota" in caplog.text


def test_giving_up_ends_the_job(store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    want(store, "poison", NOON)
    workshop.worker(raising(GiveUp("no such link"))).run_due()
    assert row(store, "poison") is None
    assert "no such link" in caplog.text


def test_a_handler_that_tears_its_thread_down_costs_one_lease_and_no_thread(
    store: Store, workshop: Workshop, clock: SettableClock
) -> None:
    log = Log()

    def handler(task: Task, held: Held) -> Again | Done:
        if task.epoch == 1 and task.subject_id == "poison":
            raise SystemExit
        return log(task, held)

    want(store, "poison", NOON - MINUTE)
    want(store, "good", NOON)
    workshop.worker(handler, threads=1).start()
    assert eventually(lambda: log.subjects == {"good": 1})
    clock.advance(LEASE)
    assert eventually(lambda: log.subjects == {"good": 1, "poison": 1})


def test_a_thread_that_is_through_takes_the_next_job_without_a_tick(store: Store, workshop: Workshop) -> None:
    log = Log()
    for number in range(5):
        want(store, f"s{number}", NOON)
    workshop.worker(log, threads=1, tick=3600).start()
    assert eventually(lambda: sum(log.subjects.values()) == 5)


def test_waking_saves_the_wait_for_the_next_tick(store: Store, workshop: Workshop) -> None:
    log = Log()
    worker = workshop.worker(log, tick=3600)
    worker.wake()  # not started yet: nothing to wake
    worker.start()
    for number in range(3):
        want(store, f"s{number}", NOON)
        worker.wake()
        assert eventually(lambda number=number: log.subjects[f"s{number}"] == 1)  # type: ignore[misc]


def test_more_jobs_than_threads_wait_for_a_thread(store: Store, workshop: Workshop) -> None:
    gate = Gate()
    for number in range(3):
        want(store, f"s{number}", NOON)
    workshop.worker(gate, threads=2).start()
    assert eventually(lambda: gate.runs == 2)
    assert claim(store, NOON, "two") is not None
    gate.through.set()


def test_a_stopping_worker_tells_its_handlers_and_waits_for_them(store: Store, workshop: Workshop) -> None:
    began = Event()

    def polite(_task: Task, held: Held) -> Again:
        began.set()
        assert awaited(held.stopping)
        return Again(NOON + MINUTE)

    want(store, "a", NOON)
    want(store, "b", NOON)
    worker = workshop.worker(polite, threads=1)
    worker.start()
    assert awaited(began)
    assert worker.stop(PATIENCE) == 0
    assert sorted([due(store, "a"), due(store, "b")], key=str) == [NOON, NOON + MINUTE]
    assert worker.stop(0) == 0  # again is harmless


def test_what_does_not_end_in_time_is_handed_back(
    store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    want(store, "a", NOON)
    worker = workshop.worker(gate)
    worker.start()
    assert awaited(gate.began)
    assert worker.stop(0.05) == 1
    assert gate.held[0].lost.is_set()
    assert take(store, NOON, "two").epoch == 2
    with caplog.at_level(logging.INFO, "jobs"):
        gate.through.set()
        assert eventually(lambda: "was lost" in caplog.text)
    assert held_row(store, "a").lease_owner == "two"


def test_handing_back_a_job_that_was_removed_meanwhile_is_harmless(
    store: Store, workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    want(store, "a", NOON)
    worker = workshop.worker(gate)
    worker.start()
    assert awaited(gate.began)
    with store.transaction() as session:
        sql.remove(session, "sync", "a")
    with caplog.at_level(logging.INFO, "jobs"):
        assert worker.stop(0.05) == 1
    gate.through.set()
    assert "settled or lost while the worker stopped" in caplog.text


def test_a_second_exclusive_worker_waits_until_the_first_gives_back(
    store: Store, second_store: Store, workshop: Workshop
) -> None:
    first, second = Log(), Log()
    leader = workshop.worker(first, exclusive=True)
    leader.start()
    want(store, "a", NOON)
    assert eventually(lambda: first.subjects == {"a": 1})
    workshop.worker(second, "two", store=second_store, exclusive=True).start()
    want(store, "b", NOON)
    assert eventually(lambda: first.subjects == {"a": 1, "b": 1})
    assert leader.stop(PATIENCE) == 0
    want(store, "c", NOON)
    assert eventually(lambda: second.subjects == {"c": 1})


def test_an_exclusive_worker_takes_over_when_the_lease_of_a_dead_one_ends(
    store: Store, workshop: Workshop, clock: SettableClock
) -> None:
    with store.transaction() as session:
        assert sql.hold_lease(session, "worker", "dead", NOON, timedelta(seconds=30))
    log = Log()
    worker = workshop.worker(log, exclusive=True)
    want(store, "a", NOON)
    assert worker.run_due() == 0
    clock.advance(timedelta(seconds=30))
    assert worker.run_due() == 1


def test_an_exclusive_worker_keeps_its_lease_through_a_long_job(
    store: Store, workshop: Workshop, clock: SettableClock
) -> None:
    gate = Gate()
    want(store, "a", NOON)
    workshop.worker(gate, exclusive=True, lease=SHORT, threads=1, tick=3600).start()
    assert awaited(gate.began)
    clock.advance(timedelta(seconds=29))
    assert eventually(lambda: held_row(store, "a").lease_until == clock() + SHORT)
    clock.advance(timedelta(seconds=20))
    want(store, "b", clock())
    assert workshop.worker(Log(), "two", exclusive=True).run_due() == 0
    gate.through.set()


def test_a_synchronous_run_gives_the_exclusive_lease_back(store: Store, workshop: Workshop) -> None:
    want(store, "a", NOON)
    assert workshop.worker(Log(), exclusive=True).run_due() == 1
    want(store, "b", NOON)
    assert workshop.worker(Log(), "two", exclusive=True).run_due() == 1


def test_a_synchronous_run_beside_a_started_worker_leaves_the_lease(store: Store, workshop: Workshop) -> None:
    worker = workshop.worker(Log(), exclusive=True)
    worker.start()
    want(store, "a", NOON)
    worker.run_due()
    assert eventually(lambda: row(store, "a") is None)
    want(store, "b", NOON)
    assert workshop.worker(Log(), "two", exclusive=True).run_due() == 0


def test_a_worker_without_kinds_starts_and_does_nothing(store: Store, clock: SettableClock) -> None:
    want(store, "a", NOON)
    worker = Worker(store, Registry(), clock=clock, owner="one", exclusive=False)
    worker.start()
    assert worker.run_due() == 0
    assert worker.stop(PATIENCE) == 0
    assert row(store, "a") is not None
