"""A short walk through a bad day: nothing that is served as good is wrong, and Google's property is left in peace."""

import random
from pathlib import Path

import pytest

from tests.chaos.__main__ import told
from tests.chaos.faults import LATER_PAGES, LEAST, LISTS, MOST, REPORTS, SETTLED, SHARE, Disturber, Mood
from tests.chaos.walk import Findings, walk

SEED = 20_261_123


def test_a_short_walk_keeps_every_promise(tmp_path: Path) -> None:
    found = walk(tmp_path, SEED, shops=3, rounds=4, disturbed=True)
    assert found.violations == []
    assert LEAST - 0.01 < found.disturbed < MOST + 0.01
    assert len(found.runs_needed) == 12
    assert found.in_time >= 0.9  # of twelve; the bar of 99.5 % needs hundreds
    assert found.checked["a good day is the truth"] > 20
    assert found.checked["one calm run mends every open day"] == 3


def test_a_walk_on_a_good_day_needs_one_run_each(tmp_path: Path) -> None:
    found = walk(tmp_path, SEED, shops=1, rounds=2, disturbed=False)
    assert (found.violations, found.runs_needed, found.disturbed) == ([], [1, 1], 0.0)


def test_a_violation_is_told_with_its_seed() -> None:
    found = Findings(7)
    found.check("it holds", "here", holds=True)
    found.check("it holds", "there", holds=False)
    assert (found.checked["it holds"], found.violations) == (2, ["it holds: there (seed 7)"])


def findings(*, requests: int = 100, runs: tuple[int, ...] = (1, 2, 3), faults: int = 28) -> Findings:
    found = Findings(7, runs_needed=list(runs), requests=requests, calls=100)
    found.check("it holds", "here", holds=True)
    found.faults["delay"] = faults
    return found


@pytest.mark.parametrize(
    ("bad", "missed"),
    [
        (findings(), []),
        (findings(requests=136), ["report requests"]),
        (findings(runs=(1, 4)), ["syncs done within 3 runs"]),
        (findings(faults=20), ["calls disturbed"]),
        (findings(faults=31), ["calls disturbed"]),
    ],
)
def test_every_bar_is_told_and_a_missed_one_fails_the_command(
    bad: Findings, missed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(bad, findings()) is not bool(missed)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "it holds: looked at 2 times, violated 0 times"
    assert len(lines) == 5
    assert [line.split(":")[0].split(",")[0] for line in lines if line.endswith("MISSED")] == missed


def test_a_broken_promise_is_told_and_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    bad = findings()
    bad.check("it holds", "there", holds=False)
    assert not told(bad, findings())
    assert "VIOLATED it holds: there (seed 7)" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["run_report", "list_audiences"])
def test_the_share_of_disturbed_calls_is_what_it_says_and_a_fault_waits_for_no_second_call(
    method: str,
) -> None:
    put: list[list[Mood]] = []
    disturber = Disturber(random.Random(1), put.append, lambda: None)
    for number in range(3000):
        disturber.begins(number % 2)
        disturber(method)
        assert number < 10 * SETTLED or LEAST - 0.01 < disturber.share < MOST + 0.01
    assert abs(disturber.share - SHARE) < 0.02
    kinds = {
        str(mood.get("code", mood["kind"])) for _, mood in (REPORTS if method == "run_report" else LISTS)
    }
    assert set(disturber.disturbed) == kinds | {"rename"}
    assert all(len(moods) <= 1 for moods in put)


def test_what_strikes_later_pages_is_not_wasted_on_a_first_one() -> None:
    put: list[list[Mood]] = []
    disturber = Disturber(random.Random(1), put.append, lambda: None)
    for _ in range(1000):
        disturber("run_report")
    assert put
    assert not {mood["kind"] for moods in put for mood in moods} & LATER_PAGES
