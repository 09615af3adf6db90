"""The same questions through HTTP: the real server in one process, the load generator in another."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.measure import Row, Timing, ms, row
from tests.benchmarks.questions import Questions, as_json, candidates
from tests.benchmarks.world import Shape


@dataclass(frozen=True, slots=True)
class Wire:
    """Where the server listens, and with what key."""

    port: int
    key: str
    link_id: str
    seconds: float = 4.0

    def load(self, what: str, bodies: Sequence[object], connections: int = 4) -> dict[str, Any]:
        """Ask for some seconds."""
        path = f"/v1/links/{self.link_id}/recordings/{what}"
        requests = [{"path": path, "key": self.key, "body": body} for body in bodies]
        command = [sys.executable, "-m", "tests.benchmarks.load", str(self.port), str(connections)]
        done = subprocess.run(
            [*command, str(self.seconds)],
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def timing(self, what: str, bodies: Sequence[object], connections: int = 4) -> Timing:
        """Ask, and sum up."""
        found = self.load(what, bodies, connections)
        return Timing(found["median"], found["p99"], found["calls"])


def measure(wire: Wire, shape: Shape, asked: Questions, known: Sequence[str]) -> list[Row]:
    """The rows of one warm server; the requests a second are those of the four connections."""
    mixed = [{"filter": as_json(one)} for one in asked.mixed]
    three = as_json(asked.three)
    for _ in range(2):  # the first brings the index into memory, the second what must be worked out once
        wire.load("query", mixed)
    found = wire.load("query", mixed)
    page = Timing(found["median"], found["p99"], found["calls"])
    few = [{"filter": three, "recording_ids": candidates(known, 50, seed)} for seed in range(40)]
    lots = [{"filter": three, "recording_ids": candidates(known, 10_000, seed)} for seed in range(4)]
    one = wire.timing("query", mixed, 1)
    return [
        row("first page through HTTP, 4 connections", page, 1, 4),
        Row(
            "· requests a second, one server process",
            "at least 3,000",
            f"{found['per_second']:,.0f}",
            found["per_second"] >= 3_000,
        ),
        Row("· 1 connection", "", one.text(), None),
        Row("match of 50 through HTTP, 4 connections", "", wire.timing("match", few).text(), None),
        Row("match of 10,000 through HTTP, 1 connection", "", wire.timing("match", lots, 1).text(), None),
        Row("count through HTTP, 4 connections", "", wire.timing("count", [{"filter": three}]).text(), None),
        Row(
            f"{shape.segments} facets through HTTP, 1 connection",
            "",
            ms(wire.timing("count", [{"filter": three, "by": "segment"}], 1).median),
            None,
        ),
    ]
