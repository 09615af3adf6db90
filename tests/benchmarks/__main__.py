"""`make bench`: builds the data, measures, prints the table, writes `docs/benchmarks.md`. See `--help`."""

import argparse
import sys
from pathlib import Path

from tests.benchmarks.customer import Customer, customer, measure
from tests.benchmarks.goals import goals
from tests.benchmarks.measure import plain
from tests.benchmarks.page import Report, machine, write
from tests.benchmarks.shelf import server
from tests.benchmarks.side import Line, compare
from tests.benchmarks.side import markdown as lines_as_table
from tests.benchmarks.wire import Wire

PEER_SEGMENTS = 100


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--size", type=float, nargs="+", default=[0.1, 1.0, 10.0], help="millions of recordings"
    )
    parser.add_argument("--segments", type=int, default=200, help="how many")
    parser.add_argument("--peers", type=float, default=1.0, help="millions for the side by side; 0 skips it")
    parser.add_argument("--no-http", action="store_true", help="measure in process only")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where benchmarks.md is written")
    return parser.parse_args()


def tell(text: str) -> None:
    """On the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _shape(one: Customer) -> str:
    stored = one.stored
    return (
        f"{stored.recordings:,} recordings, {stored.memberships:,} memberships, {one.shape.segments} segments, "
        f"{one.shape.days} days. Built, sealed and stored in {stored.build_seconds:.0f} s."
    )


def _sized(report: Report, size: float, segments: int, *, http: bool) -> None:
    tell(f"\n{size:g} million recordings, {segments} segments: building")
    with customer(int(size * 1e6), segments) as one:
        report.shapes[size] = _shape(one)
        tell(report.shapes[size])
        report.rows[size] = measure(one, http=http)
        report.numbers[size] = one.numbers
    report.sizes.append(size)
    tell(plain(report.rows[size]))


def _side_by_side(report: Report, size: float, *, http: bool) -> None:
    tell(f"\nside by side: {size:g} million recordings, {PEER_SEGMENTS} segments")
    with customer(int(size * 1e6), PEER_SEGMENTS) as one:
        report.peer_shape = _shape(one)
        report.peers = _compared(one, http=http)
    report.goals = goals(report.peers)
    tell(lines_as_table(report.peers))
    tell(plain(report.goals))


def _compared(one: Customer, *, http: bool) -> list[Line]:
    index = one.shelf.serve(one.shelf.cache()).index
    size = one.shelf.table_bytes()[1]
    if not http:
        return compare(index, one.shape, size, None)
    with server(one.shelf.folder) as (port, _):
        return compare(index, one.shape, size, Wire(port, one.shelf.key(), one.shelf.link_id))


def main() -> None:
    """Run."""
    asked = _arguments()
    report = Report(" ".join(["python -m tests.benchmarks", *sys.argv[1:]]), machine())
    if not sys.argv[1:]:
        report.command = "make bench"
    for size in asked.size:
        _sized(report, size, asked.segments, http=not asked.no_http)
    if asked.peers:
        _side_by_side(report, asked.peers, http=not asked.no_http)
    write(report, asked.docs)
    tell(f"\nwritten: {asked.docs / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
