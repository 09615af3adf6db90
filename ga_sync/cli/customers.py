"""Commands about customers' grants, links, segments and recordings."""

import json
import sys
from typing import Annotated

import typer

from ga_sync import bootstrap, settings
from ga_sync.accounts import store, views
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.generation import Window
from ga_sync.cli.console import AsJson, Yes, confirm, listing, plain, show
from ga_sync.cli.progress import follow_run

grant = typer.Typer(no_args_is_help=True, help="Grants: one Google consent each.")
link = typer.Typer(no_args_is_help=True, help="Links: one GA4 property with one custom dimension each.")
OPERATOR = "cli"
Customer = Annotated[str | None, typer.Option(help="Only this customer's.")]


def owner_of_link(service: bootstrap.Service, link_id: str) -> str:
    """Whose link this is. Raises NotFound."""
    with service.stores.data.reading() as session:
        owner = store.link_owner(session, link_id)
    if owner is None:
        raise NotFound("there is no such link; see `ga-sync link list`")
    return owner[0]


def _owner_of_grant(service: bootstrap.Service, grant_id: str) -> str:
    with service.stores.data.reading() as session:
        owner = store.grant_customer(session, grant_id)
    if owner is None:
        raise NotFound("there is no such grant; see `ga-sync grant list`")
    return owner


def _grant_view(service: bootstrap.Service, grant_id: str) -> views.View:
    customer_id = _owner_of_grant(service, grant_id)
    with service.stores.data.reading() as session:
        row = store.grant(session, grant_id, customer_id)
        assert row is not None, "its owner was just found"
        links = [one.link_id for one in store.links_of(session, grant_id, customer_id)]
    return views.grant(row, links, service.clock())


@grant.command("list")
def grant_list(customer: Customer = None, as_json: AsJson = False) -> None:
    """Grants by id."""
    with bootstrap.Service(settings.load(), google=False) as service:
        with service.stores.data.reading() as session:
            rows = store.grants(session, customer, store.Page("", 100_000))
        items = [_grant_view(service, row.grant_id) for row in rows]
    listing(items, ["grant_id", "customer_id", "status", "reason", "created_at", "links"], as_json=as_json)


@grant.command("show")
def grant_show(grant_id: str, as_json: AsJson = False) -> None:
    """One grant; a revoked one with its receipt."""
    with bootstrap.Service(settings.load(), google=False) as service:
        show(_grant_view(service, grant_id), as_json=as_json)


@grant.command("revoke")
def grant_revoke(grant_id: str, yes: Yes = False, as_json: AsJson = False) -> None:
    """Destroy a grant and everything learnt through it, and revoke it at Google."""
    with bootstrap.Service(settings.load()) as service:
        customer_id = _owner_of_grant(service, grant_id)
        confirm(
            "This destroys the grant, its links and all their data for good. Google ends every permission that this "
            "Google account gave to this service, other links' too. Go on?",
            yes=yes,
        )
        show(service.purge.grant(grant_id, customer_id, OPERATOR), as_json=as_json)


@link.command("list")
def link_list(customer: Customer = None, as_json: AsJson = False) -> None:
    """Links by id."""
    with bootstrap.Service(settings.load(), google=False) as service:
        items = service.links.listed(customer, store.Page("", 100_000))
    columns = [
        "link_id",
        "customer_id",
        "property",
        "display_name",
        "status",
        "reason",
        "next_sync_at",
        "days",
    ]
    listing(items, columns, as_json=as_json)


@link.command("show")
def link_show(link_id: str, as_json: AsJson = False) -> None:
    """One link with its newest run, its quota and its days."""
    with bootstrap.Service(settings.load(), google=False) as service:
        show(service.links.view(link_id, owner_of_link(service, link_id)), as_json=as_json)


@link.command("sync")
def link_sync(
    link_id: str,
    wait: Annotated[bool, typer.Option(help="Wait for the worker to finish the run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queue a run now; with --wait follow it to its end (exit 1 unless it succeeds)."""
    with bootstrap.Service(settings.load(), google=False) as service:
        customer_id = owner_of_link(service, link_id)
        run = service.links.sync(link_id, customer_id, OPERATOR)
        if wait:
            run = follow_run(service, link_id, customer_id, str(run["run_id"]))
    show(run, as_json=as_json)
    if wait and run["status"] != "succeeded":
        raise typer.Exit(1)


@link.command("pause")
def link_pause(link_id: str, as_json: AsJson = False) -> None:
    """No call to Google, no answers, nothing lost."""
    with bootstrap.Service(settings.load(), google=False) as service:
        show(service.links.pause(link_id, owner_of_link(service, link_id), OPERATOR), as_json=as_json)


@link.command("resume")
def link_resume(link_id: str, as_json: AsJson = False) -> None:
    """Lift a pause."""
    with bootstrap.Service(settings.load(), google=False) as service:
        show(service.links.resume(link_id, owner_of_link(service, link_id), OPERATOR), as_json=as_json)


@link.command("remove")
def link_remove(link_id: str, yes: Yes = False, as_json: AsJson = False) -> None:
    """Destroy a link's data and key; the last link takes its grant along."""
    with bootstrap.Service(settings.load()) as service:
        customer_id = owner_of_link(service, link_id)
        confirm("This destroys the link and all its data for good. Go on?", yes=yes)
        show(service.purge.link(link_id, customer_id, OPERATOR), as_json=as_json)


def segments(link_id: str, as_json: AsJson = False) -> None:
    """The segments of a link."""
    with bootstrap.Service(settings.load(), google=False) as service:
        items, about = service.recordings.segments(link_id, owner_of_link(service, link_id))
    columns = ["segment_id", "name", "label", "recordings", "first_day", "last_day", "archived"]
    listing(items, columns, as_json=as_json)
    if not as_json:
        typer.echo(f"Listed by Google at {about['segments_checked_at'] or '- (not yet)'}", err=True)


def filter_(
    link_id: str,
    expression: Annotated[str, typer.Argument(help='Such as: 123 & ("Buyers" | !456)')],
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; all without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """The recordings that a filter is true of, newest day first, one id a line (JSON lines with --json)."""
    with bootstrap.Service(settings.load(), google=False) as service:
        customer_id = owner_of_link(service, link_id)
        _, batches = service.recordings.export(link_id, customer_id, expression, Window())
        left = limit or sys.maxsize
        for day, ids in batches:
            for recording_id in ids[:left]:
                line = {"recording_id": recording_id, "last_day": day.isoformat()}
                plain(json.dumps(line, ensure_ascii=False) if as_json else recording_id)
            left -= min(left, len(ids))
            if not left:
                return
