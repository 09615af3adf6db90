"""Our errors as pages: what happened and what to do, for people. The doors of version 1 answer in JSON instead.

PageRefusal
├── NoPass    this browser did not give the consent that the page belongs to
└── Forged    the form did not come from our own page
"""

from typing import Any, ClassVar
from urllib.parse import urlencode

import structlog
from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.response import Redirect, Template
from sqlalchemy.exc import DBAPIError

from ga_sync.accounts.errors import InvitationGone, NotSignedIn, Refusal, SlowDown, Unavailable
from ga_sync.index.errors import FilterIndexError
from ga_sync.web.errors import STATUS, TITLES, AnyRequest, on_http
from models.errors import DataKeyGone, KeyringError

log = structlog.get_logger()
Page = Response[Any] | Template | Redirect


class PageRefusal(Exception):
    """Root: a page that cannot be shown, with its title and a sentence that says what to do."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not possible"


class NoPass(PageRefusal):
    """The cookie of the browser that gave the consent is absent, of another grant, or too old."""

    title: ClassVar[str] = "This page belongs to another browser"

    def __init__(self) -> None:
        super().__init__(
            "Only the browser that gave the consent can see it, for twelve hours. "
            "Open the address you were sent again, or ask for a new one."
        )


class Forged(PageRefusal):
    """No token of this page, or another origin: https://cheatsheetseries.owasp.org (cross-site request forgery)."""

    title: ClassVar[str] = "This form is too old"

    def __init__(self) -> None:
        super().__init__("Nothing was changed. Go back, reload the page and try again.")


def page(title: str, sentences: list[str], status: int, headers: dict[str, str] | None = None) -> Template:
    """A page of words."""
    context = {"title": title, "sentences": sentences}
    return Template("message.html", context=context, status_code=status, headers=headers)


def on_page_refusal(_request: AnyRequest, error: PageRefusal) -> Page:
    """The page is not for this browser."""
    return page(error.title, [str(error)], error.status)


def on_not_signed_in(request: AnyRequest, _error: NotSignedIn) -> Page:
    """Off to sign in, and back to where the person wanted to go."""
    wanted = request.scope["path"] if request.method == "GET" else "/console"
    if request.method == "GET" and request.scope["query_string"]:
        wanted += "?" + request.scope["query_string"].decode("latin-1")
    return Redirect(f"/console/login?{urlencode({'next': wanted})}", status_code=303)


def on_refusal(_request: AnyRequest, error: Refusal) -> Page:
    """What a person asked for is refused."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Unavailable | SlowDown) else None
    title = "This address does not work" if isinstance(error, InvitationGone) else TITLES[error.slug]
    return page(title, [_sentence(str(error))], STATUS[error.slug], headers)


def on_filter(_request: AnyRequest, error: FilterIndexError) -> Page:
    """A filter, a window or a cursor is refused."""
    return page(TITLES[error.slug], [_sentence(str(error))], STATUS[error.slug])


def on_no_such_address(request: AnyRequest, error: NotFoundException) -> Page:
    """A page for people, a problem for programs."""
    person = "text/html" in request.headers.get("accept", "")
    if not person or request.scope["path"].startswith("/v1/"):
        return on_http(request, error)
    return page("There is no such page", ["Check the address, or go back and choose another."], 404)


def on_database(_request: AnyRequest, error: DBAPIError) -> Page:
    """The database does not answer; nothing of its text goes out."""
    log.error("database_failed", error=type(error.orig).__name__)
    return page(
        "Not now", ["The database does not answer. Try again in a minute."], 503, {"retry-after": "5"}
    )


def on_removed(_request: AnyRequest, _error: DataKeyGone) -> Page:
    """It was removed while the page was made."""
    return page(TITLES["not-found"], ["It was removed in this moment."], STATUS["not-found"])


def on_keys(_request: AnyRequest, error: KeyringError) -> Page:
    """Keys cannot be used: fail closed."""
    log.error("keyring_failed", error=type(error).__name__)
    sentence = "The keys that protect the data are not available. The operators have been told."
    return page("Not now", [sentence], 503, {"retry-after": "30"})


def _sentence(text: str) -> str:
    """A refusal's words as a sentence of a page."""
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return ended[:1].upper() + ended[1:]


PAGE_HANDLERS: dict[type[Exception] | int, Any] = {
    PageRefusal: on_page_refusal,
    NotSignedIn: on_not_signed_in,
    Refusal: on_refusal,
    FilterIndexError: on_filter,
    DBAPIError: on_database,
    DataKeyGone: on_removed,
    KeyringError: on_keys,
}
