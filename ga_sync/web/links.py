"""Links: made, shown, synchronised, paused, removed; their runs, days and segments."""

from typing import Any

from litestar import Response, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody

from ga_sync.accounts import store
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.names import check_day, is_plain
from ga_sync.web.auth import allow
from ga_sync.web.bodies import Label, LinkChange, NewLink, Recorded
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.paging import Listed, by_number
from ga_sync.web.params import CustomerId, From, To, day_of
from ga_sync.web.services import Wired
from ga_sync.web.threads import in_thread


@post("/v1/links", guards=[allow("console")], tags=["links"])
@in_thread
def create_link(request: Call, data: JSONBody[NewLink], services: Wired) -> Response[Json]:
    """Probe with a real report, then link: 201, or 200 where it was linked already."""
    caller = caller_of(request)
    with services.stores.data.reading() as session:
        customer_id = store.grant_customer(session, data.grant_id) if is_plain(data.grant_id) else None
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
    listing: Listed,
    customer_id: CustomerId = None,
) -> Json:
    """Links, by id."""
    only = caller_of(request).only(customer_id)
    return listing.page("links", services.links.page(only, store.Page(listing.after, listing.wanted)))


@get("/v1/links/{link_id:str}", guards=[allow("console", "store")], tags=["links"])
@in_thread
def show_link(request: Call, link_id: FromPath[str], services: Wired) -> Json:
    """One link."""
    return services.links.view(link_id, caller_of(request).customer_id)


@patch("/v1/links/{link_id:str}", guards=[allow("console")], tags=["links"])
@in_thread
def change_link(request: Call, link_id: FromPath[str], data: JSONBody[LinkChange], services: Wired) -> Json:
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
def sync_link(request: Call, link_id: FromPath[str], services: Wired) -> Json:
    """Synchronise now: the run, queued or already under way."""
    caller = caller_of(request)
    return services.links.sync(link_id, caller.customer_id, caller.actor)


@get("/v1/links/{link_id:str}/runs", guards=[allow("console")], tags=["links"])
@in_thread
def list_runs(request: Call, link_id: FromPath[str], services: Wired, listing: Listed) -> Json:
    """Runs, newest first."""
    found = services.links.runs(link_id, caller_of(request).customer_id, listing.after, listing.wanted)
    return listing.page("runs", [(str(item["run_id"]), item) for item in found])


@get(
    "/v1/links/{link_id:str}/runs/{run_id:str}",
    guards=[allow("console")],
    tags=["links"],
)
@in_thread
def show_run(request: Call, link_id: FromPath[str], run_id: FromPath[str], services: Wired) -> Json:
    """One run."""
    return services.links.run(link_id, run_id, caller_of(request).customer_id)


@get("/v1/links/{link_id:str}/days", guards=[allow("console", "store")], tags=["links"])
@in_thread
def list_days(
    request: Call,
    link_id: FromPath[str],
    services: Wired,
    listing: Listed,
    first: From = None,
    to: To = None,
) -> Json:
    """Every wanted day with its state, oldest first."""
    found = services.links.days(link_id, caller_of(request).customer_id, day_of(first), day_of(to))
    return listing.cut("days", found, lambda item: str(item["day"]))


@put(
    "/v1/links/{link_id:str}/days/{day:str}/recorded",
    guards=[allow("store")],
    status_code=204,
    tags=["links"],
)
@in_thread
def put_recorded(
    request: Call, link_id: FromPath[str], day: FromPath[str], data: JSONBody[Recorded], services: Wired
) -> None:
    """What the recording store says it has for a day."""
    services.links.put_recorded(link_id, caller_of(request).customer_id, check_day(day), data.count)


@post(
    "/v1/links/{link_id:str}/pause",
    guards=[allow("console")],
    status_code=200,
    tags=["links"],
)
@in_thread
def pause_link(request: Call, link_id: FromPath[str], services: Wired) -> Json:
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
def resume_link(request: Call, link_id: FromPath[str], services: Wired) -> Json:
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
def remove_link(request: Call, link_id: FromPath[str], services: Wired) -> Json:
    """Destroy a link's data and key; the last link takes its grant along."""
    caller = caller_of(request)
    return services.purge.link(link_id, caller.customer_id, caller.actor)


@get(
    "/v1/links/{link_id:str}/segments",
    guards=[allow("console", "store")],
    tags=["segments"],
)
@in_thread
def list_segments(request: Call, link_id: FromPath[str], services: Wired, listing: Listed) -> dict[str, Any]:
    """The customer's own segments."""
    found, about = services.recordings.segments(link_id, caller_of(request).customer_id)
    return {**listing.cut("segments", found, lambda item: by_number(str(item["segment_id"]))), **about}


@put(
    "/v1/links/{link_id:str}/segments/{segment_id:str}/label",
    guards=[allow("console")],
    status_code=200,
    tags=["segments"],
)
@in_thread
def label_segment(
    request: Call, link_id: FromPath[str], segment_id: FromPath[str], data: JSONBody[Label], services: Wired
) -> Json:
    """The customer's own name for a segment."""
    caller = caller_of(request)
    services.links.label(link_id, caller.customer_id, segment_id, data.label, caller.actor)
    found, _ = services.recordings.segments(link_id, caller.customer_id)
    return next(item for item in found if item["segment_id"] == segment_id)
