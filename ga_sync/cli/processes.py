"""Commands that stay: the server, the worker, the sandbox, the demonstration."""

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from ga_sync import bootstrap, settings
from ga_sync import demo as demonstration
from ga_sync.cli import logs
from ga_sync.cli.console import err, plain
from ga_sync.cli.secrecy import keep_memory_private
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.mapping import read_mapping
from ga_sync.sandbox.server import Sandbox, start
from ga_sync.sandbox.table import load_table
from ga_sync.sandbox.world import World
from ga_sync.web.app import create_app
from ga_sync.web.server import config

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


def _listening(configured: settings.Settings) -> socket.socket:
    """The socket of the server, bound before anything else starts.

    Raises:
        SettingsError: the address is taken, or not one of this machine.
    """
    host, port = configured.listen_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise settings.SettingsError(
            f"cannot listen on {configured.listen} ({error.strerror}): set GA_SYNC_LISTEN to a free address"
        ) from None
    return door


def _server(service: bootstrap.Service) -> uvicorn.Server:
    """The server, its certificates read.

    Raises:
        SettingsError: the certificate and its key cannot be used.
    """
    configured = service.settings
    options = config(
        create_app(service),
        timeout_graceful_shutdown=int(GRACE),
        ssl_certfile=configured.tls_cert,
        ssl_keyfile=configured.tls_key,
    )
    try:
        options.load()
    except OSError as error:  # an ssl.SSLError is one, too
        raise settings.SettingsError(
            f"GA_SYNC_TLS_CERT and GA_SYNC_TLS_KEY cannot be used: {error.strerror or error}"
        ) from None
    return uvicorn.Server(options)


def serve(
    with_worker: Annotated[
        bool, typer.Option("--with-worker", help="Synchronise in this process, too.")
    ] = False,
) -> None:
    """Serve the API and the pages; SIGTERM finishes what is being answered."""
    keep_memory_private()
    configured = settings.load()
    with _until_told() as told, bootstrap.Service(configured) as service, _listening(configured) as door:
        service.prepare()
        server = _server(service)
        err.print(f"serving {configured.public_url} on {configured.listen}", markup=False)
        with _worker(service) if with_worker else nullcontext():
            if not told.is_set():
                server.run(sockets=[door])


def worker() -> None:
    """Synchronise: claim what is due until told to stop; SIGTERM finishes what is in hand."""
    keep_memory_private()
    with _until_told() as told, bootstrap.Service(settings.load()) as service:
        service.prepare()
        with _worker(service):
            err.print("working")
            told.wait()


def sandbox(
    seed: Annotated[int, typer.Option(help="Of the generated world.")] = 1,
    table: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A CSV file of sessions instead of a generated world."
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="How the file's columns are read (JSON or TOML)."),
    ] = None,
    http_port: Port = 0,
    grpc_port: Port = 0,
    control_port: Port = 0,
) -> None:
    """A Google for this machine: OAuth, Admin and Data API, and a control port. Prints the variables to set."""
    if (table is None) != (mapping is None):
        raise typer.BadParameter("--table and --mapping go together")
    world = (
        generate(seed, now=now_utc())
        if table is None or mapping is None
        else load_table(table, read_mapping(mapping))
    )
    with _until_told() as told, _started(world, http_port, grpc_port, control_port) as google:
        for name, value in google.environment().items():
            plain(f"{name}={value}")
        plain(f"# control: {google.control_url}")
        told.wait()


def _started(world: World, http_port: int, grpc_port: int, control_port: int) -> Sandbox:
    try:
        return start(
            world, clock=now_utc, http_port=http_port, grpc_port=grpc_port, control_port=control_port
        )
    except OSError as error:
        raise settings.SettingsError(
            f"a port of the sandbox cannot be used ({error.strerror or error}): name others, or none for free ones"
        ) from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Give the consent by itself.")] = False,
    exit_: Annotated[
        bool, typer.Option("--exit", help="Walk the whole story, check every answer, and end.")
    ] = False,
    port: Port = 8000,
) -> None:
    """Everything on this machine, with the sandbox Google."""
    logs.configure(logging.WARNING)  # the story speaks for itself
    signal.signal(signal.SIGTERM, _interrupt)  # what was started is stopped, what was written is deleted
    signal.signal(signal.SIGINT, _interrupt)
    if not demonstration.run(auto=auto, to_the_end=exit_, port=port, tell=plain):
        raise typer.Exit(1)
