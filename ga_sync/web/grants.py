"""Grants: consent asked for, shown, revoked."""

from typing import Any

from litestar import Request, delete, get, post
from litestar.params import FromPath, JSONBody

from ga_sync.accounts import store, views
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.names import check_customer, check_return_url, is_plain
from ga_sync.web.auth import Caller, allow
from ga_sync.web.bodies import NewGrant
from ga_sync.web.paging import Listed, by_number
from ga_sync.web.params import CustomerId
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread
from models.audit import append

Json = dict[str, Any]
Call = Request[Any, Any, Any]


def caller_of(request: Call) -> Caller:
    """Whom the guard admitted."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


@post("/v1/grants", guards=[allow("console")], tags=["grants"])
@in_thread
def create_grant(request: Call, data: JSONBody[NewGrant], services: Wired) -> Json:
    """Begin a consent, or with ``grant_id`` a reconnection."""
    caller = caller_of(request)
    caller.principal.require_customer(data.customer_id)
    check_customer(data.customer_id)
    if data.grant_id is not None and not is_plain(data.grant_id):
        raise NotFound("there is no such grant for this key")
    url = check_return_url(data.return_url, services.settings.return_origins)
    begun = services.consents.begin(data.customer_id, url, data.grant_id)
    with services.stores.data.transaction() as session:
        append(session, services.clock(), caller.actor, "grant.begin", begun.grant_id, data.customer_id)
    base, ticket = services.settings.public_url, begun.ticket.reveal()
    return {
        **_view(services, begun.grant_id, data.customer_id),
        "link_url": f"{base}/link/{ticket}",
        "authorization_url": f"{base}/oauth/start/{ticket}",
        "expires_at": views.moment(begun.expires_at),
    }


def _view(services: Services, grant_id: str, customer_id: str) -> Json:
    with services.stores.data.reading() as session:
        row = store.grant(session, grant_id, customer_id)
        if row is None:
            raise NotFound("there is no such grant for this key")
        links = [link.link_id for link in store.links_of(session, grant_id, customer_id)]
    return views.grant(row, links, services.clock())


@get("/v1/grants", guards=[allow("console")], tags=["grants"])
@in_thread
def list_grants(
    request: Call,
    services: Wired,
    listing: Listed,
    customer_id: CustomerId = None,
) -> Json:
    """Grants, by id."""
    only = caller_of(request).only(customer_id)
    with services.stores.data.reading() as session:
        rows = store.grants(session, only, store.Page(listing.after, listing.wanted))
        links = [store.links_of(session, row.grant_id, row.customer_id) for row in rows]
    now = services.clock()
    return listing.page(
        "grants",
        [
            (row.grant_id, views.grant(row, [link.link_id for link in under], now))
            for row, under in zip(rows, links, strict=True)
        ],
    )


@get("/v1/grants/{grant_id:str}", guards=[allow("console")], tags=["grants"])
@in_thread
def show_grant(request: Call, grant_id: FromPath[str], services: Wired) -> Json:
    """One grant; a revoked one with its receipt."""
    return _view(services, grant_id, caller_of(request).customer_id)


@get("/v1/grants/{grant_id:str}/properties", guards=[allow("console")], tags=["grants"])
@in_thread
def list_properties(request: Call, grant_id: FromPath[str], services: Wired, listing: Listed) -> Json:
    """The GA4 properties that the grant's Google account can see."""
    found = services.linking.properties(grant_id, caller_of(request).customer_id)
    return listing.cut(
        "properties", found, lambda item: by_number(str(item["property"]).removeprefix("properties/"))
    )


@get(
    "/v1/grants/{grant_id:str}/properties/{number:str}/dimensions",
    guards=[allow("console")],
    tags=["grants"],
)
@in_thread
def list_dimensions(
    request: Call,
    grant_id: FromPath[str],
    number: FromPath[str],
    services: Wired,
    listing: Listed,
) -> Json:
    """The event-scoped custom dimensions of a property."""
    customer_id = caller_of(request).customer_id
    found = services.linking.dimensions(grant_id, f"properties/{number}", customer_id)
    return listing.cut("dimensions", found, lambda item: str(item["parameter_name"]))


@delete(
    "/v1/grants/{grant_id:str}",
    guards=[allow("console")],
    status_code=200,
    tags=["grants"],
)
@in_thread
def revoke_grant(request: Call, grant_id: FromPath[str], services: Wired) -> Json:
    """Destroy here at once and revoke at Google: the receipt."""
    caller = caller_of(request)
    return services.purge.grant(grant_id, caller.customer_id, caller.actor)
