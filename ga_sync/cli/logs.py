"""Logs go to stderr: for people on a terminal, JSON otherwise. Libraries speak from WARNING up."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import structlog
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.typing import EventDict

_STEPS: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    add_log_level,
    TimeStamper(fmt="iso", utc=True),
    format_exc_info,
)


def configure(level: int = logging.INFO) -> None:
    """Set up structlog and the standard library's logging; our own events speak from ``level`` up."""
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*_STEPS, console] if sys.stderr.isatty() else [line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line is one write, and stays one
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("jobs").setLevel(logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


@cache
def _encoder(default: Callable[[object], object]) -> json.JSONEncoder:
    """Made once: making one takes as long as a line."""
    return json.JSONEncoder(default=default)


def _as_json(event: object, default: Callable[[object], object]) -> str:
    """As ``json.dumps``."""
    return _encoder(default).encode(event)


_render = JSONRenderer(_as_json)


def line(logger: object, name: str, event: EventDict) -> str | bytes:
    """An event as JSON: what the steps for a terminal do, in one, because each request waits for its line."""
    for variable, value in structlog.contextvars.get_contextvars().items():
        event.setdefault(variable, value)
    event = add_log_level(logger, name, event)
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    if "exc_info" in event:
        event = format_exc_info(logger, name, event)
    return _render(logger, name, event)
