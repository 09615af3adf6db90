"""Our errors as HTTP: one table, RFC 9457 problem details. No detail holds a secret."""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE, HTTP_500_INTERNAL_SERVER_ERROR
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ga_sync.accounts.errors import Refusal, Unavailable
from ga_sync.index.errors import FilterIndexError
from jobs.worker import story
from models.errors import DataKeyGone, KeyringError
from oauth.errors import GrantClosed, GrantUnknown

PROBLEM = "application/problem+json"
STATUS = {
    "malformed": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "too-slow": 408,
    "conflict": 409,
    "cursor-expired": 410,
    "too-large": 413,
    "invalid": 422,
    "unknown-segment": 422,
    "filter-unbounded": 422,
    "cursor-invalid": 422,
    "property-unreadable": 422,
    "dimension-unknown": 422,
    "paused": 423,
    "slow-down": 429,
    "head-too-large": 431,
    "internal": 500,
    "unavailable": 503,
}
TITLES = {
    "malformed": "The request is not well-formed",
    "unauthenticated": "No valid API key",
    "forbidden": "This key may not do that",
    "not-found": "Not found",
    "method-not-allowed": "Method not allowed",
    "too-slow": "The request took too long",
    "conflict": "Not in this state",
    "cursor-expired": "The cursor has expired",
    "too-large": "The body is too large",
    "invalid": "A value is refused",
    "unknown-segment": "Unknown segment",
    "filter-unbounded": "The filter is unbounded",
    "cursor-invalid": "The cursor is not valid here",
    "property-unreadable": "Google refuses the property",
    "dimension-unknown": "No such custom dimension",
    "paused": "The link is paused",
    "slow-down": "Too many requests",
    "head-too-large": "The request line and headers are too large",
    "internal": "Our fault",
    "unavailable": "Not now",
}
log = structlog.get_logger()
AnyRequest = Request[Any, Any, Any]
Problem = Response[dict[str, Any]]


def problem(slug: str, detail: str, headers: dict[str, str] | None = None) -> Problem:
    """One problem."""
    body = {"type": f"/problems/{slug}", "title": TITLES[slug], "status": STATUS[slug], "detail": detail}
    return Response(body, status_code=STATUS[slug], media_type=PROBLEM, headers=headers)


def on_refusal(_request: AnyRequest, error: Refusal) -> Problem:
    """What a person or program asked for is refused."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Unavailable) else None
    if error.slug == "too-slow":
        headers = {"connection": "close"}  # what is left of the body is not waited for
    if error.slug == "unauthenticated":
        headers = {"www-authenticate": "Bearer"}
    return problem(error.slug, str(error), headers)


def on_filter(_request: AnyRequest, error: FilterIndexError) -> Problem:
    """A filter, a window or a cursor is refused."""
    return problem(error.slug, str(error))


def on_grant(_request: AnyRequest, error: GrantUnknown | GrantClosed) -> Problem:
    """A grant that cannot be reconnected."""
    return problem("not-found" if isinstance(error, GrantUnknown) else "conflict", str(error))


def on_validation(_request: AnyRequest, error: ValidationException) -> Problem:
    """Well-formed, but of another shape than documented."""
    return problem("invalid", _what(error))


def _what(error: ValidationException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    parts = [
        f"{item.get('key', 'body')}: {item.get('message', '')}" for item in extra if isinstance(item, dict)
    ]
    return "; ".join(parts)[:500] or "the request does not have the documented shape"


def on_http(request: AnyRequest, error: HTTPException) -> Problem:
    """What the framework says by itself."""
    if isinstance(error, NotFoundException):
        return problem("not-found", "there is no such address; see /openapi.json")
    if isinstance(error, MethodNotAllowedException):
        return problem("method-not-allowed", "this address does not take that method; see /openapi.json")
    if error.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
        return problem("too-large", "a body has at most 16 MiB: send the candidates in several requests")
    if error.status_code < HTTP_500_INTERNAL_SERVER_ERROR:
        return problem("malformed", "the request could not be read: send what /openapi.json documents")
    return on_anything(request, error)


def on_database(_request: AnyRequest, error: SQLAlchemyError) -> Problem:
    """The database does not answer; nothing of its text goes out."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.error("database_failed", error=type(cause).__name__)
    return problem("unavailable", "the database could not do it now; try again", {"retry-after": "5"})


def on_destroyed(_request: AnyRequest, _error: DataKeyGone) -> Problem:
    """What was asked for is destroyed in this moment."""
    return problem("not-found", "there is no such object for this key")


def on_keys(_request: AnyRequest, error: KeyringError) -> Problem:
    """Keys cannot be used: fail closed."""
    log.error("keyring_failed", error=type(error).__name__)
    return problem("unavailable", "keys are not available; operators have been told", {"retry-after": "30"})


def on_anything(_request: AnyRequest, error: Exception) -> Problem:
    """Nobody foresaw this. The log tells where it was, and no word of it: words quote headers and rows."""
    log.error("request_failed", error=type(error).__name__, story=story(error))
    return problem("internal", "something went wrong on our side; it has been logged")


HANDLERS: dict[type[Exception] | int, Any] = {
    Refusal: on_refusal,
    FilterIndexError: on_filter,
    GrantUnknown: on_grant,
    GrantClosed: on_grant,
    ValidationException: on_validation,
    HTTPException: on_http,
    SQLAlchemyError: on_database,
    DataKeyGone: on_destroyed,
    KeyringError: on_keys,
    Exception: on_anything,
}
