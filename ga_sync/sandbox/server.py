"""The running sandbox: two HTTP ports and one gRPC port on this machine."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import grpc

from ga_sync.sandbox import admin, data
from ga_sync.sandbox.clock import Clock
from ga_sync.sandbox.consent import AUTHORIZE, REVOKE, TOKEN, Consent
from ga_sync.sandbox.control import Control, Parts
from ga_sync.sandbox.gate import Gate
from ga_sync.sandbox.journal import Journal
from ga_sync.sandbox.moods import Moods
from ga_sync.sandbox.oauth import OAuth
from ga_sync.sandbox.proto import Grpc
from ga_sync.sandbox.quota import Quotas
from ga_sync.sandbox.web import HttpServer
from ga_sync.sandbox.world import World

WORKERS = 64
STOP_SECONDS = 0.2


class PortTakenError(OSError):
    """A port that the sandbox was told to use is in use."""


@dataclass
class Sandbox:
    """A started sandbox; a context manager that stops it. All addresses are on loopback and without TLS."""

    client_id: str
    client_secret: str
    auth_uri: str
    token_uri: str
    revoke_uri: str
    admin_endpoint: str
    data_endpoint: str
    control_url: str
    world: World
    clock: Clock
    _stop: Callable[[], None]

    def environment(self) -> dict[str, str]:
        """Give the environment variables that point the product at this sandbox."""
        return {
            "GA_SYNC_GOOGLE_CLIENT_ID": self.client_id,
            "GA_SYNC_GOOGLE_CLIENT_SECRET": self.client_secret,
            "GA_SYNC_GOOGLE_AUTH_URI": self.auth_uri,
            "GA_SYNC_GOOGLE_TOKEN_URI": self.token_uri,
            "GA_SYNC_GOOGLE_REVOKE_URI": self.revoke_uri,
            "GA_SYNC_GOOGLE_ADMIN_ENDPOINT": self.admin_endpoint,
            "GA_SYNC_GOOGLE_DATA_ENDPOINT": self.data_endpoint,
        }

    def stop(self) -> None:
        """Stop all ports and threads; calls under way are cut off. Stopping twice is harmless."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _grpc_server(parts: Parts, gate: Gate, pool: ThreadPoolExecutor) -> Grpc:
    server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
    answers = admin.Admin(gate, parts.quotas).handlers()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(admin.API.service, answers),
            grpc.method_handlers_generic_handler(data.API.service, parts.data.handlers()),
        )
    )
    return server


def _listen(server: Grpc, host: str, port: int) -> int:
    try:
        return int(server.add_insecure_port(f"{host}:{port}"))
    except RuntimeError as error:
        raise PortTakenError(f"port {port} on {host} cannot be used for gRPC") from error


def start(
    world: World,
    *,
    clock: Callable[[], datetime],
    host: str = "127.0.0.1",
    http_port: int = 0,
    grpc_port: int = 0,
    control_port: int = 0,
    client_id: str = "sandbox-client",
    client_secret: str = "sandbox-secret",  # noqa: S107 - of a world that does not exist
    mint: Callable[[], str] = lambda: secrets.token_urlsafe(32),
) -> Sandbox:
    """Start a sandbox on three ports; 0 means any free one.

    Args:
        world: the data; the sandbox changes it when told to on the control port.
        host: the address to listen on.
        http_port: OAuth and the consent page.
        grpc_port: both the Admin and the Data API.
        control_port: truth, clock, data, moods, journal.
        client_id: the one OAuth client there is.
        client_secret: its secret.
        clock: tells the time, aware; the control port shifts it.
        mint: makes unguessable words for codes and tokens.

    Raises:
        OSError: a port is in use (`PortTakenError` for the gRPC port). Nothing is left running.
    """
    time_ = Clock(clock)
    moods, journal, quotas = Moods(), Journal(), Quotas()
    oauth = OAuth(client_id, client_secret, frozenset(world.users), mint, moods)
    halt = threading.Event()
    gates = tuple(
        Gate(api, world, oauth, moods, journal, time_.now, halt.wait) for api in (admin.API, data.API)
    )
    parts = Parts(world, time_, moods, journal, oauth, quotas, data.Data(gates[1], quotas))
    undo: list[Callable[[], object]] = []

    def stop() -> None:
        halt.set()
        while undo:
            undo.pop()()

    try:
        consent = HttpServer(Consent(oauth, journal, time_.now), host, http_port, "sandbox-oauth")
        undo.append(consent.stop)
        control = HttpServer(Control(parts), host, control_port, "sandbox-control")
        undo.append(control.stop)
        pool = ThreadPoolExecutor(WORKERS, "sandbox-grpc")
        undo.append(pool.shutdown)
        server = _grpc_server(parts, gates[0], pool)
        undo.append(lambda: server.stop(STOP_SECONDS).wait())
        endpoint = f"http://{host}:{_listen(server, host, grpc_port)}"
        server.start()
    except OSError:
        stop()
        raise
    return Sandbox(
        client_id=client_id,
        client_secret=client_secret,
        auth_uri=consent.url + AUTHORIZE,
        token_uri=consent.url + TOKEN,
        revoke_uri=consent.url + REVOKE,
        admin_endpoint=endpoint,
        data_endpoint=endpoint,
        control_url=control.url,
        world=world,
        clock=time_,
        _stop=stop,
    )
