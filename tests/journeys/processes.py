"""The product as an operator runs it: processes of their own, told by environment variables only, ended by signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

GA_SYNC = Path(sys.executable).with_name("ga-sync")
INHERITED = ("PATH", "PYTHONPATH", "LANG", "TMPDIR", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
TROUBLE = ("Traceback (most recent call last)", '"level": "error"', "ERROR ", "CRITICAL ")
SHOWN = 4_000
READY_SECONDS, STOP_SECONDS, COMMAND_SECONDS = 120.0, 30.0, 120.0


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(ready: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Look until it is so; fails, saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still waiting for {what}"
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def value(self) -> Any:  # noqa: ANN401 -- JSON
        """The one JSON value on stdout."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """The JSON values on stdout, one a line."""
        return [json.loads(line) for line in self.stdout.split("\n") if line]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that stays; what it prints goes to two files."""

    name: str
    popen: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def printed(self) -> str:
        """Its stdout so far."""
        return self.out.read_text("utf-8")

    @property
    def said(self) -> str:
        """Its stderr so far."""
        return self.err.read_text("utf-8")

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait for it to get ready; fails at once, with its words, where it ends instead."""

        def alive_and_ready() -> bool:
            assert self.popen.poll() is None, (
                f"{self.name} ended with {self.popen.returncode}:\n{self.said[:SHOWN]}"
            )
            return ready()

        wait_until(alive_and_ready, f"{self.name}: {what}")

    def terminate(self) -> int:
        """SIGTERM; its exit code. Fails where it does not end."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.said}") from None

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind."""
        self.popen.kill()
        self.popen.wait(STOP_SECONDS)


@dataclass
class Machine:
    """One installation: a folder and its variables.

    Leaving it tells every process to stop, which each must do with 0, and shows every traceback that any of them left.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.variables.setdefault("GA_SYNC_DATA_DIR", str(self.folder / "var"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [process for process in self.started if process.popen.poll() is None]
        if error is None:
            codes = {process.name: process.terminate() for process in left}
            assert set(codes.values()) <= {0}, codes
        for process in left:
            process.kill()
        trouble = self.trouble()
        assert not trouble, trouble

    def words(self) -> str:
        """Everything that was said on stderr by any process or command."""
        return "\n".join([*(one.said for one in self.started), *(one.stderr for one in self.finished)])

    def trouble(self) -> str:
        """What was said by those who met what they did not expect; empty where nobody did."""
        said = [(one.name, one.said) for one in self.started]
        said += [("command", one.stderr + one.stdout) for one in self.finished]
        return "\n".join(
            f"{name}:\n{words[:SHOWN]}" for name, words in said if any(one in words for one in TROUBLE)
        )

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a process gets to see; an empty value takes a variable away."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        together = inherited | self.variables | dict(more or {})
        return {name: value for name, value in together.items() if value}

    def run(self, *arguments: str, more: Mapping[str, str] | None = None) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            [GA_SYNC, *arguments],
            cwd=self.folder,
            env=self.environment(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout.decode(), done.stderr.decode())
        self.finished.append(finished)
        return finished

    def done(self, *arguments: str) -> Finished:
        """Run a command that must succeed."""
        finished = self.run(*arguments)
        assert finished.code == 0, f"{arguments}: {finished}"
        return finished

    def start(self, *arguments: str) -> Process:
        """Start a process that stays."""
        name = f"{arguments[0]}-{len(self.started)}"
        out, err = self.folder / f"{name}.out", self.folder / f"{name}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            popen = subprocess.Popen(
                [GA_SYNC, *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        process = Process(name, popen, out, err)
        self.started.append(process)
        return process

    def sandbox(self, *options: str) -> str:
        """Start a Google, take over the variables it prints, and give the address of its control port."""
        process = self.start("sandbox", *options)
        process.until(lambda: "# control: " in process.printed, "its addresses")
        *variables, control = process.printed.splitlines()
        self.variables |= dict(line.split("=", 1) for line in variables)
        return control.removeprefix("# control: ")

    def install(self) -> None:
        """What an operator does once: the keyring, then the schema."""
        self.done("keyring", "init")
        self.done("db", "upgrade")

    def key(self, role: str, customer: str) -> str:
        """A new API key: alone on stdout."""
        return self.done("key", "create", "--role", role, "--customer", customer).stdout.removesuffix("\n")

    def begin_serve(self, *options: str) -> tuple[Process, str]:
        """Start a server on a free port; it is not ready yet."""
        port = free_port()
        self.variables |= {
            "GA_SYNC_LISTEN": f"127.0.0.1:{port}",
            "GA_SYNC_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        return self.start("serve", *options), self.variables["GA_SYNC_PUBLIC_URL"]

    def serve(self, *options: str) -> tuple[Process, str]:
        """Start a server on a free port and wait until it is ready; the process and its address."""
        process, url = self.begin_serve(*options)
        process.until(lambda: is_ready(url), "a ready answer")
        return process, url

    def begin_worker(self) -> Process:
        """Start a worker."""
        return self.start("worker")

    def worker(self) -> Process:
        """Start a worker and wait until it works."""
        process = self.begin_worker()
        process.until(lambda: "working" in process.said, "its first word")
        return process


def is_ready(url: str) -> bool:
    """Whether a server says that it is ready."""
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
