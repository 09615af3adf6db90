"""One customer of one size, made, kept sealed, and measured in every way."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ga_sync.index.query import LinkIndex
from tests.benchmarks import inprocess, wire
from tests.benchmarks.measure import Row, ms, timed
from tests.benchmarks.questions import Questions, questions
from tests.benchmarks.shelf import Shelf, Stored, resident, server
from tests.benchmarks.wire import Wire
from tests.benchmarks.world import RawDay, Shape, day_again, generate

LARGE = 1_000_000
COLD_RUNS = 3
KNOWN_A_DAY = 400


@dataclass
class Customer:
    """A shelf that is filled."""

    shape: Shape
    shelf: Shelf
    stored: Stored
    newest: RawDay
    oldest: RawDay
    known: list[str]
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def questions(self) -> Questions:
        """What is asked of it."""
        return questions(self.shape)


@contextmanager
def customer(recordings: int, segments: int) -> Iterator[Customer]:
    """Make one in a folder that is gone afterwards."""
    shape = Shape(recordings, datetime.now(UTC).date(), segments=segments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shelf = Shelf(Path(folder))
        ends: list[RawDay] = []
        known: dict[str, None] = {}
        stored = shelf.fill(shape.names, _watched(generate(shape), ends, known))
        yield Customer(shape, shelf, stored, ends[-1], ends[0], list(known))
        shelf.close()


def _watched(days: Iterator[RawDay], ends: list[RawDay], known: dict[str, None]) -> Iterator[RawDay]:
    """Keep the first and the last while they pass, and some ids of each."""
    for raw in days:
        ends[1:] = [raw]
        known |= dict.fromkeys(raw.ids[:KNOWN_A_DAY])
        yield raw


def measure(one: Customer, *, http: bool) -> list[Row]:
    """Every row of the table for one customer."""
    rows = [*_at_rest(one), *_cold(one)]
    cache = one.shelf.cache()
    index = one.shelf.serve(cache).index
    rows += inprocess.measure(index, one.shape, one.questions, one.known)
    one.numbers |= _numbers(index, one)
    rows.append(_replaced(one))
    del cache, index
    return rows + (_served(one) if http else [])


def _numbers(index: LinkIndex, one: Customer) -> dict[str, float]:
    """What the growth is drawn from."""
    asked = one.questions
    return {
        "first page, ms": inprocess.page(index, asked).median,
        "count, ms": timed(lambda _: index.count(asked.three, None, None), 200).median,
        "200 facets, ms": timed(
            lambda _: index.count_by_segment(asked.three, None, None, one.shape.names), 10
        ).median,
    }


def _at_rest(one: Customer) -> list[Row]:
    values, everything = one.shelf.table_bytes()
    stored = one.stored
    bar = 2 * stored.memberships + 24 * stored.recordings
    each = (everything - 24 * stored.recordings) / stored.memberships
    one.numbers["MB at rest"] = everything / 1e6
    return [
        Row(
            "bytes at rest, sealed, with the table's own",
            f"2 a membership + 24 a recording = {bar / 1e6:,.0f} MB",
            f"{everything / 1e6:,.0f} MB: {each:.2f} a membership + 24 a recording",
            everything <= bar,
        ),
        Row("· of it beside the sealed values", "", f"{(everything - values) / 1e6:.2f} MB", None),
    ]


def _cold(one: Customer) -> list[Row]:
    shape = one.shape
    command = [sys.executable, "-m", "tests.benchmarks.cold", str(one.shelf.folder)]
    runs = []
    for _ in range(COLD_RUNS):
        done = subprocess.run(
            [*command, str(shape.recordings), str(shape.segments)], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    one.numbers |= {
        "cold first page, ms": found["first"],
        "cold whole index, ms": found["whole"],
        "index, MB": found["index"] / 1e6,
    }
    first = 500 if shape.recordings >= LARGE else 80
    return [
        Row(
            "cold: database to first newest page",
            ms(first),
            ms(found["first"]),
            found["first"] <= first,
        ),
        Row("cold: database to the whole index", "5 s", ms(found["whole"]), found["whole"] <= 5_000),
        Row(
            "memory of the warm index: the whole process",
            "1 GB",
            f"{found['resident'] / 1e6:,.0f} MB, of it {found['index'] / 1e6:,.0f} MB counted as the index",
            found["resident"] <= 1e9,
        ),
    ]


def _replaced(one: Customer) -> Row:
    """From the first byte written to the first page that shows it, over newest and older days in turn."""
    cache, shelf = one.shelf.cache(), one.shelf
    shelf.serve(cache).index.query(one.questions.three, None, None, None, 50)
    taken = []
    for seed, raw in enumerate([one.newest, one.oldest, one.newest, one.newest, one.oldest]):
        again = day_again(one.shape, raw, seed)
        written = shelf.publish(again)
        began = time.perf_counter()
        shelf.serve(cache).index.query(one.questions.three, None, None, None, 50)
        taken.append((written + time.perf_counter() - began) * 1e3)
    found = statistics.median(taken)
    one.numbers["day replaced, ms"] = found
    return Row(
        "a day replaced: from its transaction to the first page that shows it",
        "200 ms",
        f"{ms(found)} median, {ms(max(taken))} at most",
        found <= 200,
    )


def _served(one: Customer) -> list[Row]:
    key = one.shelf.key()
    with server(one.shelf.folder) as (port, pid):
        rows = wire.measure(Wire(port, key, one.shelf.link_id), one.shape, one.questions, one.known)
        rows.append(Row("· memory of the server", "", f"{resident(pid) / 1e6:,.0f} MB", None))
    one.numbers["first page through HTTP, ms"] = float(rows[2].measured.split(" ")[0])
    return rows
