"""Lines of the log: one write each, with all that was said of them."""

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from ga_sync.cli import logs


class Written(io.StringIO):
    """A stream that keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return len(text)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    found, former = Written(), structlog.get_config()
    monkeypatch.setattr(sys, "stderr", found)
    logs.configure()
    yield found
    structlog.configure(**former)


def test_a_line_is_one_write_of_json_in_a_known_order(written: Written) -> None:
    with structlog.contextvars.bound_contextvars(request_id="trace-0001", event="hidden"):
        structlog.get_logger().info("request", status=200, odd={1})
    (line,) = written.pieces
    assert line.endswith("}\n")
    told = json.loads(line)
    assert [*told] == ["status", "odd", "event", "request_id", "level", "timestamp"]
    assert (told["event"], told["level"], told["odd"]) == ("request", "info", "{1}")
    assert told["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(told["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_failure_is_told_with_its_trace(written: Written) -> None:
    log = structlog.get_logger()
    try:
        int("none")
    except ValueError:
        log.exception("failed")
    told = json.loads(written.pieces[0])
    assert (told["event"], told["level"]) == ("failed", "error")
    assert "ValueError" in told["exception"]
    assert "exc_info" not in told


def test_what_is_below_the_level_is_not_written(written: Written) -> None:
    structlog.get_logger().debug("request")
    assert written.pieces == []


@pytest.mark.parametrize(
    "event",
    [
        {"event": "request", "status": 200, "ms": 0.3, "is": True, "none": None, "large": 1 << 62},
        {"event": 'quo"ted \\ \n\r\t\x00\x1b'},
        {"event": "überall \u2028 \u202e \N{PILE OF POO}"},
        {"event": "a lone \ud800"},
        {"event": "deep", "more": {"one": [1, (2,)]}, "odd": {3}},
    ],
)
def test_json_is_one_line_of_ascii_that_means_the_event(event: dict[str, Any]) -> None:
    written = logs.as_json(event, repr)
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == json.loads(json.dumps(event, default=repr))
