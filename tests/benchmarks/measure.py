"""Times and rows: what was asked, how long it took, and the bar that it had to pass."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MILLI = 1_000.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call, over many."""

    median: float
    p99: float
    calls: int

    def text(self) -> str:
        """For the table."""
        return f"{ms(self.median)} median, {ms(self.p99)} p99"


def ms(value: float) -> str:
    """Milliseconds with three digits that count."""
    if value >= 1_000:
        return f"{value / 1_000:.2f} s"
    return f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"


def timing(seconds: Sequence[float]) -> Timing:
    """Sum up single calls."""
    ordered = sorted(seconds)
    at = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return Timing(statistics.median(ordered) * MILLI, ordered[at] * MILLI, len(ordered))


def timed(call: Callable[[int], object], calls: int, budget: float = 4.0) -> Timing:
    """Call with 0, 1, 2, … so often, or for so many seconds, but at least three times, after two that do not count."""
    for number in range(2):
        call(number)
    taken: list[float] = []
    ends = time.perf_counter() + budget
    while len(taken) < calls and (len(taken) < 3 or time.perf_counter() < ends):
        began = time.perf_counter()
        call(len(taken))
        taken.append(time.perf_counter() - began)
    return timing(taken)


def once(call: Callable[[], object]) -> float:
    """Milliseconds of a single call."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * MILLI


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: Was measured.
        bar: In words.
        measured: In words.
        passed: None where there is no bar to pass.
    """

    what: str
    bar: str
    measured: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "ok", False: "missed", None: ""}[self.passed]


def row(what: str, measured: Timing, median: float, p99: float | None = None) -> Row:
    """A line with bars in milliseconds."""
    bar = f"{ms(median)} median" + (f", {ms(p99)} p99" if p99 is not None else "")
    passed = measured.median <= median and (p99 is None or measured.p99 <= p99)
    return Row(what, bar, measured.text(), passed)


def markdown(rows: Sequence[Row]) -> str:
    """The table of `docs/benchmarks.md`."""
    head = ["| what | at most | measured | |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {r.what} | {r.bar} | {r.measured} | {r.verdict} |" for r in rows)])


def plain(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    widths = [max(len(getattr(r, name)) for r in rows) for name in ("what", "bar", "measured")]
    return "\n".join(
        f"{r.what:<{widths[0]}}  {r.bar:<{widths[1]}}  {r.measured:<{widths[2]}}  {r.verdict}" for r in rows
    )
