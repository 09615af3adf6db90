"""A small fleet through some hours, and what a page says of it."""

from datetime import timedelta

import pytest

from models.session import Store
from tests.benchmarks.fleet import A_SECOND, START, Day, Fleet, Project, Shape, lay_out
from tests.benchmarks.fleet_worker import together
from tests.benchmarks.sync_page import fleet_bars
from tests.postgres import DatabaseUrls

HOUR = timedelta(hours=1)


def test_a_small_fleet_starts_on_time_and_asks_nothing_that_is_refused(migrated_urls: DatabaseUrls) -> None:
    store = Store(migrated_urls.data)
    shape = Shape(links=120, segments=3, interval=HOUR, lasts=2 * HOUR)
    found = Day(store, shape, lay_out(store, shape), wishes=5).simulate()
    store.close()
    assert 2 * 120 <= len(found.late) <= 2 * 120 + 5
    assert 0 <= found.late_p99 <= 2
    assert found.project.refused == found.put_off == 0
    assert found.listed >= 120
    assert found.scheduler > 0


def test_google_s_count_refuses_what_is_too_much() -> None:
    project = Project()
    for _ in range(A_SECOND):
        project.asked(START)
    assert project.refused == 0
    project.asked(START)
    project.asked(START + timedelta(seconds=1))
    assert (project.refused, project.calls, project.in_a_minute) == (1, 12, 12)


@pytest.mark.parametrize("processes", [1, 2])
def test_worker_processes_share_the_fleet_s_work(migrated_urls: DatabaseUrls, processes: int) -> None:
    store = Store(migrated_urls.data)
    lay_out(store, Shape(links=200, segments=1))
    store.close()
    assert 0 < together(migrated_urls.data, processes, 1.0, 0.2) <= 200


def test_each_bar_of_the_fleet_is_told_as_it_was_measured() -> None:
    found = Fleet(Shape(), late=[1.0] * 990 + [90.0] * 10, scheduler=2.0, database=1.0)
    bars = {what: (value, met) for what, value, _, met in fleet_bars(found, 10, 34)}
    assert bars["scheduler, share of a core"] == ("0.35 %", True)
    assert bars["a turn starts late by, p99 (s)"] == ("90.0", False)
    assert bars["Admin calls refused"] == ("0", True)
    assert bars["work of four workers, times one's"] == ("3.4", False)
