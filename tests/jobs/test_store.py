"""Claims, fences and wake-ups on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event
from uuid import uuid4

import pytest

from jobs import store as sql
from jobs.errors import LostLease
from jobs.registry import Task
from models.job import Job
from models.session import Store
from tests.clock import NOON
from tests.jobs.bench import LEASE, awaited, claim, due, held_row, row, take, want

MINUTE = timedelta(minutes=1)
LATER = NOON + 60 * MINUTE


def finish(store: Store, task: Task) -> None:
    with store.transaction() as session:
        sql.finish(session, task)


def postpone(store: Store, task: Task, minutes: int, attempts: int = 0) -> None:
    with store.transaction() as session:
        sql.postpone(session, task, NOON + minutes * MINUTE, attempts)


def test_a_job_is_claimed_when_it_is_due_and_not_before(store: Store) -> None:
    want(store, "a", NOON)
    assert claim(store, NOON - MINUTE) is None
    task = take(store, NOON)
    assert (task.kind, task.subject_id, task.customer_id, task.epoch, task.attempts) == (
        "sync",
        "a",
        "acme",
        1,
        0,
    )


def test_only_the_asked_kinds_are_claimed(store: Store) -> None:
    want(store, "a", NOON, kind="purge")
    assert claim(store, NOON) is None


def test_of_several_wishes_the_earliest_wins(store: Store) -> None:
    want(store, "a", LATER)
    want(store, "a", NOON)
    want(store, "a", LATER)
    assert due(store, "a") == NOON


def test_a_held_job_is_not_claimed_again(store: Store) -> None:
    want(store, "a", NOON)
    take(store, NOON)
    assert claim(store, NOON + LEASE - MINUTE, "two") is None


def test_a_job_whose_holder_vanished_is_claimed_after_its_lease(store: Store) -> None:
    want(store, "a", NOON)
    take(store, NOON)
    task = take(store, NOON + LEASE, "two")
    assert (task.epoch, task.attempts) == (2, 1)


def test_a_finished_job_is_gone(store: Store) -> None:
    want(store, "a", NOON)
    finish(store, take(store, NOON))
    assert row(store, "a") is None
    assert due(store, "a") is None


def test_a_postponed_job_waits(store: Store) -> None:
    want(store, "a", NOON)
    postpone(store, take(store, NOON), 60, attempts=3)
    assert due(store, "a") == LATER
    assert claim(store, LATER - MINUTE) is None
    assert take(store, LATER).attempts == 3


@pytest.mark.parametrize("settle", [finish, lambda store, task: postpone(store, task, 60)])
def test_a_wish_made_while_the_job_is_worked_on_is_not_lost(store: Store, settle: type) -> None:
    want(store, "a", NOON)
    task = take(store, NOON)
    assert due(store, "a") is None
    want(store, "a", NOON + MINUTE)
    assert due(store, "a") == NOON + MINUTE
    settle(store, task)
    assert due(store, "a") == NOON + MINUTE
    assert take(store, NOON + MINUTE).epoch == 2


def test_postponing_wins_over_a_later_wish(store: Store) -> None:
    want(store, "a", NOON)
    task = take(store, NOON)
    want(store, "a", LATER)
    postpone(store, task, 30)
    assert due(store, "a") == NOON + 30 * MINUTE


def test_a_wish_for_later_outlives_the_holder_that_vanished(store: Store) -> None:
    want(store, "a", NOON)
    take(store, NOON)
    want(store, "a", LATER)
    task = take(store, NOON + LEASE, "two")
    assert due(store, "a") == LATER
    finish(store, task)
    assert due(store, "a") == LATER


def test_a_wish_for_now_is_met_by_the_claim_after_a_holder_that_vanished(store: Store) -> None:
    want(store, "a", NOON)
    take(store, NOON)
    want(store, "a", NOON)
    finish(store, take(store, NOON + LEASE, "two"))
    assert row(store, "a") is None


def test_a_former_holder_changes_nothing(store: Store) -> None:
    want(store, "a", NOON)
    old = take(store, NOON)
    new = take(store, NOON + LEASE, "two")
    with pytest.raises(LostLease), store.transaction() as session:
        sql.fence(session, old)
    with pytest.raises(LostLease), store.transaction() as session:
        sql.extend(session, old, LATER)
    with pytest.raises(LostLease):
        finish(store, old)
    with pytest.raises(LostLease):
        postpone(store, old, 60)
    with store.transaction() as session:
        sql.fence(session, new)
    assert held_row(store, "a").lease_owner == "two"


def test_a_settled_job_cannot_be_extended_by_a_late_heartbeat(store: Store) -> None:
    want(store, "a", NOON)
    task = take(store, NOON)
    postpone(store, task, 1)
    with pytest.raises(LostLease), store.transaction() as session:
        sql.extend(session, task, LATER)
    assert take(store, NOON + MINUTE).epoch == 2


def test_an_expired_lease_that_nobody_took_can_still_be_extended(store: Store) -> None:
    want(store, "a", NOON)
    task = take(store, NOON)
    with store.transaction() as session:
        sql.extend(session, task, LATER)
    assert claim(store, LATER - MINUTE, "two") is None


def test_removing_fences_the_holder_and_may_be_repeated(store: Store) -> None:
    want(store, "a", NOON)
    task = take(store, NOON)
    for _ in range(2):
        with store.transaction() as session:
            sql.remove(session, "sync", "a")
    with pytest.raises(LostLease), store.transaction() as session:
        sql.fence(session, task)
    with pytest.raises(LostLease):
        finish(store, task)


def test_a_job_made_anew_is_not_its_namesake(store: Store) -> None:
    want(store, "a", NOON)
    old = take(store, NOON)
    with store.transaction() as session:
        sql.remove(session, "sync", "a")
    want(store, "a", NOON)
    new = take(store, NOON)
    assert new.epoch == old.epoch
    with pytest.raises(LostLease), store.transaction() as session:
        sql.fence(session, old)


def test_a_wish_that_is_rolled_back_was_never_made(store: Store) -> None:
    unheld = Task("none", "sync", "a", "acme", epoch=1, attempts=0)
    with pytest.raises(LostLease), store.transaction() as session:  # noqa: PT012 -- a transaction that fails late
        sql.enqueue(session, "sync", "a", "acme", NOON, lambda: "id")
        sql.fence(session, unheld)
    assert row(store, "a") is None


def test_the_customer_with_the_fewest_held_jobs_goes_first(store: Store) -> None:
    for number in range(4):
        want(store, f"big-{number}", NOON - 60 * MINUTE + number * MINUTE, "big")
    want(store, "small-0", NOON, "small")
    want(store, "tiny-0", NOON - MINUTE, "tiny")
    order = [take(store, NOON).subject_id for _ in range(6)]
    assert order == ["big-0", "tiny-0", "small-0", "big-1", "big-2", "big-3"]


def test_of_one_customer_the_job_that_waited_longest_goes_first(store: Store) -> None:
    for name, minutes in (("b", 2), ("c", 1), ("a", 3)):
        want(store, name, NOON - minutes * MINUTE)
    assert [take(store, NOON).subject_id for _ in range(3)] == ["a", "b", "c"]


def test_a_fence_keeps_the_job_until_the_commit(store: Store, second_store: Store) -> None:
    """While a handler commits, another worker gets nothing, even though the lease has run out."""
    want(store, "a", NOON)
    task = take(store, NOON)
    fenced, looked = Event(), Event()

    def commit_late() -> None:
        with store.transaction() as session:
            sql.fence(session, task)
            fenced.set()
            looked.wait(0.2)
            sql.finish(session, task)

    with ThreadPoolExecutor(1) as pool:
        commit = pool.submit(commit_late)
        assert awaited(fenced)
        other = claim(second_store, NOON + LEASE, "two")
        looked.set()
        commit.result()
    assert other is None
    assert row(store, "a") is None


@pytest.mark.parametrize("jobs", [1, 200])
def test_many_threads_claim_every_job_exactly_once(store: Store, second_store: Store, jobs: int) -> None:
    with store.transaction() as session:
        for number in range(jobs):
            sql.enqueue(session, "sync", f"s{number}", f"c{number % 7}", NOON, lambda: str(uuid4()))
    barrier = Barrier(8)

    def claim_all(owner: int) -> list[str]:
        barrier.wait()
        claims = []
        while (task := claim(store if owner % 2 else second_store, NOON, f"w{owner}")) is not None:
            claims.append(task.subject_id)
        return claims

    with ThreadPoolExecutor(8) as pool:
        claims = [subject for part in pool.map(claim_all, range(8)) for subject in part]
    assert sorted(claims) == sorted(f"s{number}" for number in range(jobs))


def test_wishes_and_ends_that_meet_lose_no_wake_up(store: Store, second_store: Store) -> None:
    """A wish made while the job ends leads to one more run, whichever commits first."""
    want(store, "a", NOON)
    for _ in range(20):
        task = take(store, NOON)
        barrier = Barrier(2)

        def end(task: Task = task, barrier: Barrier = barrier) -> None:
            barrier.wait()
            finish(store, task)

        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(end)
            barrier.wait()
            want(second_store, "a", NOON)
            ending.result()
        assert due(store, "a") == NOON


def hold(store: Store, owner: str, minutes: float) -> bool:
    with store.transaction() as session:
        return sql.hold_lease(session, "worker", owner, NOON + minutes * MINUTE, 3 * MINUTE)


def test_a_lease_has_one_holder(store: Store) -> None:
    assert hold(store, "one", 0)
    assert not hold(store, "two", 2.9)
    assert hold(store, "two", 3)
    assert not hold(store, "one", 3)


def test_a_holder_keeps_its_lease_by_asking(store: Store) -> None:
    assert hold(store, "one", 0)
    assert hold(store, "one", 0.5)  # early: nothing is written
    assert hold(store, "two", 3)
    assert hold(store, "two", 4.5)
    assert not hold(store, "one", 6.5)


def test_a_lease_is_given_back_only_by_its_holder(store: Store) -> None:
    assert hold(store, "one", 0)
    for owner, free in (("two", False), ("one", True)):
        with store.transaction() as session:
            sql.release_lease(session, "worker", owner)
        assert hold(store, "three", 0) is free


def test_a_lease_from_a_clock_that_was_put_back_is_void(store: Store) -> None:
    assert hold(store, "one", 24 * 60)
    assert hold(store, "two", 0)


def test_a_holder_whose_clock_was_put_back_holds_for_the_new_time(store: Store) -> None:
    assert hold(store, "one", 24 * 60)
    assert hold(store, "one", 0)
    assert hold(store, "two", 3)


def test_of_many_that_ask_at_once_one_gets_the_lease(store: Store, second_store: Store) -> None:
    barrier = Barrier(6)

    def ask(number: int) -> bool:
        barrier.wait()
        return hold(store if number % 2 else second_store, f"w{number}", 0)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 1


def test_a_job_that_nobody_has_claimed_yet_goes_before_what_has_waited_longer(store: Store) -> None:
    for minutes, subject in enumerate(("old", "less old"), 1):
        want(store, subject, NOON)
        postpone(store, take(store, NOON), minutes)
    want(store, "new", NOON + 3 * MINUTE)
    order = [take(store, NOON + 5 * MINUTE).subject_id for _ in range(3)]
    assert order == ["new", "old", "less old"]


def test_of_two_customers_the_one_without_work_under_way_still_goes_first(store: Store) -> None:
    want(store, "mine", NOON)
    take(store, NOON)
    want(store, "mine too", NOON)
    want(store, "theirs", NOON + MINUTE, customer="rival")
    assert take(store, NOON + 2 * MINUTE).subject_id == "theirs"


def test_a_lease_has_an_owner_until_it_ends_and_a_job_exists_until_it_is_done(store: Store) -> None:
    with store.transaction() as session:
        assert sql.hold_lease(session, "turn", "one", NOON, MINUTE)
        assert sql.lease_owner(session, "turn", NOON) == "one"
        assert sql.lease_owner(session, "turn", NOON + MINUTE) is None
        assert not sql.exists(session, "sync", "a")
    want(store, "a", NOON)
    with store.reading() as session:
        assert sql.exists(session, "sync", "a")


def crowd(store: Store, customer: str, since: datetime, jobs: int = 600) -> None:
    """So many jobs of one customer, each claimed once before, one a second."""
    rows = [
        Job(
            job_id=str(uuid4()),
            kind="sync",
            subject_id=f"{customer}-{number}",
            customer_id=customer,
            due_at=since + timedelta(seconds=number),
            attempts=0,
            epoch=1,
        )
        for number in range(jobs)
    ]
    with store.transaction() as session:
        session.add_all(rows)


def test_a_customer_with_hundreds_of_waiting_jobs_keeps_no_other_waiting(store: Store) -> None:
    crowd(store, "giant", NOON)
    want(store, "small", LATER, customer="small")
    assert [take(store, LATER).subject_id for _ in range(3)] == ["small", "giant-0", "giant-1"]


def test_a_new_job_goes_first_among_its_customer_s_however_many_wait(store: Store) -> None:
    crowd(store, "acme", NOON)
    want(store, "new", LATER)
    assert [take(store, LATER).subject_id for _ in range(2)] == ["new", "acme-0"]


def test_a_job_whose_holder_vanished_waits_for_no_longer_queue(store: Store) -> None:
    want(store, "vanished", NOON)
    take(store, NOON)
    crowd(store, "acme", NOON + LEASE + MINUTE)
    assert take(store, LATER).subject_id == "vanished"
