"""What the side by side is measured against, as rows of the table."""

from collections.abc import Sequence

from tests.benchmarks.measure import Row
from tests.benchmarks.side import Line


def goals(lines: Sequence[Line]) -> list[Row]:
    """The rows for whoever is there."""
    found = {line.name: line for line in lines if not line.absent}
    ours, http = found["ga-sync, in process"], found.get("ga-sync, through HTTP")
    rows: list[Row] = []
    if postgres := found.get("PostgreSQL"):
        rows += _over_postgres(ours, postgres)
        rows += [] if http is None else _wire_to_wire(http, postgres)
    if (redis := found.get("Redis")) and http is not None:
        rows += [
            _faster("count through HTTP, against Redis", redis.count, http.count, 1),
            _faster("match of 10,000 through HTTP, against Redis", redis.lots, http.lots, 1),
        ]
    if limit := found.get("plain pyroaring"):
        rows += [
            _slower("first page, against plain pyroaring", ours.page, limit.page, 2),
            _slower("count, against plain pyroaring", ours.count, limit.count, 2),
            _slower("match of 50, against plain pyroaring", ours.few, limit.few, 2),
            _slower("match of 10,000, against plain pyroaring", ours.lots, limit.lots, 2),
        ]
    return rows


def _over_postgres(ours: Line, postgres: Line) -> list[Row]:
    return [
        _faster("first page in process, against PostgreSQL", postgres.page, ours.page, 15),
        _faster("match of 10,000 in process, against PostgreSQL", postgres.lots, ours.lots, 15),
        _faster("exact count of large segments, against PostgreSQL", postgres.count, ours.count, 100),
        _faster(
            "bytes at rest, sealed, against PostgreSQL's in clear", postgres.each, ours.each, 25, "smaller"
        ),
    ]


def _wire_to_wire(http: Line, postgres: Line) -> list[Row]:
    return [
        _faster("count through HTTP, against PostgreSQL", postgres.count, http.count, 1),
        _faster("match of 10,000 through HTTP, against PostgreSQL", postgres.lots, http.lots, 1),
        _slower("first page through HTTP, against PostgreSQL", http.page, postgres.page, 3),
        _slower("match of 50 through HTTP, against PostgreSQL", http.few, postgres.few, 3),
    ]


def _faster(what: str, theirs: float, ours: float, times: float, word: str = "faster") -> Row:
    found = theirs / ours
    return Row(what, f"{times:g} times {word}", f"{found:.1f} times {word}", found >= times)


def _slower(what: str, ours: float, theirs: float, times: float) -> Row:
    found = ours / theirs
    return Row(what, f"within {times:g} times", f"{found:.1f} times", found <= times)
