"""What comes in, live; and the way out: disconnecting with its consequences before and its receipt after."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts import store, views
from ga_sync.accounts.views import View
from ga_sync.web.forms import Sent
from ga_sync.web.guest import Guest, admit, admit_form
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

Asked = Request[Any, Any, Any]
UNDER_WAY = ("queued", "running")
_SEGMENTS_SHOWN = 12


def read_so_far(days: Sequence[View], run: View | None) -> list[dict[str, str]]:
    """Days newest first, each with its state; those that the run under way has read already count as ``read``."""
    newest = sorted(days, key=lambda one: str(one["day"]), reverse=True)
    done = run["days_read"] if run and run["status"] in UNDER_WAY else 0
    return [
        {
            "day": one["day"],
            "state": "read" if one["state"] == "missing" and at < done else one["state"],
        }
        for at, one in enumerate(newest)
    ]


def _arriving(services: Services, link_id: str, customer_id: str) -> View:
    link = services.links.view(link_id, customer_id)
    run = link["last_run"]
    segments, about = services.recordings.segments(link_id, customer_id)
    segments.sort(key=lambda one: -int(one["recordings"]))
    days = services.links.days(link_id, customer_id, None, date.max)
    wanted = (run["days_read"] + run["days_left"]) if run else 0
    return {
        **link,
        "told": None if link["action"] or not run else _told(run["error"] or ""),
        "under_way": bool(run and run["status"] in UNDER_WAY),
        "done": run["days_read"] if run else 0,
        "wanted": wanted or len(days),
        "squares": read_so_far(days, run),
        "segments": segments[:_SEGMENTS_SHOWN],
        "more": max(0, len(segments) - _SEGMENTS_SHOWN),
        "as_of": about["as_of"],
    }


def _told(error: str) -> str | None:
    """What held a run up, for people; None where there is nothing to say."""
    return views.LINK_ACTIONS.get("quota_exhausted" if error.startswith("quota_") else error)


def _grant(services: Services, guest: Guest) -> View:
    with services.stores.data.reading() as session:
        row = store.grant(session, guest.grant_id, guest.customer_id)
        links = store.links_of(session, guest.grant_id, guest.customer_id)
    assert row is not None, "grants stay"
    return views.grant(row, [link.link_id for link in links], services.clock())


def _state(services: Services, guest: Guest) -> dict[str, Any]:
    grant = _grant(services, guest)
    links = [_arriving(services, link_id, guest.customer_id) for link_id in grant["links"]]
    return {
        "guest": guest,
        "grant": grant,
        "links": links,
        "live": any(one["under_way"] for one in links),
        "whole": all((one["last_run"] or {}).get("status") == "succeeded" for one in links),
    }


@get("/connect/{grant_id:str}/progress", include_in_schema=False)
@in_thread
def progress(request: Asked, grant_id: FromPath[str], services: Wired) -> Template | Redirect:
    """Segments as they arrive, newest days first; ``?part`` is the part that refreshes itself."""
    guest = admit(request, services, grant_id)
    state = _state(services, guest)
    if state["grant"]["status"] in {"revoking", "revoked"}:
        return Redirect(f"/connect/{grant_id}/disconnect", status_code=303)
    part = "part" in request.query_params
    return Template("customer/arriving.html" if part else "customer/progress.html", context=state)


@get("/connect/{grant_id:str}/disconnect", include_in_schema=False)
@in_thread
def disconnect(request: Asked, grant_id: FromPath[str], services: Wired) -> Template:
    """What disconnecting will do; once it was done, its receipt."""
    guest = admit(request, services, grant_id)
    state = _state(services, guest)
    done = "receipt" in state["grant"]
    return Template("customer/receipt.html" if done else "customer/disconnect.html", context=state)


@post("/connect/{grant_id:str}/disconnect", include_in_schema=False)
@in_thread
def disconnect_now(request: Asked, grant_id: FromPath[str], services: Wired, form: Sent) -> Redirect:
    """Destroy everything here at once and revoke at Google; again changes nothing."""
    guest = admit_form(request, services, grant_id, form)
    services.purge.grant(grant_id, guest.customer_id, guest.actor)
    request.app.state.offers.forget(grant_id)
    return Redirect(f"/connect/{grant_id}/disconnect", status_code=303)
