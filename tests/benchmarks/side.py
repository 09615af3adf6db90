"""Ours and the peers side by side: one table, answers checked equal before any is timed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ga_sync.index.expression import All, Any_, Not, Segment
from ga_sync.index.query import LinkIndex
from tests.benchmarks.measure import Timing, ms, timed
from tests.benchmarks.peers import PEERS, Data, Peer
from tests.benchmarks.questions import as_json, candidates
from tests.benchmarks.wire import Wire
from tests.benchmarks.world import Shape

COLUMNS = ("first page of 50", "count, large", "match of 50", "match of 10,000", "bytes a membership")


@dataclass(frozen=True, slots=True)
class Line:
    """One of those compared: milliseconds, and bytes a membership; or why it is not there."""

    name: str
    page: float = 0.0
    count: float = 0.0
    few: float = 0.0
    lots: float = 0.0
    each: float = 0.0
    absent: str = ""


def gather(index: LinkIndex, shape: Shape) -> Data:
    """What the index holds, as the peers take it."""
    everybody = Any_(tuple(Segment(name) for name in shape.names))
    ids = [id_ for id_, _ in index.export(everybody, None, None)]
    place = {id_: at for at, id_ in enumerate(ids)}
    members = {
        name: np.fromiter((place[id_] for id_, _ in index.export(Segment(name), None, None)), np.uint32)
        for name in shape.names
    }
    return Data(ids, {name: np.sort(held) for name, held in members.items()})


class Ours:
    """The index, in this process."""

    name = "ga-sync, in process"

    def __init__(self, index: LinkIndex, size: int) -> None:
        self._index, self._size = index, size

    def page(self, a: str, b: str, c: str) -> list[str]:
        return self._index.query(_without(a, b, c), None, None, None, 50)[0]

    def count(self, a: str, b: str, c: str) -> int:
        return self._index.count(_without(a, b, c), None, None)

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        flags = self._index.match(_without(a, b, c), ids, None, None)
        return {id_ for id_, yes in zip(ids, flags, strict=True) if yes}

    def size(self) -> int:
        return self._size


def _without(a: str, b: str, c: str) -> All:
    return All((Segment(a), Segment(b), Not(Segment(c))))


def compare(index: LinkIndex, shape: Shape, size: int, wire: Wire | None) -> list[Line]:
    """Ask everybody. Raises AssertionError where an answer differs."""
    data = gather(index, shape)
    index.warm()
    ours = Ours(index, size)
    lines = [_line(ours, ours, shape, data)]
    if wire is not None:
        lines.append(_through(wire, shape, data))
    for name, opened in PEERS.items():
        with opened(data) as peer:
            lines.append(Line(name, absent=peer) if isinstance(peer, str) else _line(peer, ours, shape, data))
    return lines


def _triples(shape: Shape) -> list[tuple[str, str, str]]:
    names = shape.names
    return [(names[at], names[at + 1], names[at + 2]) for at in range(3)]


def _line(peer: Peer, ours: Peer, shape: Shape, data: Data) -> Line:
    triples = _triples(shape)
    few = [candidates(data.ids, 50, seed) for seed in range(20)]
    lots = [candidates(data.ids, 10_000, seed) for seed in range(4)]
    for triple in triples:
        assert peer.page(*triple) == ours.page(*triple), peer.name
        assert peer.count(*triple) == ours.count(*triple), peer.name
        assert peer.match(*triple, lots[0]) == ours.match(*triple, lots[0]), peer.name
    return Line(
        peer.name,
        timed(lambda n: peer.page(*triples[n % 3]), 5_000).median,
        timed(lambda n: peer.count(*triples[n % 3]), 5_000).median,
        timed(lambda n: peer.match(*triples[n % 3], few[n % 20]), 5_000).median,
        timed(lambda n: peer.match(*triples[n % 3], lots[n % 4]), 100).median,
        peer.size() / data.memberships,
    )


def _through(wire: Wire, shape: Shape, data: Data) -> Line:
    filters = [as_json(_without(*triple)) for triple in _triples(shape)]

    def median(what: str, bodies: list[object]) -> float:
        found: Timing = wire.timing(what, bodies, 1)
        return found.median

    def asked(count: int) -> list[object]:
        return [
            {"filter": filters[seed % 3], "recording_ids": candidates(data.ids, count, seed)}
            for seed in range(4)
        ]

    plain: list[object] = [{"filter": filter_} for filter_ in filters]
    return Line(
        "ga-sync, through HTTP",
        median("query", plain),
        median("count", plain),
        median("match", asked(50)),
        median("match", asked(10_000)),
    )


def markdown(lines: Sequence[Line]) -> str:
    """As a table; what is absent says why."""
    rows = [f"| | {' | '.join(COLUMNS)} |", "|" + "---|" * (len(COLUMNS) + 1)]
    for line in lines:
        if line.absent:
            rows.append(f"| {line.name} | skipped: {line.absent} |" + " |" * (len(COLUMNS) - 1))
            continue
        each = f"{line.each:.1f}" if line.each else ""
        cells = [*map(ms, (line.page, line.count, line.few, line.lots)), each]
        rows.append(f"| {line.name} | {' | '.join(cells)} |")
    return "\n".join(rows)
