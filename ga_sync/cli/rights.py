"""Commands about a customer's rights: everything held, written down; single recordings, forgotten."""

import sys
from typing import Annotated

import typer

from ga_sync import bootstrap, settings
from ga_sync.accounts.names import check_customer
from ga_sync.cli.console import AsJson, Yes, confirm, show
from ga_sync.cli.customers import OPERATOR, owner_of_link
from models.audit import append


def forget(
    link_id: str,
    recording_ids: Annotated[
        list[str], typer.Argument(help="The recordings; ids never seen are remembered too.")
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget recordings of a link for good: neither later runs nor restored backups bring them back."""
    with bootstrap.Service(settings.load(), google=False) as service:
        customer_id = owner_of_link(service, link_id)
        confirm(f"Forget {len(recording_ids)} recordings for good?", yes=yes)
        show(service.forgetting.forget(link_id, customer_id, recording_ids, OPERATOR), as_json=as_json)


def export(customer: str, _as_json: AsJson = False) -> None:
    """Everything held about a customer, as one JSON document on stdout (with --json too); no tokens."""
    check_customer(customer)
    with bootstrap.Service(settings.load(), google=False) as service:
        with service.stores.data.transaction() as session:
            append(session, service.clock(), OPERATOR, "customer.export", customer, customer)
        for piece in service.exports.document(customer):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
