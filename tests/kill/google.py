"""A sandbox Google in a process of its own, whose clock stands still, so that what is true stays true."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.server import start
from tests.clock import NOON, SettableClock

SHOPS = 3


@contextmanager
def google(seed: int) -> Iterator[dict[str, Any]]:
    """Where it is: `environment`, `control`, `properties` (number, parameter and user of each)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_google(seed, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        found: dict[str, Any] = json.loads(told.readline())
    try:
        yield found
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _be_google(seed: int, writing: int) -> None:
    world = generate(seed, now=NOON, days=4, shops=SHOPS, agency_properties=0, sessions_per_day=12)
    with start(world, clock=SettableClock()) as sandbox:
        properties = [
            {
                "name": one.name,
                "parameter": one.recording_parameter,
                "user": next(user.email for user in world.users.values() if one.number in user.properties),
            }
            for one in world.properties.values()
        ]
        told = {
            "environment": sandbox.environment(),
            "control": sandbox.control_url,
            "properties": properties,
        }
        os.write(writing, json.dumps(told).encode() + b"\n")
        signal.pause()


def truth(control: str, name: str) -> dict[str, dict[str, set[str]]]:
    """Day → audience → the ids that are visible."""
    answer = httpx.get(f"{control}/truth", params={"property": name}, trust_env=False).json()
    return {
        day["day"]: {
            number: set(ids["visible"]) for number, ids in day["audiences"].items() if ids["visible"]
        }
        for day in answer["days"]
    }
