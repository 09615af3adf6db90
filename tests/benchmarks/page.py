"""`docs/benchmarks.md`, written whole by each run."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import measure, side
from tests.benchmarks.measure import Row
from tests.benchmarks.plot import picture
from tests.benchmarks.side import Line

PICTURE = "benchmarks.svg"


@dataclass
class Report:
    """What one run found, by size in millions; `machine` is described before it begins."""

    command: str
    machine: str = ""
    sizes: list[float] = field(default_factory=list)
    shapes: dict[float, str] = field(default_factory=dict)
    rows: dict[float, list[Row]] = field(default_factory=dict)
    numbers: dict[float, Mapping[str, float]] = field(default_factory=dict)
    peers: list[Line] = field(default_factory=list)
    peer_shape: str = ""
    goals: list[Row] = field(default_factory=list)


def machine() -> str:
    """Cores, memory, versions, and what else it has to do; nothing that names a machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[2]:.1f} before"
    )


def write(report: Report, docs: Path, now: datetime | None = None) -> None:
    """Write the page, and the picture where there is more than one size."""
    sizes = sorted(report.sizes)
    parts = [_head(report, now or datetime.now(UTC))]
    for size in reversed(sizes):
        parts.append(f"## {size:g} million recordings\n\n{report.shapes[size]}\n")
        parts.append(measure.markdown(report.rows[size]) + "\n")
    if report.peers:
        parts.append(_side(report))
    parts.append(LIMITS)
    if len(sizes) > 1:
        parts.append(_growth(report, sizes))
        names = list(report.numbers[sizes[0]])
        lines = {name: [report.numbers[size][name] for size in sizes] for name in names}
        (docs / PICTURE).write_text(picture(sizes, lines), encoding="utf-8")
    (docs / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")


def _head(report: Report, now: datetime) -> str:
    return f"""# Benchmarks

This page is written by `{report.command}`; what was missed is shown as missed. {now:%Y-%m-%d}, {report.machine}.

The data is made from a seed: 90 days, 9.7 memberships a recording, two of a hundred recordings on two days, segments
from two fifths of the recordings down to one in seventy. It is sealed and stored as the sync does it, in SQLite. *In
process* is from a parsed expression to ids; *through HTTP* is the real server in a process of its own, asked by another
one, with the key and the generation checked each time. The cold rows are medians of three fresh processes whose
database the system has in its page cache. Timings are of single calls, medians and the 99th of a hundred.

That the answers are right is another matter: `make prove` takes the index through 2,000 random lives of a link and
compares every answer with a naive model, and holds whoever follows `/changes` alone against the export, over both
databases (`EXAMPLES=…` for more; without it the tests do 40 and 25).
"""


LIMITS = """## What stands in the way

* *How fast the machine is.* The bars are milliseconds, and machines differ: a shared one by half again from one hour to
  the next. Plain pyroaring and PostgreSQL above are the same code on the same machine in the same run. An interpreter
  that was built with profile-guided optimisation, as Debian's and that of the image are, answers a tenth to a fifth
  more through HTTP than one built without, as pyenv builds it (`make bench VENV=build/debian PYTHON=/usr/bin/python3`).
* *Within twice of plain pyroaring.* It knows one set a segment. Ours also unite the days of whoever was there on
  several, in any window, which is a second evaluation over small sets, and give back ids with the place to go on from.
  On a million recordings that and the Python around it are about as much as the count itself, on ten million a tenth of
  it. A match of 50 is a look into a dictionary of Python's there, made of a million strings; here each id is encrypted,
  looked up among sealed days' blocks, and compared, which alone takes about twice as long as all of it there.
* *The sparsest pages.* Where all ten million hold fewer than fifty recordings, all of three segments must be
  intersected, smallest first. For the three smallest of these that alone takes 60 to 80 % of the time, the same in
  plain pyroaring; whoever recurs, and naming ids from as many days, are the rest.
* *The 99th of a hundred mixed filters.* It is one that is true of sixty to a hundred and forty of ten million, so that
  three quarters of three to five segments or all of them is read: a fifth of a millisecond where the processor has them
  at hand, two or three times that where, as here, a hundred other filters came in between and each part is fetched from
  memory.
* *A small customer's bytes.* The bar is for ten million. At a hundred thousand, a segment has a dozen members a day,
  and its name and the lengths around them are as large as they are. Padding hides lengths and takes room: 1 to 3 % of
  larger days, and the more the smaller a day is.
* *Through HTTP.* Where four ask at once, a request costs the server about a fifth of a millisecond of one processor, a
  quarter at ten million; it costs half as much again where each comes alone, because little of so much code stays in
  the processor's caches from one to the next ([the short way](decisions/0010-the-short-way.md)). Two fifths of that is
  the filter; a fifth sends the answer, counts it and writes its line in the log; a tenth is the key with its look at
  the database, a tenth reads HTTP, and the rest reads the filter, seals the cursor and writes JSON. What goes the long
  way (a match of 10,000, facets) takes a millisecond and a half more. Replicas over one database add up.
* A machine with other work to do shows it in every 99th percentile and through HTTP first: see the load above.
"""


def _side(report: Report) -> str:
    return f"""## Side by side

{report.peer_shape} The question is A and B without C for three of the largest segments. Every answer was compared with
ours, and equal, before anything was timed. Medians; peers over their own wires, with one connection. Each peer has
places in the order of the answer instead of ids and days, which spares it a sort; none of them seals.

{side.markdown(report.peers)}

{measure.markdown(report.goals)}
"""


def _growth(report: Report, sizes: Sequence[float]) -> str:
    names = list(report.numbers[sizes[0]])
    head = f"| | {' | '.join(f'{size:g} M' for size in sizes)} |\n|{'---|' * (len(sizes) + 1)}"
    lines = [
        f"| {name} | {' | '.join(f'{report.numbers[size][name]:,.3g}' for size in sizes)} |" for name in names
    ]
    return "\n".join(["## How it grows", "", head, *lines, "", f"![How it grows]({PICTURE})", ""])
