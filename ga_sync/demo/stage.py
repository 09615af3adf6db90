"""The stage: every part started on loopback, over a data directory that begins empty."""

import shutil
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import uvicorn

from ga_sync import bootstrap, settings
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.server import Sandbox, start
from ga_sync.web.app import create_app
from ga_sync.web.server import config

CUSTOMER = "demo-shop"
USER = "analytics@shop1.example"
BACKFILL_DAYS = 14
_STOP_SECONDS, _NOON = 20.0, 12


class Stage:
    """A context manager: on entering, everything runs; on leaving, everything is stopped and the folder deleted."""

    def __init__(self, port: int) -> None:
        self.port = port or _free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="ga-sync-demo-"))
        # A noon in the middle of things: no day turns while the story is told.
        self._offset = _noon() - datetime.now(UTC)
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Start the sandbox, the server and the worker."""
        self._undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop everything."""
        self._undo.close()

    def _start(self) -> None:
        self._write_offset()
        noon = _noon()
        world = generate(1, now=noon, days=BACKFILL_DAYS + 10, shops=1, agency_properties=1)
        self.sandbox: Sandbox = self._undo.enter_context(start(world, clock=lambda: noon))
        self.control = self._undo.enter_context(httpx.Client(base_url=self.sandbox.control_url, timeout=30))
        self.service = self._undo.enter_context(self._service())
        self.store_key = self.service.keys.create("store", CUSTOMER, "demo")
        self.console_key = self.service.keys.create("console", CUSTOMER, "demo")
        self.http = self._undo.enter_context(httpx.Client(base_url=self.base, timeout=60))
        self._undo.enter_context(_Server(create_app(self.service), self.port))
        worker = self.service.worker(tick=0.2)
        worker.start()
        self._undo.callback(worker.stop, 8.0)

    def _service(self) -> bootstrap.Service:
        google = {
            name.removeprefix("GA_SYNC_").lower(): value for name, value in self.sandbox.environment().items()
        }
        configured = settings.load(
            _env_file=None,
            data_dir=self.folder,
            database_url=f"sqlite:///{self.folder}/ga_sync.db",
            keyring_url=f"sqlite:///{self.folder}/keyring.db",
            kek=f"file:{self.folder}/kek.json",
            public_url=self.base,
            backfill_days=BACKFILL_DAYS,
            clock_offset_file=self._offset_file,
            **google,
        )
        bootstrap.init_keyring(configured)
        stores = bootstrap.open_stores(configured)
        stores.upgrade()
        stores.close()
        return bootstrap.Service(configured)

    @property
    def _offset_file(self) -> Path:
        return self.folder / "clock_offset"

    def _write_offset(self) -> None:
        self._offset_file.write_text(str(self._offset.total_seconds()), encoding="ascii")

    def next_day(self) -> None:
        """Let a day pass, for the sandbox and for us."""
        self.control.post("/advance", json={"days": 1}).raise_for_status()
        self._offset += timedelta(days=1)
        self._write_offset()

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        """One call of the API, as the console unless another key is given."""
        headers = {"authorization": f"Bearer {key or self.console_key}"}
        return self.http.request(method, path, json=body, headers=headers)

    def truth(self, property_name: str) -> dict[str, Any]:
        """What the sandbox knows to be true of a property."""
        answer = self.control.get("/truth", params={"property": property_name}).raise_for_status()
        told: dict[str, Any] = answer.json()
        return told


class _Server:
    """The HTTP server in a thread, on a socket that is bound before it starts."""

    def __init__(self, app: Any, port: int) -> None:  # noqa: ANN401 -- an ASGI application
        self._port = port
        self._server = uvicorn.Server(config(app))

    def __enter__(self) -> Self:
        try:
            self._door = socket.create_server(("127.0.0.1", self._port))
        except OSError:
            raise settings.SettingsError("the port is taken: choose a free one with --port") from None
        doors = {"sockets": [self._door]}
        self._thread = threading.Thread(
            target=self._server.run, kwargs=doors, name="demo-server", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._door.close()


def _noon() -> datetime:
    """Today's noon in UTC."""
    return datetime.now(UTC).replace(hour=_NOON, minute=0, second=0, microsecond=0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
