"""Processes that are forked from this one, which has imported the product once: to be asked, or to be killed.

Nothing here starts a thread or opens a database before it forks, so a child begins as a fresh process would.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

# What writes: to files (SQLite, the key file) and to sockets (PostgreSQL, Google). `?`: not every machine has each.
WRITES = (
    "write,pwrite64,?pwritev,?pwritev2,fsync,fdatasync,ftruncate,?unlink,unlinkat,?rename,renameat,?renameat2,"
    "?link,linkat,sendto"
)
PATIENCE = 60.0


def asked(work: Callable[[], Any]) -> Any:  # noqa: ANN401 -- JSON
    """What ``work`` answers in a process of its own. Raises RuntimeError where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(work, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(text)
    return json.loads(text)


def _answer(work: Callable[[], Any], writing: int) -> None:
    code = 1
    with os.fdopen(writing, "w") as out:
        try:
            text = json.dumps(work())
            code = 0
        except BaseException:  # noqa: BLE001 -- told to whoever asked
            text = traceback.format_exc()
        out.write(text)
    os._exit(code)  # threads of libraries must not hold it up


@dataclass(frozen=True, slots=True)
class Ended:
    """How a victim ended: by itself with a code, or killed; and what it had printed by then, whole lines alone."""

    code: int | None
    printed: list[Any]
    seconds: float


class Blow(Protocol):
    """Kills one process."""

    def __call__(self, victim: int, go: Callable[[], None], /) -> None:
        """Stand ready, let it go, strike."""


@dataclass(frozen=True, slots=True)
class AtCall:
    """At the n-th system call of a name in any one thread, before it is done."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"

    def __call__(self, victim: int, go: Callable[[], None]) -> None:
        which = f"inject={self.call}:signal=KILL:when={self.number}"
        with _traced(victim, f"trace={self.call}", which):
            go()


@dataclass(frozen=True, slots=True)
class AtInstant:
    """After so many seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:.4f} s"

    def __call__(self, victim: int, go: Callable[[], None]) -> None:
        go()
        time.sleep(self.seconds)
        os.kill(victim, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Watch:
    """Lets it live, and writes down its calls."""

    log: Path

    def __call__(self, victim: int, go: Callable[[], None]) -> None:
        with _traced(victim, f"trace={WRITES}", output=self.log):
            go()

    def calls(self) -> list[AtCall]:
        """Every point of it at which it can be killed: the calls of its busiest thread, by name."""
        seen: Counter[tuple[str, str]] = Counter()
        for line in self.log.read_text(errors="replace").splitlines():
            thread, _, call = line.partition(" ")
            name = call.strip().partition("(")[0]
            if name.isidentifier() and "resumed>" not in call:
                seen[name, thread] += 1
        most = {name: max(n for (other, _), n in seen.items() if other == name) for name, _ in seen}
        return [AtCall(name, n) for name, count in sorted(most.items()) for n in range(1, count + 1)]


class Spared:
    """Nothing strikes."""

    def __call__(self, _victim: int, go: Callable[[], None]) -> None:
        go()


class _Traced:
    def __init__(self, victim: int, command: list[str]) -> None:
        self._victim, self._command = victim, command

    def __enter__(self) -> None:
        self._tracer = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        until = time.monotonic() + PATIENCE
        while "TracerPid:\t0\n" in Path(f"/proc/{self._victim}/status").read_text():
            if self._tracer.poll() is not None or time.monotonic() > until:
                assert self._tracer.stderr is not None
                raise RuntimeError(self._tracer.stderr.read().decode(errors="replace"))
            time.sleep(0.0005)

    def __exit__(self, *_: object) -> None:
        self._tracer.communicate(timeout=PATIENCE)  # it ends with its victim


@cache
def strace() -> str | None:
    """Where strace is, if this machine has it and lets it look at a process."""
    program = shutil.which("strace")
    if program is None:
        return None
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        with _Traced(child, [program, "-q", "-p", str(child), "-o", os.devnull]):
            os.kill(child, signal.SIGKILL)
    except RuntimeError:  # a container that forbids it
        os.kill(child, signal.SIGKILL)
        return None
    finally:
        os.waitpid(child, 0)
    return program


def _traced(victim: int, *what: str, output: Path = Path(os.devnull)) -> _Traced:
    program = strace()
    assert program, "asked for where there is one"
    options = [part for one in what for part in ("-e", one)]
    return _Traced(victim, [program, "-f", "-q", "-p", str(victim), "-o", str(output), *options])


def struck(work: Callable[[], None], blow: Blow, scratch: Path) -> Ended:
    """Let a child do ``work``, as a command does it, under a blow."""
    out = scratch / "printed"
    waiting, start = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(start)
        os.read(waiting, 1)
        _perform(work, out, scratch / "said")
    os.close(waiting)
    began = time.monotonic()

    def go() -> None:
        nonlocal began
        began = time.monotonic()
        os.write(start, b"!")

    blow(child, go)
    status = os.waitpid(child, 0)[1]
    seconds = time.monotonic() - began
    os.close(start)
    lines = out.read_text().split("\n")[:-1] if out.exists() else []
    out.unlink(missing_ok=True)
    code = os.waitstatus_to_exitcode(status)
    if code > 0:
        raise RuntimeError((scratch / "said").read_text())
    return Ended(code if code == 0 else None, [json.loads(line) for line in lines], seconds)


def _perform(work: Callable[[], None], out: Path, said: Path) -> None:
    code = 1
    try:
        for number, path in ((1, out), (2, said)):
            os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), number)
        work()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 -- told to whoever asked
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
