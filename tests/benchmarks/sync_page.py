"""The page of documentation that `make bench-sync` writes."""

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.benchmarks.fleet import ANSWER, BUDGET, REPORTS, THREADS, WORKERS, Fleet
from tests.benchmarks.sync_readers import Spent

RATE, RATIO, PEAK = 600_000, 7.0, 350.0
CORE, LATE, MORE = 0.02, 60.0, 3.5
Bar = tuple[str, str, str, bool]


def reading_bars(found: Sequence[Spent]) -> list[Bar]:
    """Of reading one large day: ours, the sample loop."""
    ours, sample, *_ = found
    return [
        ("rows a second of CPU, ours", f"{ours.rate:,.0f}", f"≥ {RATE:,}", ours.rate >= RATE),
        (
            "times the sample loop",
            f"{ours.rate / sample.rate:.1f}",
            f"≥ {RATIO:.0f}",
            ours.rate >= RATIO * sample.rate,
        ),
        ("peak memory, ours (MB)", f"{ours.peak_mb:.0f}", f"≤ {PEAK:.0f}", ours.peak_mb <= PEAK),
    ]


def fleet_bars(found: Fleet, one: int, four: int) -> list[Bar]:
    """Of a fleet's day, and of one and of four worker processes."""
    core, more = found.core(found.shape.interval), four / max(1, one)
    return [
        ("scheduler, share of a core", f"{core:.2%}".replace("%", " %"), f"≤ {CORE:.0%}", core <= CORE),
        ("a turn starts late by, p99 (s)", f"{found.late_p99:.1f}", f"≤ {LATE:.0f}", found.late_p99 <= LATE),
        ("Admin calls refused", f"{found.project.refused}", "0", not found.project.refused),
        ("work of four workers, times one's", f"{more:.1f}", f"≥ {MORE}", more >= MORE),
    ]


def table(bars: Sequence[Bar]) -> list[str]:
    """Bars as rows."""
    rows = [
        f"| {what} | {value} | {bar} | {'met' if met else '**missed**'} |" for what, value, bar, met in bars
    ]
    return ["| what | measured | bar | |", "|---|---|---|---|", *rows, ""]


def page(found: Sequence[Spent], fleet: Fleet | None, works: tuple[int, int], now: datetime) -> str:
    """The whole page; the fleet's part says why there is none where there is no PostgreSQL."""
    lines = [
        "# Reading a large day, and a fleet's day, measured",
        "",
        "This page is written by `make bench-sync`; what was missed is shown as missed.",
        f"{now.date()}, {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f} while it ran,",
        f"Python {platform.python_version()}.",
        "",
        "## One large day",
        "",
        f"One property, one day of {found[0].rows:,} rows in pages of 250,000: 50 audiences, each id in five of them.",
        "A local process has the pages ready and only sends them. *Ours* is a whole run: fetched through the official",
        "client, grouped, judged, sealed, committed to SQLite and served. The *sample loop* only touches each",
        "value, as Google's samples do. *REST by hand* only decodes JSON bodies that are there already (msgspec),",
        "without the network. Each way has a process of its own, with `MALLOC_ARENA_MAX=1`.",
        "",
        "| way | rows | CPU s | rows a CPU second | seconds | peak MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.way} | {one.rows:,} | {one.cpu:.2f} | {one.rate:,.0f} | {one.wall:.2f} | {one.peak_mb:.0f} |"
            for one in found
        ),
        "",
        *table(reading_bars(found)),
        "## A fleet's day",
        "",
    ]
    if fleet is None:
        return "\n".join([*lines, "Not measured: no PostgreSQL here.", ""])
    return "\n".join([*lines, *_fleet(fleet), *table(fleet_bars(fleet, *works))])


def _fleet(fleet: Fleet) -> list[str]:
    shape, project = fleet.shape, fleet.project
    hourly, runs = fleet.core(timedelta(hours=1)), max(1, len(fleet.late))
    return [
        f"{shape.links:,} links of {shape.segments} segments in PostgreSQL, a turn each {shape.interval}, for",
        f"{shape.lasts} by a simulated clock, {WORKERS} workers of {THREADS} threads. Job store, worker, spreading and",
        f"the Admin budget ({BUDGET:,} calls a day) are the product's; a run is a stand-in that spends its calls and",
        f"keeps a thread for {REPORTS} reports of {ANSWER.total_seconds()} s. Google's project-wide count refuses more",
        "than 50,000 a day, 1,200 a minute or 10 a second.",
        "",
        f"{len(fleet.late):,} runs started, {fleet.listed:,} of them listed, {project.calls:,} Admin calls, at most",
        f"{project.in_a_minute} in a minute; {fleet.put_off} listings put off.",
        f"Scheduling a run costs {fleet.each_ms:.2f} ms of CPU: {fleet.scheduler / runs * 1e3:.2f} ms in the worker,",
        f"{fleet.database / runs * 1e3:.2f} ms in PostgreSQL; with a turn each hour",
        f"the same fleet's scheduling would take {hourly:.1%} of a core.",
        "",
        "One worker process and four, all turns due, where Google takes half a second for an answer:",
        "",
    ]
