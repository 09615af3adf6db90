"""The root command, and how errors become exit codes: 1 failed, 2 bad usage, 3 configuration, 4 not found."""

import sys
from typing import NoReturn

import typer

from ga_sync.accounts.errors import NotFound, Refusal
from ga_sync.cli import customers, logs, processes, system
from ga_sync.cli.console import err, visible
from ga_sync.index.errors import FilterIndexError
from ga_sync.settings import SettingsError
from models.errors import KeyringExists, ModelsError
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
app.add_typer(system.audit, name="audit")
app.add_typer(customers.grant, name="grant")
app.add_typer(customers.link, name="link")
app.command("segments")(customers.segments)
app.command("filter")(customers.filter_)

FAILED, CONFIGURATION, NOT_FOUND = 1, 3, 4


def _stop(error: Exception, code: int) -> NoReturn:
    err.print(visible(str(error)), markup=False, style="red")
    sys.exit(code)


def main() -> None:
    """Run one command."""
    logs.configure()
    try:
        app()
    except (NotFound, GrantUnknown) as error:
        _stop(error, NOT_FOUND)
    except KeyringExists as error:
        _stop(error, FAILED)
    except (SettingsError, ModelsError) as error:
        _stop(error, CONFIGURATION)
    except (Refusal, FilterIndexError, OauthError) as error:
        _stop(error, FAILED)
