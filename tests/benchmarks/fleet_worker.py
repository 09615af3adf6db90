"""Worker processes on one store, while Google's answers take their time: how much more four do than one.

`python -m tests.benchmarks.fleet_worker URL BEGAN SECONDS ANSWER` is one of them: it says that it is ready, waits for a
line, works for so long and prints how many runs it ended. ``BEGAN`` is what time it was for the one who started it.
"""

import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Event

from jobs.registry import Again, Held, Registry, Task
from jobs.schedule import Retry
from jobs.worker import Worker
from models.session import Store
from tests.benchmarks.fleet import LEASE, START, THREADS

LATER = START + timedelta(days=30)
"""By then every link's turn has come."""


def work(url: str, began: float, seconds: float, answer: float) -> int:
    """One process; how many runs it ended."""
    done: list[str] = []
    store, registry, quiet = Store(url), Registry(), Event()

    def clock() -> datetime:
        return LATER + timedelta(seconds=time.time() - began)

    def run(task: Task, held: Held) -> Again:
        quiet.wait(answer)
        if not held.stopping.is_set():
            done.append(task.job_id)
        return Again(clock() + timedelta(days=30))

    registry.register("sync", run, lease=LEASE, retry=Retry(LEASE, LEASE))
    owner = f"fleet-{time.monotonic_ns()}"
    worker = Worker(store, registry, clock=clock, owner=owner, exclusive=False, threads=THREADS)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    worker.start()
    quiet.wait(seconds)
    worker.stop(seconds)
    store.close()
    return len(done)


def together(url: str, processes: int, seconds: float, answer: float) -> int:
    """So many processes at once; how many runs they ended."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.fleet_worker",
        url,
        f"{time.time()}",
        f"{seconds}",
        f"{answer}",
    ]
    with ExitStack() as undo:
        working = [
            undo.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(processes)
        ]
        for one in working:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in working:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        return sum(int(one.communicate()[0]) for one in working)


if __name__ == "__main__":
    sys.stdout.write(f"{work(sys.argv[1], *map(float, sys.argv[2:5]))}\n")
