"""Administrators and operators: customers, audit, health."""

from litestar import Response, delete, get
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy.exc import SQLAlchemyError

from ga_sync.accounts import store, views
from ga_sync.accounts.names import check_customer
from ga_sync.web.auth import allow
from ga_sync.web.described import describe
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.paging import Listed
from ga_sync.web.params import CustomerId
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread
from models.audit import append
from models.errors import KeyringError


@delete(
    "/v1/customers/{customer_id:str}",
    guards=[allow("console")],
    status_code=200,
    tags=["customers"],
)
@in_thread
def erase_customer(request: Call, customer_id: FromPath[str], services: Wired) -> Json:
    """Destroy everything of a customer: one receipt a grant."""
    return services.purge.customer(check_customer(customer_id), caller_of(request).actor)


@get(
    "/v1/customers/{customer_id:str}/export",
    guards=[allow("console")],
    sync_to_thread=True,
    tags=["customers"],
)
def export_customer(request: Call, customer_id: FromPath[str], services: Wired) -> Stream:
    """Everything held about a customer, as JSON; no tokens."""
    check_customer(customer_id)
    with services.stores.data.transaction() as session:
        append(
            session, services.clock(), caller_of(request).actor, "customer.export", customer_id, customer_id
        )
    headers = {"content-disposition": 'attachment; filename="ga-sync-customer.json"'}
    return Stream(services.exports.document(customer_id), media_type="application/json", headers=headers)


@get("/v1/audit", guards=[allow("admin")], tags=["audit"])
@in_thread
def list_audit(
    request: Call,
    services: Wired,
    listing: Listed,
    customer_id: CustomerId = None,
) -> Json:
    """Who did what, newest first."""
    only = caller_of(request).only(customer_id)
    before = int(listing.after) if listing.after else None
    with services.stores.data.reading() as session:
        rows = store.audit(session, only, before, listing.wanted)
    return listing.page("events", [(str(row.number), views.event(row)) for row in rows])


@get("/openapi.json", sync_to_thread=False, include_in_schema=False)
def openapi(request: Call, services: Wired) -> Json:
    """This document."""
    return describe(request.app.openapi_schema.to_schema(), services.settings.retention_days)


@get("/healthz", sync_to_thread=False, tags=["health"])
def healthz() -> Json:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", tags=["health"])
@in_thread
def readyz(services: Wired) -> Response[Json]:
    """Both databases answer, belong together, and the keys open."""
    try:
        with services.stores.data.reading() as session:
            named = store.named_keyring(session)
        same = services.keyring.keyring_id() == services.keyring_id == named
    except (SQLAlchemyError, KeyringError):
        same = False
    return Response({"status": "ready" if same else "not ready"}, status_code=200 if same else 503)
