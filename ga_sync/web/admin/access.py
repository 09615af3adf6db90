"""API keys and accounts: made, shown once, ended; and the log of who did what."""

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts import store, views
from ga_sync.accounts.keys import ROLES as KEY_ROLES
from ga_sync.accounts.users import ROLES as PEOPLE_ROLES
from ga_sync.web.console.viewer import Asked, Viewer, viewer, viewer_of_form
from ga_sync.web.forms import Sent
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread
from models.audit import first_break

EVENTS_SHOWN = 100


@get("/admin/keys", include_in_schema=False)
@in_thread
def keys(request: Asked, services: Wired) -> Template:
    """Every API key, newest first; never a secret."""
    return _keys(viewer(request, services, admin=True), services)


def _keys(who: Viewer, services: Services, made: str = "") -> Template:
    context = {"who": who, "keys": services.keys.listed(), "roles": KEY_ROLES, "made": made}
    return Template("admin/keys.html", context=context, status_code=201 if made else 200)


@post("/admin/keys", include_in_schema=False)
@in_thread
def make_key(request: Asked, services: Wired, form: Sent) -> Template:
    """A new key, shown in full for the only time. Raises Invalid."""
    who = viewer_of_form(request, services, form, admin=True)
    customer_id = form.first("customer_id").strip()
    return _keys(who, services, services.keys.create(form.first("role"), customer_id, who.actor))


@post("/admin/keys/{key_id:str}/revoke", include_in_schema=False)
@in_thread
def revoke_key(request: Asked, key_id: FromPath[str], services: Wired, form: Sent) -> Redirect:
    """End a key at once. Raises NotFound."""
    who = viewer_of_form(request, services, form, admin=True)
    services.keys.revoke(key_id, who.actor)
    return Redirect("/admin/keys", status_code=303)


@get("/admin/people", include_in_schema=False)
@in_thread
def people(request: Asked, services: Wired) -> Template:
    """Everybody who has an account."""
    return _people(viewer(request, services, admin=True), services)


def _people(who: Viewer, services: Services, address: str = "", email: str = "") -> Template:
    context = {
        "who": who,
        "people": services.users.listed(),
        "roles": PEOPLE_ROLES,
        "address": address,
        "email": email,
    }
    return Template("admin/people.html", context=context, status_code=201 if address else 200)


@post("/admin/people", include_in_schema=False)
@in_thread
def invite(request: Asked, services: Wired, form: Sent) -> Template:
    """Add an account, or invite it again: the one-time address at which its password is set."""
    who = viewer_of_form(request, services, form, admin=True)
    email = form.first("email").strip()
    if form.first("again"):
        made = services.users.invite_again(email, who.actor)
    else:
        customer_id = form.first("customer_id").strip()
        made = services.users.add(email, form.first("role"), customer_id, who.actor)
    return _people(who, services, made.address(services.settings.public_url), email)


@post("/admin/people/reset", include_in_schema=False)
@in_thread
def reset_factor(request: Asked, services: Wired, form: Sent) -> Redirect:
    """Turn off the second factor of somebody who lost it. Raises NotFound, and Conflict for one's own."""
    who = viewer_of_form(request, services, form, admin=True)
    services.factors.reset(form.first("email"), who.actor)
    return Redirect("/admin/people", status_code=303)


@post("/admin/people/disable", include_in_schema=False)
@in_thread
def disable(request: Asked, services: Wired, form: Sent) -> Redirect:
    """Nobody signs in with this account any more. Raises NotFound."""
    who = viewer_of_form(request, services, form, admin=True)
    services.users.disable(form.first("email"), who.actor)
    return Redirect("/admin/people", status_code=303)


@get("/admin/audit", include_in_schema=False)
@in_thread
def audit(request: Asked, services: Wired) -> Template:
    """Who did what, newest first; ``?verify`` checks the whole chain."""
    who = viewer(request, services, admin=True)
    customer_id = request.query_params.get("customer_id") or None
    given = request.query_params.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None  # noqa: PLR2004 -- 64 bits
    verify = "verify" in request.query_params
    with services.stores.data.reading() as session:
        rows = store.audit(session, customer_id, before, EVENTS_SHOWN + 1)
        broken = first_break(session) if verify else None
    context = {
        "who": who,
        "events": [views.event(row) for row in rows[:EVENTS_SHOWN]],
        "customer_id": customer_id or "",
        "following": rows[EVENTS_SHOWN - 1].number if len(rows) > EVENTS_SHOWN else None,
        "verified": verify,
        "broken": broken,
    }
    return Template("admin/audit.html", context=context)
