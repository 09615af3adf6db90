"""Commands of the operator: databases, keys, audit, health."""

from datetime import timedelta
from typing import Annotated

import typer

from ga_sync import bootstrap, settings
from ga_sync import doctor as checkup
from ga_sync.accounts import store, views
from ga_sync.cli.console import AsJson, Yes, confirm, err, listing, plain, show
from ga_sync.cli.progress import follow_count
from models.audit import first_break
from models.rotation import versions_in_use

db = typer.Typer(no_args_is_help=True, help="The databases.")
keyring = typer.Typer(no_args_is_help=True, help="The keyring.")
key = typer.Typer(no_args_is_help=True, help="API keys.")
audit = typer.Typer(invoke_without_command=True, help="The audit log.")
OPERATOR = "cli"


@db.callback()
def _db() -> None:
    """The databases."""


@db.command("upgrade")
def db_upgrade(as_json: AsJson = False) -> None:
    """Bring both stores, data and keyring, to this version's schema."""
    stores = bootstrap.open_stores(settings.load())
    try:
        stores.upgrade()
    finally:
        stores.close()
    if as_json:
        show({"upgraded": ["data", "keyring"]}, as_json=True)
    else:
        err.print("both stores are at this version's schema")


@keyring.command("init")
def keyring_init(as_json: AsJson = False) -> None:
    """Make the key-encryption key (file) and the keyring. Never overwrites: exit 1 where they exist."""
    show({"keyring_id": bootstrap.init_keyring(settings.load())}, as_json=as_json)


@keyring.command("status")
def keyring_status(as_json: AsJson = False) -> None:
    """Where the key-encryption key is, and how many data keys there are."""
    with bootstrap.Service(settings.load(), google=False) as service:
        with service.stores.keyring.reading() as session:
            versions = {str(version): count for version, count in versions_in_use(session).items()}
        facts = {"keyring_id": service.keyring_id, "kek": service.keyring.describe_kek()}
        show({**facts, **service.keyring.counts(), "kek_versions": versions}, as_json=as_json)


@keyring.command("rotate")
def keyring_rotate(as_json: AsJson = False) -> None:
    """Change the key-encryption key while everything runs, or finish a change that was interrupted.

    A key file gets a new version, and the old one is destroyed: copy the file again. Of other keys the next one is
    named by GA_SYNC_KEK_NEXT, in every process, before.
    """
    configured = settings.load()
    with follow_count("data keys") as progress:
        done = bootstrap.rotate_keyring(configured, progress)
    found = {"kek_version": done.version, "rewrapped": done.rewrapped, "destroyed_versions": done.destroyed}
    show(found, as_json=as_json)
    if not as_json:
        err.print(
            "make a new copy of the key file: the old one opens nothing any more"
            if configured.kek.startswith("file:") and not configured.kek_next
            else "set GA_SYNC_KEK to the next key everywhere, take GA_SYNC_KEK_NEXT away, and destroy the old key"
        )


@keyring.command("restored")
def keyring_restored(yes: Yes = False, as_json: AsJson = False) -> None:
    """Say that the data were restored from a backup: tokens older than the keyring remembers are used again.

    Stop every process first. Where nothing was restored this hides that somebody put rows back.
    """
    with bootstrap.Service(settings.load(), google=False) as service:
        confirm("Take the data as they are for the newest there are?", yes=yes)
        show({"behind": service.accept_restored()}, as_json=as_json)


@key.command("create")
def key_create(
    role: Annotated[str, typer.Option(help="admin, console or store.")],
    customer: Annotated[str, typer.Option(help="The customer's id, or '*' for every customer.")],
    days: Annotated[
        int | None, typer.Option(min=1, help="It ends by itself after so many; never without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it, once, alone on stdout. A customer may have any number: rotate without a gap."""
    lives = timedelta(days=days) if days else None
    with bootstrap.Service(settings.load(), google=False) as service:
        made = service.keys.create(role, customer, OPERATOR, lives)
    if as_json:
        show({"key": made, "role": role, "customer_id": customer}, as_json=True)
    else:
        plain(made)


@key.command("list")
def key_list(as_json: AsJson = False) -> None:
    """Every key, never a secret."""
    with bootstrap.Service(settings.load(), google=False) as service:
        items = [
            {
                "key_id": row.key_id,
                "role": row.role,
                "customer_id": row.customer_id,
                "created_at": views.moment(row.created_at),
                "last_used_at": views.moment(row.last_used_at),
                "expires_at": views.moment(row.expires_at),
                "revoked_at": views.moment(row.revoked_at),
            }
            for row in service.keys.listed()
        ]
    columns = ["key_id", "role", "customer_id", "created_at", "expires_at", "last_used_at", "revoked_at"]
    listing(items, columns, as_json=as_json)


@key.command("revoke")
def key_revoke(key_id: str, yes: Yes = False) -> None:
    """End a key at once."""
    confirm(f"Revoke key {key_id}?", yes=yes)
    with bootstrap.Service(settings.load(), google=False) as service:
        service.keys.revoke(key_id, OPERATOR)


@audit.callback()
def audit_list(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Who did what, newest first."""
    if context.invoked_subcommand is not None:
        return
    with (
        bootstrap.Service(settings.load(), google=False) as service,
        service.stores.data.reading() as session,
    ):
        items = [
            {"at": views.moment(row.at), "actor": row.actor, "verb": row.verb, "object": row.object}
            | {"customer_id": row.customer_id}
            for row in store.audit(session, customer, None, limit)
        ]
    listing(items, ["at", "actor", "verb", "object", "customer_id"], as_json=as_json)


@audit.command("verify")
def audit_verify(as_json: AsJson = False) -> None:
    """Check the hash chain: exit 1 where it is broken."""
    with (
        bootstrap.Service(settings.load(), google=False) as service,
        service.stores.data.reading() as session,
    ):
        broken = first_break(session)
    show({"whole": broken is None, "first_broken_event": broken}, as_json=as_json)
    if broken is not None:
        raise typer.Exit(1)


def doctor(as_json: AsJson = False) -> None:
    """Check configuration, databases, keys and the way to Google, and say what to do. Warnings alone exit 0."""
    findings = checkup.examine(settings.load())
    listing([finding.view() for finding in findings], ["level", "what", "advice"], as_json=as_json)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
