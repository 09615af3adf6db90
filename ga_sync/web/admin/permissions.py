"""Grants: who gave which permission, and revoking it with its consequences spelled out before."""

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts import store as accounts
from ga_sync.accounts import views
from ga_sync.accounts.views import View
from ga_sync.web.admin import store
from ga_sync.web.admin.fleet import SHOWN, offset_of
from ga_sync.web.console.viewer import Asked, customer_of_grant, viewer, viewer_of_form
from ga_sync.web.forms import Sent
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread


@get("/admin/grants", include_in_schema=False)
@in_thread
def grants(request: Asked, services: Wired) -> Template:
    """Every grant, those that a customer must renew first."""
    who = viewer(request, services, admin=True)
    offset = offset_of(request)
    with services.stores.data.reading() as session:
        rows = store.grants_by_need(session, offset, SHOWN + 1)
        found = [
            views.grant(
                row,
                [one.link_id for one in accounts.links_of(session, row.grant_id, row.customer_id)],
                services.clock(),
            )
            for row in rows[:SHOWN]
        ]
    following = offset + SHOWN if len(rows) > SHOWN else None
    return Template("admin/grants.html", context={"who": who, "grants": found, "following": following})


@get("/admin/grants/{grant_id:str}", include_in_schema=False)
@in_thread
def grant(request: Asked, grant_id: FromPath[str], services: Wired) -> Template:
    """One grant: its links, and what revoking it would do; afterwards its receipt, with both ticks."""
    who = viewer(request, services, admin=True)
    customer_id = customer_of_grant(services, grant_id)
    with services.stores.data.reading() as session:
        row = accounts.grant(session, grant_id, customer_id)
        held = accounts.links_of(session, grant_id, customer_id)
        references = [one.property_ref for one in held if one.property_ref is not None]
        near = store.neighbours(session, grant_id, references)
        others = store.other_living_grants(session, grant_id)
    assert row is not None, "grants stay"
    found = views.grant(row, [one.link_id for one in held], services.clock())
    context = {
        "who": who,
        "grant": found,
        "links": [_detailed(services, one.link_id, customer_id) for one in held],
        "near": [{"link_id": one.link_id, "customer_id": one.customer_id} for one in near],
        "others": others,
    }
    return Template("admin/grant.html", context=context)


def _detailed(services: Services, link_id: str, customer_id: str) -> View:
    segments, _ = services.recordings.segments(link_id, customer_id)
    return {**services.links.view(link_id, customer_id), "segments": len(segments)}


@post("/admin/grants/{grant_id:str}/revoke", include_in_schema=False)
@in_thread
def revoke(request: Asked, grant_id: FromPath[str], services: Wired, form: Sent) -> Redirect:
    """Destroy everything here at once, and tell Google until it answers."""
    who = viewer_of_form(request, services, form, admin=True)
    services.purge.grant(grant_id, customer_of_grant(services, grant_id), who.actor)
    return Redirect(f"/admin/grants/{grant_id}", status_code=303)
