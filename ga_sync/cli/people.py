"""Commands about accounts of individuals."""

from typing import Annotated

import typer

from ga_sync import bootstrap, settings
from ga_sync.accounts import views
from ga_sync.accounts.users import Invitation
from ga_sync.cli.console import AsJson, Yes, confirm, listing, plain, show
from ga_sync.cli.customers import OPERATOR

user = typer.Typer(no_args_is_help=True, help="Accounts of individuals: one person, one account.")
Email = Annotated[str, typer.Argument(help="The person's e-mail address.")]


def _tell(invitation: Invitation, public_url: str, *, as_json: bool) -> None:
    """The one-time address, for the only time; alone on stdout unless JSON was asked for."""
    address = invitation.address(public_url)
    if not as_json:
        plain(address)
        return
    found = {
        **invitation.person.view(),
        "address": address,
        "expires_at": views.moment(invitation.expires_at),
    }
    show(found, as_json=True)


@user.command("add")
def user_add(
    email: Email,
    role: Annotated[str, typer.Option(help="admin or console.")],
    customer: Annotated[str, typer.Option(help="The customer's id, or '*' for every customer.")],
    as_json: AsJson = False,
) -> None:
    """Make an account and print the one-time address (72 h) at which the person sets the password."""
    with bootstrap.Service(settings.load(), google=False) as service:
        invitation = service.users.add(email, role, customer, OPERATOR)
        _tell(invitation, service.settings.public_url, as_json=as_json)


@user.command("invite")
def user_invite(email: Email, as_json: AsJson = False) -> None:
    """Print a new one-time address: the former one, the password and every session end with it."""
    with bootstrap.Service(settings.load(), google=False) as service:
        invitation = service.users.invite_again(email, OPERATOR)
        _tell(invitation, service.settings.public_url, as_json=as_json)


@user.command("list")
def user_list(
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every account, oldest first."""
    with bootstrap.Service(settings.load(), google=False) as service:
        items = [person.view() for person in service.users.listed(customer)]
    columns = [
        "user_id",
        "email",
        "role",
        "customer_id",
        "last_login_at",
        "disabled_at",
        "invited",
        "second_factor",
    ]
    listing(items, columns, as_json=as_json)


@user.command("reset")
def user_reset(email: Email, yes: Yes = False, as_json: AsJson = False) -> None:
    """Turn off the second factor of somebody who lost the app and the codes; every session of theirs ends."""
    confirm(f"Turn off the second factor of {email}? Be sure that it is them who ask.", yes=yes)
    with bootstrap.Service(settings.load(), google=False) as service:
        show(service.factors.reset(email, OPERATOR).view(), as_json=as_json)


@user.command("disable")
def user_disable(email: Email, yes: Yes = False, as_json: AsJson = False) -> None:
    """End an account and its sessions at once."""
    confirm(f"Disable the account of {email}?", yes=yes)
    with bootstrap.Service(settings.load(), google=False) as service:
        show(service.users.disable(email, OPERATOR).view(), as_json=as_json)
