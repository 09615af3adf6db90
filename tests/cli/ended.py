"""A command that has ended, and how to run one."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Ended:
    """Its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:  # noqa: ANN401 -- JSON
        """The one JSON value on stdout."""
        return json.loads(self.out)

    @property
    def last(self) -> Any:  # noqa: ANN401 -- JSON
        """The JSON value on the last line of stdout, where a worker of this process may log, too."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[Any]:
        """The JSON values on stdout, one a line."""
        return [json.loads(line) for line in self.out.split("\n") if line]


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs commands in this process."""

    run: Callable[[Sequence[str]], None]
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        """Run one command to its end."""
        self.captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            self.run(arguments)
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, *self.captured.readouterr())

    def value(self, *arguments: str) -> Any:  # noqa: ANN401 -- JSON
        """The JSON of a command that must succeed."""
        done = self(*arguments, "--json")
        assert done.code == 0, done
        return done.value
