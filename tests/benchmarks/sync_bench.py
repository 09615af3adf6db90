"""`make bench-sync`: one large day read in three ways, side by side, against one Google on this machine.

`python -m tests.benchmarks.sync_bench [ROWS]` writes docs/benchmarks-sync.md; what was missed is shown as missed. Each
way runs in a process of its own, which ends before the next one begins.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tests.benchmarks.sync_readers import Spent

ROWS = 2_000_000
SAMPLE = 500_000
"""Rows that the slower ways read: their time for each row does not depend on it."""
PAGE = Path("docs/benchmarks-sync.md")
RATE, RATIO, PEAK = 600_000, 7.0, 350.0


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


def page(found: list[Spent], now: datetime) -> str:
    """The page of documentation."""
    ours, sample, _ = found
    bars = [
        ("rows a second of CPU, ours", f"{ours.rate:,.0f}", f"≥ {RATE:,}", ours.rate >= RATE),
        (
            "times the sample loop",
            f"{ours.rate / sample.rate:.1f}",
            f"≥ {RATIO:.0f}",
            ours.rate >= RATIO * sample.rate,
        ),
        ("peak memory, ours (MB)", f"{ours.peak_mb:.0f}", f"≤ {PEAK:.0f}", ours.peak_mb <= PEAK),
    ]
    machine = (
        f"{now.date()}, {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} while it ran, "
        f"Python {platform.python_version()}."
    )
    lines = [
        "# Reading a large day, measured",
        "",
        "This page is written by `make bench-sync`; what was missed is shown as missed.",
        machine,
        "",
        f"One property, one day of {ours.rows:,} rows in pages of 250,000: 50 audiences, each id in five of them.",
        "A local process has the pages ready and only sends them. *Ours* is a whole run: fetched through the official",
        "client, grouped, judged, sealed, committed to SQLite and served. The *sample loop* only touches each",
        "value, as Google's samples do. *REST by hand* only decodes JSON bodies that are there already (msgspec),",
        "without the network.",
        "Each way has a process of its own, with `MALLOC_ARENA_MAX=1`.",
        "",
        "| way | rows | CPU s | rows a CPU second | seconds | peak MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.way} | {one.rows:,} | {one.cpu:.2f} | {one.rate:,.0f} | {one.wall:.2f} | {one.peak_mb:.0f} |"
            for one in found
        ),
        "",
        "| what | measured | bar | |",
        "|---|---|---|---|",
        *(
            f"| {what} | {value} | {bar} | {'met' if met else '**missed**'} |"
            for what, value, bar, met in bars
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    text = page(measured(rows), datetime.now(UTC))
    sys.stdout.write(text)
    if rows == ROWS:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
