"""Commands that stay: the server, the worker, the sandbox, the demonstration."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from ga_sync import bootstrap, settings
from ga_sync import demo as demonstration
from ga_sync.cli.console import err, plain
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.mapping import read_mapping
from ga_sync.sandbox.server import start
from ga_sync.sandbox.table import load_table
from ga_sync.web.app import create_app

GRACE = 8.0


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


Port = Annotated[int, typer.Option(min=0, max=65535)]


@contextmanager
def _worker(service: bootstrap.Service) -> Iterator[None]:
    worker = service.worker()
    worker.start()
    try:
        yield
    finally:
        worker.stop(GRACE)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, so that the process ends by itself, with 0."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    former = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def serve(
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Synchronise in this process, too.")
    ] = False,
) -> None:
    """Serve the API and the pages."""
    configured = settings.load()
    host, port = configured.listen_address
    with bootstrap.Service(configured) as service, _until_told():
        service.prepare()
        options = uvicorn.Config(
            create_app(service),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(GRACE),
            ssl_certfile=configured.tls_cert,
            ssl_keyfile=configured.tls_key,
        )
        server = uvicorn.Server(options)
        err.print(f"serving {configured.public_url} on {configured.listen}", markup=False)
        if with_worker:
            with _worker(service):
                server.run()
        else:
            server.run()
    if not server.started:
        raise settings.SettingsError(
            f"cannot listen on {configured.listen}: set GA_SYNC_LISTEN to a free address"
        )


def worker() -> None:
    """Synchronise: claim what is due until told to stop; SIGTERM finishes what is in hand."""
    with bootstrap.Service(settings.load()) as service, _until_told() as told:
        service.prepare()
        with _worker(service):
            err.print("working")
            told.wait()


def sandbox(
    seed: Annotated[int, typer.Option(help="Of the generated world.")] = 1,
    table: Annotated[
        Path | None, typer.Option(help="A CSV file of sessions instead of a generated world.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="How the file's columns are read (JSON or TOML).")
    ] = None,
    http_port: Port = 0,
    grpc_port: Port = 0,
    control_port: Port = 0,
) -> None:
    """A Google for this machine: OAuth, Admin and Data API, and a control port. Prints the variables to set."""
    if (table is None) != (mapping is None):
        raise typer.BadParameter("--table and --mapping go together")
    clock = now_utc
    world = (
        generate(seed, now=clock())
        if table is None or mapping is None
        else load_table(table, read_mapping(mapping))
    )
    with (
        start(
            world, clock=clock, http_port=http_port, grpc_port=grpc_port, control_port=control_port
        ) as google,
        _until_told() as told,
    ):
        for name, value in google.environment().items():
            plain(f"{name}={value}")
        plain(f"# control: {google.control_url}")
        told.wait()


def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Give the consent by itself.")] = False,
    exit_: Annotated[
        bool, typer.Option("--exit", help="Walk the whole story, check every answer, and end.")
    ] = False,
    port: Port = 8000,
) -> None:
    """Everything on this machine, with the sandbox Google."""
    if not demonstration.run(auto=auto, to_the_end=exit_, port=port, tell=plain):
        raise typer.Exit(1)
