"""A short walk through a bad day: nothing that is served as good is wrong, and Google's property is left in peace."""

import random
from pathlib import Path

import pytest

from tests.chaos.faults import LISTS, REPORTS, SHARE, Disturber, Mood
from tests.chaos.walk import Findings, walk

SEED = 20_261_123


def test_a_short_walk_keeps_every_promise(tmp_path: Path) -> None:
    found = walk(tmp_path, SEED, shops=3, rounds=4, disturbed=True)
    assert found.violations == []
    assert 0.2 < found.disturbed < 0.35
    assert len(found.runs_needed) == 12
    assert found.in_time >= 0.9  # of twelve; the bar of 99.5 % needs hundreds
    assert found.checked["a good day is the truth"] > 20


def test_a_walk_on_a_good_day_needs_one_run_each(tmp_path: Path) -> None:
    found = walk(tmp_path, SEED, shops=1, rounds=2, disturbed=False)
    assert (found.violations, found.runs_needed, found.disturbed) == ([], [1, 1], 0.0)


def test_a_violation_is_told_with_its_seed() -> None:
    found = Findings(7)
    found.check("it holds", "here", holds=True)
    found.check("it holds", "there", holds=False)
    assert (found.checked["it holds"], found.violations) == (2, ["it holds: there (seed 7)"])


@pytest.mark.parametrize("method", ["run_report", "list_audiences"])
def test_the_share_of_disturbed_calls_is_what_it_says_and_a_fault_waits_for_no_second_call(
    method: str,
) -> None:
    put: list[list[Mood]] = []
    disturber = Disturber(random.Random(1), put.append, lambda: None)
    for _ in range(3000):
        disturber(method)
    assert abs(disturber.share - SHARE) < 0.03
    kinds = {
        str(mood.get("code", mood["kind"])) for _, mood in (REPORTS if method == "run_report" else LISTS)
    }
    assert set(disturber.disturbed) == kinds | {"rename"}
    assert all(len(moods) <= 1 for moods in put)
