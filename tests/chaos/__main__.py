"""`make chaos`: walks through bad days at Google, seeded; prints the seed, each invariant, and what it cost.

`python -m tests.chaos [SEED] [WALKS]`: without a seed one is drawn. Ends with 1 where an invariant was violated or
a bar missed.
"""

import secrets
import sys
import tempfile
from pathlib import Path

import structlog

from tests.chaos.faults import LEAST, MOST
from tests.chaos.walk import COST, IN_TIME, RUNS, Findings, walk

SHOPS, ROUNDS, WALKS = 5, 12, 8


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
    bad, calm = Findings(first), Findings(first)
    for seed in range(first, first + walks):
        disturbed, undisturbed = both(seed, SHOPS, ROUNDS)
        bad, calm = bad | disturbed, calm | undisturbed
        say(f"seed {seed}: {disturbed.disturbed:.0%} of the calls disturbed: {dict(disturbed.faults)}")
    return int(not told(bad, calm))


def told(bad: Findings, calm: Findings) -> bool:
    """Say what was found, against the same walks on good days; whether every bar is met."""
    violations = bad.violations + calm.violations
    for invariant, looks in sorted((bad.checked + calm.checked).items()):
        broken = sum(one.startswith(invariant) for one in violations)
        say(f"{invariant}: looked at {looks} times, violated {broken} times")
    bars = [
        ("wrong answers and broken promises", f"{len(violations)}", "none", not violations),
        (
            "calls disturbed",
            f"{bad.disturbed:.1%}",
            f"{LEAST:.0%} to {MOST:.0%}",
            LEAST <= bad.disturbed <= MOST,
        ),
        (
            f"syncs done within {RUNS} runs",
            f"{bad.in_time:.1%} of {len(bad.runs_needed)}",
            f"at least {IN_TIME:.1%}",
            bad.in_time >= IN_TIME,
        ),
        (
            "report requests, times those of good days",
            f"{bad.requests / calm.requests:.2f}",
            f"at most {COST}",
            bad.requests <= COST * calm.requests,
        ),
    ]
    for what, value, bar, met in bars:
        say(f"{what}: {value} ({bar}): {'met' if met else 'MISSED'}")
    for violation in violations:
        say(f"VIOLATED {violation}")
    return all(met for *_, met in bars)


def say(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
