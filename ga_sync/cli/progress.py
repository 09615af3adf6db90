"""Following a run to its end."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ga_sync.accounts.views import View
from ga_sync.bootstrap import Service
from ga_sync.cli.console import err

_UNFINISHED = {"queued", "running"}


@contextmanager
def follow_count(what: str) -> Iterator[Callable[[int, int], None]]:
    """What is told how many of how many are done; a bar on a terminal, nothing otherwise."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def follow_run(service: Service, link_id: str, customer_id: str, run_id: str) -> View:
    """Wait until the run has ended; a bar on a terminal, nothing otherwise."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
    with Progress(*columns, console=err, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("waiting for a worker", total=None)
        while True:
            run = service.links.run(link_id, run_id, customer_id)
            done, left = run["days_read"], run["days_left"]
            progress.update(bar, description=run["status"], completed=done, total=done + left or None)
            if run["status"] not in _UNFINISHED:
                return run
            time.sleep(0.2)
