"""`make bench-sync`: one large day read in three ways, against one Google on this machine; then a fleet's day.

`python -m tests.benchmarks.sync_bench [ROWS [LINKS [HOURS]]]` writes docs/benchmarks-sync.md where all is measured
in full; what was missed is shown as missed. Each way of reading has a process of its own, which ends before the next
one begins.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from models.session import Store
from tests.benchmarks.fleet import Day, Fleet, Shape, lay_out
from tests.benchmarks.fleet_worker import together
from tests.benchmarks.sync_page import page
from tests.benchmarks.sync_readers import Spent
from tests.migrated import migrate
from tests.postgres import fresh_pair, running_server, why_unavailable

ROWS = 2_000_000
SAMPLE = 500_000
"""Rows that the slower ways read: their time for each row does not depend on it."""
PAGE = Path("docs/benchmarks-sync.md")


@contextmanager
def google(rows: int) -> Iterator[int]:
    """A Google with one day of so many rows; its port."""
    command = [sys.executable, "-m", "tests.benchmarks.sync_google", str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def read(way: str, port: int, rows: int, folder: Path) -> Spent:
    """One way of reading, in a process of its own; with one arena for memory, or what threads freed would count."""
    command = [sys.executable, "-m", "tests.benchmarks.sync_readers", way, str(port), str(rows), str(folder)]
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return Spent(**json.loads(done.stdout.splitlines()[-1]))


def measured(rows: int) -> list[Spent]:
    """Ours, the sample loop, REST by hand."""
    few = min(rows, SAMPLE)
    with google(rows) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        read("REST by hand", port, few, folder)  # the first time writes the bodies down
        return [
            read("ours", port, rows, folder / "ours"),
            read("sample loop", port, few, folder),
            read("REST by hand", port, few, folder),
        ]


def fleet(shape: Shape, seconds: float = 20.0) -> tuple[Fleet | None, tuple[int, int]]:
    """The fleet's day, then runs ended by one worker process and by four; None where there is no PostgreSQL."""
    if why := why_unavailable(os.environ):
        sys.stderr.write(f"{why}\n")
        return None, (0, 0)
    with running_server(os.environ) as server, fresh_pair(server) as urls:
        migrate(urls.data, "data")
        store = Store(urls.data)
        found = Day(store, shape, lay_out(store, shape)).simulate()
        store.close()
        return found, (together(urls.data, 1, seconds, 0.5), together(urls.data, 4, seconds, 0.5))


def main() -> None:
    """Measure and write."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    links = int(sys.argv[2]) if len(sys.argv) > 2 else Shape().links
    hours = timedelta(hours=float(sys.argv[3]) if len(sys.argv) > 3 else 24)
    text = page(measured(rows), *fleet(Shape(links=links, lasts=hours)), datetime.now(UTC))
    sys.stdout.write(text)
    if len(sys.argv) == 1:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
