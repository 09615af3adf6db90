"""A few of the points at which `make kill` kills: what was acknowledged is true, what was begun ends the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill.looks import Findings
from tests.kill.processes import AtCall, Watch

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "tests.kill", "--seed", "20261123", "--points", "1", "--on"]


def _killed(kind: str, *more: str, url: str = "") -> str:
    """In a process of its own: this one has threads, and must not fork."""
    surroundings = os.environ | ({"GA_SYNC_TEST_DATABASE_URL": url} if url else {})
    done = subprocess.run(
        [*COMMAND, kind, *more], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_a_kill_at_any_write_loses_nothing_that_was_acknowledged_on_sqlite() -> None:
    said = _killed("sqlite", "--act", "link", "rotate", "revoke")
    assert " kills, 0 violations" in said
    assert "what was begun ends the same: looked at" in said


@pytest.mark.timeout(600)
def test_a_kill_at_any_write_loses_nothing_that_was_acknowledged_on_postgresql(postgres_url: str) -> None:
    assert " kills, 0 violations" in _killed("postgresql", "--act", "forget", "sync", url=postgres_url)


def test_a_violation_is_counted_and_told() -> None:
    found = Findings()
    found.check("it holds", "here", holds=True)
    found.check("it holds", "there", holds=False)
    assert (found.checked["it holds"], found.violations) == (2, ["it holds: there"])


@pytest.mark.parametrize("unfinished", ["7 <... fsync resumed>) = 0", "7 +++ killed by SIGKILL +++"])
def test_the_points_are_the_calls_of_the_busiest_thread(tmp_path: Path, unfinished: str) -> None:
    watch = Watch(tmp_path / "log")
    calls = ["7 fsync(3) = 0", "7 fsync(3 <unfinished ...>", unfinished, "8 fsync(3) = 0", "8 write(1) = 1"]
    watch.log.write_text("\n".join(calls))
    assert watch.calls() == [AtCall("fsync", 1), AtCall("fsync", 2), AtCall("write", 1)]
