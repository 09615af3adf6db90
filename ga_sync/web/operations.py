"""Administrators and operators: customers, audit, health."""

from litestar import Response, delete, get
from sqlalchemy.exc import DBAPIError

from ga_sync.accounts import store, views
from ga_sync.accounts.names import check_customer
from ga_sync.index.errors import CursorInvalid
from ga_sync.web.auth import allow
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.paging import DEFAULT_LIMIT, Cursor, Limit, after, page
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread
from models.errors import KeyringError


@delete(
    "/v1/customers/{customer_id:str}",
    guards=[allow("console")],
    status_code=200,
    tags=["customers"],
)
@in_thread
def erase_customer(request: Call, customer_id: str, services: Wired) -> Json:
    """Destroy everything of a customer: one receipt a grant."""
    return services.purge.customer(check_customer(customer_id), caller_of(request).actor)


@get("/v1/audit", guards=[allow("admin")], tags=["audit"])
@in_thread
def list_audit(
    request: Call,
    services: Wired,
    customer_id: str | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Json:
    """Who did what, newest first."""
    only = caller_of(request).only(customer_id)
    before = after(cursor)
    if before and not before.isdecimal():
        raise CursorInvalid("the cursor is not one of this list's: begin again without it")
    with services.stores.data.reading() as session:
        rows = store.audit(session, only, int(before) if before else None, limit + 1)
    found = [
        {
            "number": row.number,
            "at": views.moment(row.at),
            "actor": row.actor,
            "verb": row.verb,
            "object": row.object,
            "customer_id": row.customer_id,
        }
        for row in rows
    ]
    return page("events", found, limit, lambda item: str(item["number"]))


@get("/healthz", sync_to_thread=False, tags=["health"])
def healthz() -> Json:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", tags=["health"])
@in_thread
def readyz(services: Wired) -> Response[Json]:
    """The database answers and the keys open."""
    try:
        with services.stores.data.reading() as session:
            store.ping(session)
        same = services.keyring.keyring_id() == services.keyring_id
    except (DBAPIError, KeyringError):
        same = False
    return Response({"status": "ready" if same else "not ready"}, status_code=200 if same else 503)
