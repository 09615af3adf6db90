"""Small pictures as numbers: points of a line, bars of a chart, weeks of a calendar, a QR code (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import segno

from ga_sync.accounts.views import View

WEEK = 7
WIDEST = 40.0


def points(values: Sequence[float], width: float, height: float) -> str:
    """A line through ``values`` in a box, for ``<polyline points>``; the highest value touches the top."""
    top = max(values, default=0) or 1
    step = width / max(1, len(values) - 1)
    return " ".join(
        f"{at * step:.1f},{height - 1 - value / top * (height - 2):.1f}" for at, value in enumerate(values)
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, in units of its box; ``kind`` is its class, ``label`` what it says."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str


def bars(values: Sequence[tuple[float, str, str]], width: float, height: float) -> list[Bar]:
    """(value, class, label) as bars side by side; something that is not nothing is at least one unit high."""
    top = max((value for value, _, _ in values), default=0) or 1
    step = min(width / max(1, len(values)), WIDEST)
    heights = [max(1.0, value / top * height) if value else 0.0 for value, _, _ in values]
    return [
        Bar(round(at * step, 2), round(height - tall, 2), round(step * 0.72, 2), round(tall, 2), kind, label)
        for at, (tall, (_, kind, label)) in enumerate(zip(heights, values, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class Week:
    """One row of a calendar: Monday to Sunday, None where a day is not wanted."""

    monday: date
    days: tuple[View | None, ...]


def weeks(days: Sequence[View]) -> list[Week]:
    """Days as weeks, newest first."""
    held: Mapping[date, View] = {date.fromisoformat(str(one["day"])): one for one in days}
    if not held:
        return []
    first, last = min(held), max(held)
    monday, found = first - timedelta(first.weekday()), []
    while monday <= last:
        row = tuple(held.get(monday + timedelta(number)) for number in range(WEEK))
        found.append(Week(monday, row))
        monday += timedelta(WEEK)
    return found[::-1]


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code with its quiet zone, as one ``<path d>`` in a box of ``size`` by ``size``; what is drawn is dark."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    """Text for a camera (ISO/IEC 18004, with error correction of at least level M)."""
    rows = [tuple(row) for row in segno.make_qr(text, error="m").matrix_iter()]
    return QrCode(len(rows), "".join(_runs(row, at) for at, row in enumerate(rows)))


def _runs(row: Sequence[int], at: int) -> str:
    """The dark runs of one row, each a rectangle."""
    found, column = "", 0
    for dark, group in groupby(row):
        width = len(list(group))
        if dark:
            found += f"M{column} {at}h{width}v1h-{width}z"
        column += width
    return found
