"""`make chaos`: walks through bad days at Google, seeded; prints the seed, each invariant, and what it cost.

`python -m tests.chaos [SEED] [WALKS]`: without a seed one is drawn. Ends with 1 where an invariant was violated.
"""

import secrets
import sys
import tempfile
from collections import Counter
from pathlib import Path

import structlog

from tests.chaos.walk import COST, IN_TIME, Findings, walk

SHOPS, ROUNDS, WALKS = 5, 12, 3


def both(seed: int, shops: int, rounds: int) -> tuple[Findings, Findings]:
    """The same walk on a bad day and on a good one."""
    with tempfile.TemporaryDirectory() as bad, tempfile.TemporaryDirectory() as good:
        disturbed = walk(Path(bad), seed, shops=shops, rounds=rounds, disturbed=True)
        calm = walk(Path(good), seed, shops=shops, rounds=rounds, disturbed=False)
    return disturbed, calm


def main() -> int:
    """Walk, and tell."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])
    first = int(sys.argv[1]) if len(sys.argv) > 1 else secrets.randbelow(1 << 31)
    walks = int(sys.argv[2]) if len(sys.argv) > 2 else WALKS
    checked: Counter[str] = Counter()
    violations: list[str] = []
    needed: list[int] = []
    costs = [0, 0]
    for seed in range(first, first + walks):
        disturbed, calm = both(seed, SHOPS, ROUNDS)
        checked += disturbed.checked
        violations += disturbed.violations + calm.violations
        needed += disturbed.runs_needed
        costs = [costs[0] + disturbed.requests, costs[1] + calm.requests]
        say(f"seed {seed}: {disturbed.disturbed:.0%} of the calls disturbed: {dict(disturbed.faults)}")
    in_time, cost = sum(runs <= 3 for runs in needed) / len(needed), costs[0] / costs[1]
    for invariant, looks in sorted(checked.items()):
        say(f"{invariant}: looked at {looks} times")
    say(f"done within 3 runs: {in_time:.1%} of {len(needed)} syncs (at least {IN_TIME:.1%})")
    say(f"report requests: {cost:.2f} times those of good days (at most {COST})")
    for violation in violations:
        say(f"VIOLATED {violation}")
    return int(bool(violations) or in_time < IN_TIME or cost > COST)


def say(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
