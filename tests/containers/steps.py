"""The steps of the Dockerfile, done in a folder instead of in an image, and the service that comes out of them.

``python -m tests.containers.steps FOLDER`` does all of them, with the packages from the index. The tests do them with
the packages of their own environment, so that nothing is fetched. Users and rights are the image's own business: steps
that make them are named and left out.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.postgres_server import free_port

ROOT = Path(__file__).parents[2]
OF_THE_IMAGE = {"useradd", "install"}
START_SECONDS, STOP_SECONDS = 60.0, 15.0


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction with what follows it, lines joined."""
    plain = "\n".join(line for line in dockerfile.splitlines() if not line.startswith("#"))
    for line in plain.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def admitted(dockerignore: str) -> set[str]:
    """What the build may see: everything is ignored but for these."""
    lines = [line for line in dockerignore.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


@dataclass
class Image:
    """A folder that stands for the image's root."""

    root: Path
    packages: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    place: str = "/"
    left_out: list[str] = field(default_factory=list)
    last: dict[str, list[str]] = field(default_factory=dict)

    def build(self) -> None:
        """Do every step in its order."""
        seen = admitted((ROOT / ".dockerignore").read_text("utf-8"))
        for name, rest in instructions((ROOT / "Dockerfile").read_text("utf-8")):
            self._do(name, rest, seen)

    def _do(self, name: str, rest: str, seen: set[str]) -> None:
        if name == "RUN":
            self._run(json.loads(rest))
        elif name == "COPY":
            self._copy(shlex.split(rest), seen)
        elif name == "ENV":
            self.environment |= dict(one.split("=", 1) for one in shlex.split(rest))
        elif name == "WORKDIR":
            self.place = rest
            self.at(rest).mkdir(parents=True, exist_ok=True)
        elif name in {"ENTRYPOINT", "CMD"}:
            self.last[name] = json.loads(rest)
        elif name == "HEALTHCHECK":
            self.last[name] = json.loads(rest[rest.index("CMD ") + 4 :])

    def at(self, path: str) -> Path:
        """A path of the image, in the folder."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.at(self.place) / path

    def _copy(self, words: list[str], seen: set[str]) -> None:
        if words[0].startswith("--from="):
            assert self.at(words[1]).is_dir(), "stages share the folder: what is copied has to be there"
            return
        *sources, target = words
        for source in sources:
            name = source.rstrip("/")
            assert name in seen, f"{name} is not in the build's context"
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(ROOT / name, self.at(target), ignore=ignored)
            else:
                shutil.copy(ROOT / name, self.at(target))

    def _run(self, words: list[str]) -> None:
        fetches = "--require-hashes" in words or "uninstall" in words
        if words[0] in OF_THE_IMAGE or (self.packages is not None and fetches):
            self.left_out.append(" ".join(words))
            return
        self.call(*words)

    def variables(self) -> dict[str, str]:
        """What a process of the image sees."""
        told = {
            name: str(self.at(value)) if value.startswith("/") and name != "PATH" else value
            for name, value in self.environment.items()
        }
        path = os.pathsep.join([str(self.at("/opt/ga-sync/bin")), os.environ["PATH"]])
        more = {"PYTHONPATH": str(self.packages)} if self.packages is not None else {}
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "LANG", "HOME"))
        }
        return {**kept, **told, "PATH": path, **more}

    def command(self, words: list[str]) -> list[str]:
        """The words with the folder's paths."""
        made = self.at("/opt/ga-sync/bin") / words[0]
        if made.exists():
            first = str(made)
        elif words[0] == "python":
            first = sys.executable
        else:
            first = str(self.at(words[0])) if words[0].startswith("/") else words[0]
        return [first, *(str(self.at(word)) if word.startswith("/") else word for word in words[1:])]

    def call(self, *words: str, more: Mapping[str, str] | None = None) -> str:
        """Run something to its end; what it said. It must succeed."""
        done = subprocess.run(
            self.command(list(words)),
            cwd=self.at(self.place),
            env={**self.variables(), **(more or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def serve(self) -> float:
        """Start what the image starts, until its own health check is content, and stop it; the seconds it took."""
        port = free_port()
        more = {
            "GA_SYNC_LISTEN": f"127.0.0.1:{port}",
            "GA_SYNC_GOOGLE_CLIENT_ID": "id",
            "GA_SYNC_GOOGLE_CLIENT_SECRET": "secret",
        }
        for words in (["db", "upgrade"], ["keyring", "init"]):
            self.call(*self.last["ENTRYPOINT"], *words, more=more)
        began = time.monotonic()
        started = self.command([*self.last["ENTRYPOINT"], *self.last["CMD"]])
        check = [word.replace(":8000", f":{port}") for word in self.last["HEALTHCHECK"]]
        with subprocess.Popen(started, cwd=self.at(self.place), env={**self.variables(), **more}) as process:
            try:
                while not self._is_content(check):
                    assert process.poll() is None
                    assert time.monotonic() - began < START_SECONDS
                    time.sleep(0.1)
                took = time.monotonic() - began
                process.send_signal(signal.SIGTERM)
                assert process.wait(STOP_SECONDS) == 0
            finally:
                process.kill()
        return took

    def _is_content(self, check: list[str]) -> bool:
        done = subprocess.run(
            self.command(check), env=self.variables(), capture_output=True, check=False, timeout=20
        )
        return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Do every step; 0 where the service serves and stops as it is told."""
    folder = Path(arguments[0]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    image, began = Image(folder), time.monotonic()
    image.build()
    built = time.monotonic() - began
    sys.stdout.write("".join(f"left out: {re.sub(r'/[^ ]*/', '…/', one)}\n" for one in image.left_out))
    sys.stdout.write(f"built in {built:.0f} s, healthy after {image.serve():.1f} s, ended with 0\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
