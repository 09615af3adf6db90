"""The pages a customer sees while giving consent. Server-rendered, no script; every refusal says what to do."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts import store
from ga_sync.web.guest import issue
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread
from oauth.actions import action_for
from oauth.consent import Opening
from oauth.errors import ConsentError, ConsentUnfinished, OurFault
from oauth.outcome import Completed

log = structlog.get_logger()
STYLE = (Path(__file__).parent / "static" / "ga-sync.css").read_text(encoding="utf-8")
_HEADLINES = {
    "denied": "You declined",
    "scope_missing": "One box was not ticked",
    "scope_wider": "Google granted something else",
    "no_refresh_token": "Google gave no lasting permission",
    "expired": "This address has expired",
}


def _cookie_name(services: Services) -> str:
    return "__Host-ga_sync_consent" if services.settings.public_url.startswith("https") else "ga_sync_consent"


def _page(title: str, sentences: list[str], status: int = 200) -> Template:
    return Template("message.html", context={"title": title, "sentences": sentences}, status_code=status)


def _bound(services: Services, opening: Opening, status: Literal[302, 303]) -> Redirect:
    secure = services.settings.public_url.startswith("https")
    cookie = Cookie(
        key=_cookie_name(services),
        value=opening.browser,
        max_age=opening.max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    return Redirect(opening.location, status_code=status, cookies=[cookie])


def _not_open(error: ConsentError) -> Template:
    return _page("This address does not work", [str(error)], 410)


@get("/link/{ticket:str}", include_in_schema=False)
@in_thread
def guide(ticket: FromPath[str], services: Wired) -> Template:
    """The guided page: for whom, what is read, what is never read."""
    try:
        view = services.consents.describe(ticket)
    except ConsentError as error:
        return _not_open(error)
    return Template("guide.html", context={"customer": view.customer_id, "action": f"/link/{ticket}"})


@post("/link/{ticket:str}", include_in_schema=False)
@in_thread
def start_guided(ticket: FromPath[str], services: Wired) -> Redirect | Template:
    """On to Google, by POST, so that no link preview starts a consent."""
    try:
        return _bound(services, services.consents.open(ticket), 303)
    except ConsentError as error:
        return _not_open(error)


@get("/oauth/start/{ticket:str}", include_in_schema=False)
@in_thread
def start_at_once(ticket: FromPath[str], services: Wired) -> Redirect | Template:
    """On to Google at once."""
    try:
        return _bound(services, services.consents.open(ticket), 302)
    except ConsentError as error:
        return _not_open(error)


@get("/oauth/callback", include_in_schema=False)
@in_thread
def callback(request: Request[Any, Any, Any], services: Wired) -> Redirect | Template:
    """Google sent the browser back."""
    params = {key: request.query_params[key] for key in request.query_params}
    browser = request.cookies.get(_cookie_name(services))
    try:
        done = services.consents.complete(params, browser)
    except ConsentUnfinished as error:
        return _unfinished(services, error)
    except ConsentError as error:
        return _page("This answer does not belong here", [str(error)], 400)
    except OurFault as error:
        log.error("oauth_client_refused", error=str(error))  # noqa: TRY400 -- the sentence is the whole story
        return _page(
            "Our fault", ["Google does not accept this service's own registration.", "Try later."], 503
        )
    return _finished(services, done)


def _unfinished(services: Services, error: ConsentUnfinished) -> Redirect | Template:
    """The grant is as it was, and so is the address."""
    if error.return_url is None:
        return _page("Google did not finish", [str(error)], 502)
    with services.stores.data.reading() as session:
        row = store.grant(session, error.grant_id, error.customer_id)
    status = row.status if row is not None else "failed"
    return _back(error.return_url, error.grant_id, status, error.reason)


def _finished(services: Services, done: Completed) -> Redirect | Template:
    if done.return_url is not None:
        return _back(done.return_url, done.grant_id, done.status, done.reason)
    if done.reason is None:
        return Template(
            "customer/connected.html",
            context={"grant_id": done.grant_id},
            cookies=[issue(services, done.grant_id)],
        )
    action = action_for(done.status, done.reason) or "Open the address again."
    return _page(_HEADLINES.get(done.reason, "Not connected"), ["Nothing was stored.", action], 400)


def _back(return_url: str, grant_id: str, status: str, reason: str | None) -> Redirect:
    """On to ``return_url?grant_id=&status=&reason=``, whatever query it had."""
    parts = urlsplit(return_url)
    added = urlencode({"grant_id": grant_id, "status": status, "reason": reason or ""})
    query = f"{parts.query}&{added}" if parts.query else added
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))
    return Redirect(url, status_code=303)


@get("/static/ga-sync.css", media_type=MediaType.CSS, sync_to_thread=False, include_in_schema=False)
def style() -> Response[str]:
    """The stylesheet."""
    return Response(STYLE, media_type=MediaType.CSS, headers={"cache-control": "max-age=3600"})
