"""The houses of these tests, served as `serve` does it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn

from ga_sync.client import Client
from ga_sync.web.app import create_app
from ga_sync.web.server import config
from tests.postgres_server import free_port
from tests.web.bench import House
from tests.web.fixtures import empty_stores, fresh, make_house

__all__ = ["empty_stores", "fresh", "make_house"]


@dataclass(frozen=True)
class Served:
    """A house with an address, one link, and the key of a recording store."""

    house: House
    url: str
    key: str
    grant_id: str
    link_id: str

    def client(self) -> Client:
        """The client of a recording store."""
        return Client(self.url, self.key)

    def pairs(self) -> set[tuple[str, str]]:
        """Who is in which segment, as the export of each segment says."""
        found = set()
        with self.client() as client:
            for segment in client.segments(self.link_id):
                with client.export(self.link_id, segment.segment_id) as (_, lines):
                    found |= {(segment.segment_id, line.recording_id) for line in lines}
        return found


@contextmanager
def listening(house: House) -> Iterator[str]:
    """Its doors on a port of this machine."""
    port = free_port()
    server = uvicorn.Server(config(create_app(house.service), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    started = threading.Event()
    up = server.startup

    async def startup(*arguments: object, **more: object) -> None:
        await up(*arguments, **more)  # type: ignore[arg-type]
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread.start()
    assert started.wait(30)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def served(fresh: House) -> Iterator[Served]:
    """A synchronised link of a customer, on each kind of database."""
    grant_id, link_id = fresh.linked()
    key = fresh.service.keys.create("store", "acme", "test")
    with listening(fresh) as url:
        yield Served(fresh, url, key, grant_id, link_id)
