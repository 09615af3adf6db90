"""Links: made, shown, synchronised, paused, removed; their runs, days and segments."""

from datetime import date
from typing import Any

from litestar import Response, delete, get, patch, post, put

from ga_sync.accounts import store
from ga_sync.accounts.errors import NotFound
from ga_sync.index.errors import InvalidWindow
from ga_sync.web.auth import allow
from ga_sync.web.bodies import Label, LinkChange, NewLink, Recorded
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.paging import DEFAULT_LIMIT, Cursor, Limit, after, page, sliced
from ga_sync.web.params import From, To
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread


@post("/v1/links", guards=[allow("console")], tags=["links"])
@in_thread
def create_link(request: Call, data: NewLink, services: Wired) -> Response[Json]:
    """Probe with a real report, then link: 201, or 200 where it was linked already."""
    caller = caller_of(request)
    with services.stores.data.reading() as session:
        customer_id = store.grant_customer(session, data.grant_id)
    if customer_id is None or not caller.principal.may_see(customer_id):
        raise NotFound("there is no such grant for this key")
    wish = services.linking.wish(data.grant_id, data.property, data.parameter_name, data.retention_days)
    view, new = services.linking.create(wish, customer_id, caller.actor)
    return Response(view, status_code=201 if new else 200)


@get("/v1/links", guards=[allow("console", "store")], tags=["links"])
@in_thread
def list_links(
    request: Call,
    services: Wired,
    customer_id: str | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Json:
    """Links, by id."""
    found = services.links.listed(caller_of(request).only(customer_id), store.Page(after(cursor), limit + 1))
    return page("links", found, limit, lambda item: str(item["link_id"]))


@get("/v1/links/{link_id:str}", guards=[allow("console", "store")], tags=["links"])
@in_thread
def show_link(request: Call, link_id: str, services: Wired) -> Json:
    """One link."""
    return services.links.view(link_id, caller_of(request).customer_id)


@patch("/v1/links/{link_id:str}", guards=[allow("console")], tags=["links"])
@in_thread
def change_link(request: Call, link_id: str, data: LinkChange, services: Wired) -> Json:
    """Change how long days are kept."""
    caller = caller_of(request)
    return services.links.change(link_id, caller.customer_id, data.retention_days, caller.actor)


@post(
    "/v1/links/{link_id:str}/sync",
    guards=[allow("console")],
    status_code=202,
    tags=["links"],
)
@in_thread
def sync_link(request: Call, link_id: str, services: Wired) -> Json:
    """Synchronise now: the run, queued or already under way."""
    caller = caller_of(request)
    return services.links.sync(link_id, caller.customer_id, caller.actor)


@get("/v1/links/{link_id:str}/runs", guards=[allow("console")], tags=["links"])
@in_thread
def list_runs(
    request: Call, link_id: str, services: Wired, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Json:
    """Runs, newest first."""
    found = services.links.runs(link_id, caller_of(request).customer_id, after(cursor), limit + 1)
    return page("runs", found, limit, lambda item: str(item["run_id"]))


@get(
    "/v1/links/{link_id:str}/runs/{run_id:str}",
    guards=[allow("console")],
    tags=["links"],
)
@in_thread
def show_run(request: Call, link_id: str, run_id: str, services: Wired) -> Json:
    """One run."""
    return services.links.run(link_id, run_id, caller_of(request).customer_id)


@get("/v1/links/{link_id:str}/days", guards=[allow("console", "store")], tags=["links"])
@in_thread
def list_days(
    request: Call,
    link_id: str,
    services: Wired,
    first: From = None,
    to: To = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Json:
    """Every wanted day with its state, oldest first."""
    if first is not None and to is not None and first > to:
        raise InvalidWindow("from lies after to: swap them, or leave one out")
    found = services.links.days(link_id, caller_of(request).customer_id, first, to)
    return sliced("days", found, limit, cursor)


@put(
    "/v1/links/{link_id:str}/days/{day:date}/recorded",
    guards=[allow("store")],
    status_code=204,
    tags=["links"],
)
@in_thread
def put_recorded(request: Call, link_id: str, day: date, data: Recorded, services: Wired) -> None:
    """What the recording store says it has for a day."""
    services.links.put_recorded(link_id, caller_of(request).customer_id, day, data.count)


@post(
    "/v1/links/{link_id:str}/pause",
    guards=[allow("console")],
    status_code=200,
    tags=["links"],
)
@in_thread
def pause_link(request: Call, link_id: str, services: Wired) -> Json:
    """Restriction: no call to Google, no answers, nothing lost."""
    caller = caller_of(request)
    return services.links.pause(link_id, caller.customer_id, caller.actor)


@post(
    "/v1/links/{link_id:str}/resume",
    guards=[allow("console")],
    status_code=200,
    tags=["links"],
)
@in_thread
def resume_link(request: Call, link_id: str, services: Wired) -> Json:
    """Lift a pause."""
    caller = caller_of(request)
    return services.links.resume(link_id, caller.customer_id, caller.actor)


@delete(
    "/v1/links/{link_id:str}",
    guards=[allow("console")],
    status_code=200,
    tags=["links"],
)
@in_thread
def remove_link(request: Call, link_id: str, services: Wired) -> Json:
    """Destroy a link's data and key; the last link takes its grant along."""
    caller = caller_of(request)
    return services.purge.link(link_id, caller.customer_id, caller.actor)


@get(
    "/v1/links/{link_id:str}/segments",
    guards=[allow("console", "store")],
    tags=["segments"],
)
@in_thread
def list_segments(
    request: Call, link_id: str, services: Wired, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> dict[str, Any]:
    """The customer's own segments."""
    found, about = services.recordings.segments(link_id, caller_of(request).customer_id)
    return {**sliced("segments", found, limit, cursor), **about}


@put(
    "/v1/links/{link_id:str}/segments/{segment_id:str}/label",
    guards=[allow("console")],
    status_code=200,
    tags=["segments"],
)
@in_thread
def label_segment(request: Call, link_id: str, segment_id: str, data: Label, services: Wired) -> Json:
    """The customer's own name for a segment."""
    caller = caller_of(request)
    services.links.label(link_id, caller.customer_id, segment_id, data.label, caller.actor)
    found, _ = services.recordings.segments(link_id, caller.customer_id)
    return next(item for item in found if item["segment_id"] == segment_id)
