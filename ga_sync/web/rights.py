"""Erasure of single recordings, and following who enters and leaves segments."""

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from ga_sync.accounts.changes import DEFAULT_LIMIT
from ga_sync.web.auth import allow
from ga_sync.web.bodies import Forgotten
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread


@post(
    "/v1/links/{link_id:str}/recordings/forget",
    guards=[allow("console")],
    status_code=200,
    tags=["recordings"],
)
@in_thread
def forget(request: Call, link_id: FromPath[str], data: JSONBody[Forgotten], services: Wired) -> Json:
    """Forget recordings for good: later synchronisations and restored backups do not bring them back."""
    caller = caller_of(request)
    return services.forgetting.forget(link_id, caller.customer_id, data.recording_ids, caller.actor)


@get("/v1/links/{link_id:str}/changes", guards=[allow("store")], tags=["recordings"])
@in_thread
def changes(
    request: Call,
    link_id: FromPath[str],
    services: Wired,
    since: FromQuery[str | None] = None,
    limit: FromQuery[int] = DEFAULT_LIMIT,
) -> Json:
    """Who entered and who left which segment since then; without ``since`` the present state, then the log."""
    return services.changes.page(link_id, caller_of(request).customer_id, since, limit)
