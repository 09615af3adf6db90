"""The root command, and how errors become exit codes: 1 failed, 2 bad usage, 3 configuration, 4 not found."""

import sys
from collections.abc import Sequence

import typer
from sqlalchemy.exc import OperationalError

from ga_sync.accounts.errors import Invalid, NotFound, Refusal
from ga_sync.cli import customers, logs, people, processes, rights, system
from ga_sync.cli.console import err, visible
from ga_sync.index.errors import (
    FilterIndexError,
    InvalidFilter,
    InvalidWindow,
    UnboundedFilter,
    UnknownSegment,
)
from ga_sync.sandbox.mapping import BadMappingError
from ga_sync.settings import SettingsError
from models.errors import KeyringExists, ModelsError, SealBroken
from oauth.errors import GrantUnknown, OauthError

app = typer.Typer(
    name="ga-sync",
    help="Filter session recordings by the customer's own Google Analytics segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(processes.demo)
app.command("serve")(processes.serve)
app.command("worker")(processes.worker)
app.command("sandbox")(processes.sandbox)
app.command("doctor")(system.doctor)
app.add_typer(system.db, name="db")
app.add_typer(system.keyring, name="keyring")
app.add_typer(system.key, name="key")
app.add_typer(people.user, name="user")
app.add_typer(system.audit, name="audit")
app.add_typer(customers.grant, name="grant")
app.add_typer(customers.link, name="link")
app.command("segments")(customers.segments)
app.command("filter")(customers.filter_)
app.command("export")(rights.export)
app.command("forget")(rights.forget)

FAILED, USAGE, CONFIGURATION, NOT_FOUND = 1, 2, 3, 4
# The first line that fits decides; what fits none is nobody's fault but ours, and shows its traceback.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((NotFound, GrantUnknown, UnknownSegment), NOT_FOUND),
    ((Invalid, InvalidFilter, InvalidWindow, UnboundedFilter, BadMappingError), USAGE),
    ((KeyringExists, SealBroken, Refusal, FilterIndexError, OauthError), FAILED),
    ((SettingsError, ModelsError, OperationalError, OSError), CONFIGURATION),
)
_EXPECTED = tuple(kind for kinds, _ in _CODES for kind in kinds)


def code_of(error: Exception) -> int:
    """The exit code of an expected error."""
    return next(code for kinds, code in _CODES if isinstance(error, kinds))


def sentence_of(error: Exception) -> str:
    """What went wrong and what to do; a database's own words are left out, for they may quote an address."""
    if isinstance(error, OperationalError):
        return (
            f"the database does not answer ({type(error.orig).__name__}): check GA_SYNC_DATABASE_URL and "
            "GA_SYNC_KEYRING_URL, and that it runs"
        )
    return str(error)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command, of this process unless others are given; always ends in SystemExit with its exit code."""
    try:
        app(arguments)
    except _EXPECTED as error:
        err.print(visible(sentence_of(error)), markup=False, style="red")
        sys.exit(code_of(error))


def main() -> None:
    """Run the command of this process."""
    logs.configure()
    run()
