"""Everything that is measured without a network: parsed expression in, ids out."""

from collections.abc import Sequence

from ga_sync.index.query import LinkIndex
from tests.benchmarks.measure import Row, Timing, once, row, timed
from tests.benchmarks.questions import Questions, candidates
from tests.benchmarks.world import Shape


def page(index: LinkIndex, asked: Questions) -> Timing:
    """First pages of fifty, over the mixed filters."""
    many = asked.mixed
    return timed(lambda n: index.query(many[n % len(many)], None, None, None, 50), 3_000)


def measure(index: LinkIndex, shape: Shape, asked: Questions, known: Sequence[str]) -> list[Row]:
    """The rows of one warm index; `known` are ids of every day."""
    frm, to = asked.window
    first_use = once(lambda: index.query(asked.three, frm, to, None, 50))
    index.warm()
    many = asked.mixed
    rows = [
        row("first page of 50, a hundred filters of 1 to 5 segments", page(index, asked), 0.1, 0.5),
        row("· A and B without C", _page(index, asked, "three"), 0.1, 0.5),
        row("· the sparsest: three of the smallest", _page(index, asked, "rare"), 0.1, 0.5),
        row(
            "· in a window of 30 days",
            timed(lambda n: index.query(many[n % 100], frm, to, None, 50), 2_000),
            2,
        ),
        Row("· the first question ever about that window", "2 ms", f"{first_use:.2f} ms", first_use <= 2),
    ]
    index.warm(frm, to)
    return rows + _matches(index, asked, known) + _counts(index, shape, asked)


def _page(index: LinkIndex, asked: Questions, name: str) -> Timing:
    expression = getattr(asked, name)
    return timed(lambda _: index.query(expression, None, None, None, 50), 2_000)


def _matches(index: LinkIndex, asked: Questions, known: Sequence[str]) -> list[Row]:
    few = [candidates(known, 50, seed) for seed in range(40)]
    lots = [candidates(known, 10_000, seed) for seed in range(6)]
    return [
        row("match of 50", timed(lambda n: index.match(asked.three, few[n % 40], None, None), 1_000), 0.1),
        row("match of 10,000", timed(lambda n: index.match(asked.three, lots[n % 6], None, None), 60, 3), 12),
    ]


def _counts(index: LinkIndex, shape: Shape, asked: Questions) -> list[Row]:
    frm, to = asked.window
    three, names = asked.three, shape.names
    return [
        row(
            "exact count, three segments with a NOT", timed(lambda _: index.count(three, None, None), 500), 3
        ),
        row("· in a window of 30 days", timed(lambda _: index.count(three, frm, to), 500), 30),
        row(
            f"· its {len(names)} facets",
            timed(lambda _: index.count_by_segment(three, None, None, names), 20),
            60,
        ),
        row(
            f"· its {len(names)} facets in 30 days",
            timed(lambda _: index.count_by_segment(three, frm, to, names), 20),
            60,
        ),
        row("· its 90 days", timed(lambda _: index.count_by_day(three, None, None), 50), 60),
    ]
