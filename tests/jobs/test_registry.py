"""What may be registered, and what a handler may answer."""

from datetime import datetime, timedelta

import pytest

from jobs.errors import GiveUp, JobsError, LostLease, RetryAt
from jobs.registry import Again, Done, Held, Registry, Task
from tests.clock import NOON
from tests.jobs.bench import LEASE, RETRY, registry_of


def nothing(_task: Task, _held: Held) -> Done:
    return Done()


def test_a_kind_is_found_with_what_it_was_registered_with() -> None:
    entry = registry_of(nothing).entry("sync")
    assert (entry.handler, entry.lease, entry.retry) == (nothing, LEASE, RETRY)


def test_a_kind_has_one_handler() -> None:
    registry = registry_of(nothing)
    with pytest.raises(ValueError, match="already"):
        registry.register("sync", nothing, lease=LEASE, retry=RETRY)


def test_a_lease_takes_time() -> None:
    with pytest.raises(ValueError, match="longer"):
        Registry().register("sync", nothing, lease=timedelta(0), retry=RETRY)


def test_the_shortest_lease_sets_the_pace() -> None:
    registry = registry_of(nothing)
    registry.register("purge", nothing, lease=LEASE / 2, retry=RETRY)
    assert registry.shortest_lease() == LEASE / 2
    assert registry.kinds() == ("sync", "purge")
    assert Registry().shortest_lease() is None


def test_an_unknown_kind_has_no_entry() -> None:
    with pytest.raises(KeyError):
        Registry().entry("sync")


def test_times_without_a_zone_are_refused() -> None:
    naive = datetime(2026, 11, 23)  # noqa: DTZ001 -- that is the point
    with pytest.raises(ValueError, match="zone"):
        Again(naive)
    with pytest.raises(ValueError, match="zone"):
        RetryAt(naive, "quota")


def test_errors_say_why_and_share_a_root() -> None:
    assert str(RetryAt(NOON, "quota")) == "quota: again at 2026-11-23T12:00:00+00:00"
    assert (RetryAt(NOON, "quota").when, GiveUp("gone").why) == (NOON, "gone")
    assert all(issubclass(error, JobsError) for error in (RetryAt, GiveUp, LostLease))
