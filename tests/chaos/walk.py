"""A walk of many syncs through a bad day, and what must be true after every one of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from models.link import LinkStatus
from models.run import RunStatus
from tests.chaos.stage import BUDGET, INTERVAL, Stage, staged
from tests.clock import NOON

GOOD = {"provisional", "complete"}
AT_ONCE = 4
ERRORS_AN_HOUR = 5
COST = 1.35
IN_TIME = 0.995
RUNS = 3
SERVER_ERRORS = ("UNAVAILABLE", "INTERNAL", "UNKNOWN")


@dataclass
class Findings:
    """What a walk showed: how often each invariant was looked at, and every violation with where it was."""

    seed: int
    checked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    runs_needed: list[int] = field(default_factory=list)
    requests: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __or__(self, other: "Findings") -> "Findings":
        """Both walks together."""
        return Findings(
            self.seed,
            self.checked + other.checked,
            self.violations + other.violations,
            self.runs_needed + other.runs_needed,
            self.requests + other.requests,
            self.calls + other.calls,
            self.faults + other.faults,
        )

    @property
    def disturbed(self) -> float:
        """The part of the calls that were disturbed."""
        return self.faults.total() / max(1, self.calls)

    def check(self, invariant: str, where: str, *, holds: bool) -> None:
        """Note one look."""
        self.checked[invariant] += 1
        if not holds:
            self.violations.append(f"{invariant}: {where} (seed {self.seed})")

    @property
    def in_time(self) -> float:
        """The part of the syncs that were done within three runs."""
        return sum(runs <= RUNS for runs in self.runs_needed) / max(1, len(self.runs_needed))


def walk(folder: Path, seed: int, *, shops: int, rounds: int, disturbed: bool) -> Findings:
    """Each link is synchronised once a round; a run that had to stop goes on when it said it would."""
    found = Findings(seed)
    errors: dict[str, list[datetime]] = defaultdict(list)
    with staged(folder, seed, shops, disturbed=disturbed) as stage:
        for number in range(rounds):
            for link_id in stage.links:
                _sync(stage, link_id, found, errors[link_id], f"round {number}, {stage.links[link_id]}")
            stage.clock.set(max(stage.clock(), NOON + (number + 1) * INTERVAL))  # on good days as on bad ones
        found.requests, found.calls = stage.disturber.reports, stage.disturber.calls
        found.faults = stage.disturber.disturbed
        _calm(stage, found)
        for name, peak in stage.peaks().items():
            found.check("at most 4 requests at a time", f"{name}: {peak}", holds=peak <= AT_ONCE)
        found.check("the Admin budget holds", str(stage.budget.spent()), holds=stage.budget.spent() <= BUDGET)
    return found


def _sync(stage: Stage, link_id: str, found: Findings, errors: list[datetime], where: str) -> None:
    for runs in range(1, 11):
        before = _server_errors(stage)
        again_at = stage.turn(link_id)
        errors += [stage.clock()] * (_server_errors(stage) - before)
        _look(stage, link_id, found, errors, f"{where}, run {runs}")
        if stage.last_run(link_id).status == RunStatus.SUCCEEDED:
            found.runs_needed.append(runs)
            return
        stage.clock.set(max(again_at, stage.clock() + timedelta(seconds=1)))
    found.check("every sync ends within ten runs", where, holds=False)


def _calm(stage: Stage, found: Findings) -> None:
    """The bad day is over: two hours later one run of each link mends whatever it left behind."""
    stage.disturber.on = False
    stage.clock.set(stage.clock() + timedelta(hours=2))
    for link_id, name in stage.links.items():
        stage.turn(link_id)
        truth, read = stage.truth(link_id), stage.read_now(link_id)
        well = stage.last_run(link_id).status == RunStatus.SUCCEEDED and all(
            state in GOOD and members == truth[day] for day, (state, members) in read.items()
        )
        found.check("one calm run mends every open day", name, holds=well and bool(read))
        left = {state for day, state in stage.states(link_id).items() if day in stage.window(link_id)}
        found.check("no day of the window stays doubtful", f"{name}: {left}", holds=left <= GOOD)


def _server_errors(stage: Stage) -> int:
    return sum(stage.disturber.report_errors[code] for code in SERVER_ERRORS)


def _look(stage: Stage, link_id: str, found: Findings, errors: list[datetime], where: str) -> None:
    truth, now = stage.truth(link_id), stage.clock()
    for day, (state, members) in stage.read_now(link_id).items():
        if state in GOOD:
            found.check("a good day is the truth", f"{where}, {day}", holds=members == truth[day])
        else:
            known = all(ids <= truth[day].get(one, set()) for one, ids in members.items())
            found.check("a doubtful day says no more than the truth", f"{where}, {day}", holds=known)
    lately = sum(now - at < timedelta(hours=1) for at in errors)
    found.check("at most 5 server errors an hour", f"{where}: {lately}", holds=lately <= ERRORS_AN_HOUR)
    row = stage.link(link_id)
    found.check("no link is broken by Google's faults", where, holds=row.status == LinkStatus.ACTIVE)
