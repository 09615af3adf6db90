"""`make kill`: SIGKILL at every system call that writes, during link, rotate, forget, revoke and sync, on both stores.

`python -m tests.kill [--seed N] [--points N] [--on sqlite] [--act revoke]`: of the points, which strace finds, so many
are drawn for each operation (all of them without it), and beside them instants. Without strace: instants alone.
Afterwards the product starts again, and each invariant is looked at. Ends with 1 where one was violated.
"""

import argparse
import os
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from tests.kill import acts, processes
from tests.kill.acts import ACTS, Act, Json, Town
from tests.kill.after import after
from tests.kill.google import google
from tests.kill.places import place
from tests.kill.processes import AtInstant, Blow, Ended, Spared, Watch, asked, strace, struck

INSTANTS = 10
KINDS = ("sqlite", "postgresql")


class Killing:
    """Every point of every operation at one place."""

    def __init__(self, town: Town, ids: Json, chance: random.Random, points: int | None) -> None:
        self._town, self._ids, self._chance, self._points = town, ids, chance, points
        self.checked: Counter[str] = Counter()
        self.violations: list[str] = []
        self.kills = 0

    def act(self, kind: str, act: Act) -> None:
        """Kill one operation, again and again."""
        blows, all_of_them = self._blows(act)
        ended = [self._one(kind, act, blow) for blow in blows]
        killed = [one for one in ended if one.code is None]
        told = sum(bool(one.printed) for one in killed)
        self.kills += len(killed)
        where = Counter(str(blow).partition(" ")[0] for blow in blows if isinstance(blow, processes.AtCall))
        say(
            f"{kind}, {act.name}: killed {len(killed)} times of {len(blows)} ({all_of_them} points in all; "
            f"{dict(where)}, and {len(blows) - where.total()} instants), {told} times after a first answer"
        )

    def _blows(self, act: Act) -> tuple[Sequence[Blow], int]:
        """Where to strike, and how many points there are: the operation is watched once, and must end well."""
        watch = Watch(self._town.place.folder.parent / "calls")
        lived = self._one("unharmed", act, watch if strace() else Spared())
        assert lived.code == 0, lived
        calls: list[Blow] = list(watch.calls()) if strace() else []
        wanted = len(calls) if self._points is None else min(self._points, len(calls))
        drawn = self._chance.sample(calls, wanted)
        spans = INSTANTS if self._points is None else self._points // 5
        spans += 0 if calls else (self._points or 50)
        return [*drawn, *(AtInstant(self._chance.uniform(0, lived.seconds)) for _ in range(spans))], len(
            calls
        )

    def _one(self, kind: str, act: Act, blow: Blow) -> Ended:
        town, ids = self._town, self._ids
        town.place.put_back()
        town.refill()
        given = {**ids, **asked(lambda: act.ready(town, ids))}
        ended = struck(lambda: act.do(town, given), blow, town.place.folder.parent)
        where = f"{kind}, {act.name}, killed at {blow}, had said {ended.printed}"
        try:
            told = asked(lambda: after(town, act.name, ids, given, ended.printed, done=ended.code == 0))
        except RuntimeError as error:
            told = {"checked": {}, "violations": [f"it starts and works again: {error}"]}
        self.checked += Counter(told["checked"]) + Counter(["it starts and works again"])
        for violation in told["violations"]:
            self.violations.append(f"{where}: {violation}")
            say(f"VIOLATED {self.violations[-1]}")
        return ended


def killings(seed: int, kinds: Sequence[str], named: Sequence[str], points: int | None) -> Iterator[Killing]:
    """Of each kind of database."""
    with google(seed) as where:
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder, place(kind, Path(folder)) as stands:
                town = Town(stands, where)
                ids = asked(lambda town=town: acts.furnish(town))  # type: ignore[misc]
                stands.keep()
                killing = Killing(town, ids, random.Random(seed), points)
                for act in (one for one in ACTS if one.name in named):
                    killing.act(kind, act)
                yield killing


def main() -> int:
    """Kill, and tell."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])
    given = _arguments()
    say(f"seed {given.seed}" + ("" if strace() else ": no strace here, so at random instants alone"))
    checked: Counter[str] = Counter()
    violations, kills = 0, 0
    for killing in killings(given.seed, given.on, given.act, given.points):
        checked += killing.checked
        violations, kills = violations + len(killing.violations), kills + killing.kills
    for invariant, looks in sorted(checked.items()):
        say(f"{invariant}: looked at {looks} times")
    say(f"{kills} kills, {violations} violations")
    return int(bool(violations) or not kills)


def _arguments() -> argparse.Namespace:
    names = [act.name for act in ACTS]
    parser = argparse.ArgumentParser(prog="python -m tests.kill")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--points", type=int, help="so many of each operation; all without it")
    parser.add_argument("--on", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--act", nargs="+", choices=names, default=names)
    return parser.parse_args()


def say(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    sys.exit(main())
