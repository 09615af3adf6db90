"""Lines of requests that were answered at once: written a few at a time, none lost, each with its own moment."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from structlog.testing import capture_logs

from ga_sync.cli import logs
from ga_sync.web.tracing import TOGETHER, Later, Told

SINCE = datetime(2026, 11, 24, 6, 7, 8, 901234, tzinfo=UTC).timestamp()


def told(number: int) -> Told:
    return Told(f"request-{number}", "POST", "/v1/x", 200, 0.0123, SINCE + number)


async def after(count: int, seconds: float) -> tuple[list[str], list[str]]:
    """The ids written at once, and so many seconds later."""
    loop, later = asyncio.get_running_loop(), Later()
    with capture_logs() as lines:
        for number in range(count):
            later.tell(loop.call_later, told(number))
        at_once = [one["request_id"] for one in lines]
        await asyncio.sleep(seconds)
        return at_once, [one["request_id"] for one in lines]


def test_a_few_lines_are_written_together_and_a_lone_one_soon() -> None:
    names = [f"request-{number}" for number in range(2 * TOGETHER + 1)]
    for count, written in ((1, 0), (TOGETHER - 1, 0), (TOGETHER, TOGETHER), (2 * TOGETHER + 1, 2 * TOGETHER)):
        assert asyncio.run(after(count, 0.5)) == (names[:written], names[:count])


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where the log goes that the commands set up."""
    found, before, root = io.StringIO(), structlog.get_config(), logging.getLogger().handlers[:]
    monkeypatch.setattr("sys.stderr", found)
    logs.configure()
    yield found
    structlog.configure(**before)
    logging.getLogger().handlers[:] = root


def test_a_line_says_when_its_request_ended_and_another_when_it_is_written(stderr: io.StringIO) -> None:
    later = Later()
    later.tell(lambda _seconds, _write: None, told(0))
    later.write()
    structlog.get_logger().info("other")
    one, other = [json.loads(each) for each in stderr.getvalue().splitlines()]
    assert one == {
        "event": "request",
        "method": "POST",
        "address": "/v1/x",
        "status": 200,
        "ms": 12.3,
        "request_id": "request-0",
        "level": "info",
        "timestamp": "2026-11-24T06:07:08.901234Z",
    }
    assert abs(datetime.fromisoformat(other["timestamp"]).timestamp() - time.time()) < 60
