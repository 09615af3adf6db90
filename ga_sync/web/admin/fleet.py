"""Links by state, what needs attention first; one link with its runs, its quota, and what can be done."""

from typing import Any

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts.errors import Invalid, NotFound
from ga_sync.accounts.views import View
from ga_sync.web.admin import store
from ga_sync.web.admin.spending import meters, runs_chart, tokens_chart, took
from ga_sync.web.console.viewer import Asked, customer_of_link, viewer, viewer_of_form
from ga_sync.web.forms import Sent
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread
from models.errors import DataKeyGone

SHOWN, RUNS_SHOWN = 50, 30
STATES = ("broken", "paused", "active")


def offset_of(request: Asked) -> int:
    """Where a page begins; nonsense is the first page."""
    given = request.query_params.get("from", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0  # noqa: PLR2004 -- a million


@get("/admin", include_in_schema=False)
@in_thread
def fleet(request: Asked, services: Wired) -> Template:
    """Counts by state, and the links, what needs attention first."""
    who = viewer(request, services, admin=True)
    status = request.query_params.get("status")
    wanted, offset = status if status in STATES else None, offset_of(request)
    with services.stores.data.reading() as session:
        counts, grants = store.link_counts(session), store.grant_counts(session)
        found = store.links_by_need(session, wanted, offset, SHOWN + 1)
    views = [_view(services, link_id, customer_id) for link_id, customer_id in found[:SHOWN]]
    context = {
        "who": who,
        "counts": {state: counts.get(state, 0) for state in STATES},
        "reconsent": grants.get("reconsent_required", 0),
        "status": wanted,
        "links": [view for view in views if view is not None],
        "following": offset + SHOWN if len(found) > SHOWN else None,
    }
    return Template("admin/fleet.html", context=context)


def _view(services: Services, link_id: str, customer_id: str) -> View | None:
    try:
        return services.links.view(link_id, customer_id)
    except (NotFound, DataKeyGone):  # removed in this moment
        return None


@get("/admin/links/{link_id:str}", include_in_schema=False)
@in_thread
def link(request: Asked, link_id: FromPath[str], services: Wired) -> Template:
    """One link: runs with their time and spending as charts, quota, and what can be done."""
    who = viewer(request, services, admin=True)
    customer_id = customer_of_link(services, who, link_id)
    runs = services.links.runs(link_id, customer_id, "", RUNS_SHOWN)
    found = services.links.view(link_id, customer_id)
    context = {
        "who": who,
        "link": found,
        "runs": runs,
        "durations": runs_chart(runs),
        "longest": max((took(run) or 0.0 for run in runs), default=0.0),
        "tokens": tokens_chart(runs),
        "most": max((int(run["tokens"]) for run in runs), default=0),
        "meters": meters(found["quota"]),
    }
    return Template("admin/link.html", context=context)


@post("/admin/links/{link_id:str}/{verb:str}", include_in_schema=False)
@in_thread
def act_on_link(
    request: Asked, link_id: FromPath[str], verb: FromPath[str], services: Wired, form: Sent
) -> Redirect | Template:
    """Synchronise, pause, resume or remove. Raises Invalid for another verb."""
    who = viewer_of_form(request, services, form, admin=True)
    customer_id = customer_of_link(services, who, link_id)
    if verb == "remove":
        context: dict[str, Any] = {
            "who": who,
            "receipt": services.purge.link(link_id, customer_id, who.actor),
        }
        return Template("admin/removed.html", context=context)
    verbs = {"sync": services.links.sync, "pause": services.links.pause, "resume": services.links.resume}
    if verb not in verbs:
        raise Invalid("sync, pause, resume and remove are what can be done to a link")
    verbs[verb](link_id, customer_id, who.actor)
    return Redirect(f"/admin/links/{link_id}", status_code=303)
