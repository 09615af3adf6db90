"""Every refusal of Google by name: whose fault it is, whether waiting helps, and what to do.

AnalyticsError
├─ DimensionUnknown      customer  never          400  the dimension was archived or never registered
├─ Incompatible          ours      never          400  the dimensions cannot be asked together
├─ BadRequest            ours      never          400  anything else wrong with what we sent
├─ Unauthenticated       google    after refresh  401  the access token is stale
├─ PropertyForbidden     customer  never          403  the Google user lost the property
├─ ServiceDisabled       ours      never          403  our Cloud project may not use the API
├─ ScopeInsufficient     customer  never          403  the consent lacks our scope
├─ NotFound              customer  never          404  the property is gone
├─ QuotaExhausted(kind)  google    at a time      429  see ``quota.retry_at``; an Admin API quota is ours
├─ GoogleUnavailable     google    backoff        500, 503, 504, a deadline, a broken connection
└─ MalformedAnswer       google    backoff             an answer that cannot be what was asked

Classes of ``google.api_core`` are matched by their base, for gRPC raises subclasses of what REST raises. Source:
https://developers.google.com/analytics/devguides/reporting/data/v1/errors and
https://cloud.google.com/apis/design/errors (reasons in ErrorInfo).
"""

from enum import StrEnum
from typing import ClassVar, Literal

import grpc
from google.api_core import exceptions as google

from ga_sync.analytics.quota import Kind

Blame = Literal["customer", "google", "ours"]
_LONGEST_QUOTE = 300


class Retry(StrEnum):
    """What makes trying again sensible."""

    NEVER = "never"
    """Only a person's doing."""
    AFTER_REFRESH = "after_refresh"
    """A fresh access token, once."""
    AT_TIME = "at_time"
    """Waiting for ``quota.retry_at``."""
    BACKOFF = "backoff"
    """``quota.backoff``: at most two tries in this run."""


class AnalyticsError(Exception):
    """Google did not give what was asked.

    Attributes:
        slug: a stable machine word for this kind of refusal.
        blames: who has to act: the ``customer``, ``google``, or we, who operate this (``ours``).
        retry: what makes trying again sensible.
        action: what to do, in the customer's words.
        method: the call that was refused.
        google_said: Google's own text, printable and at most 300 characters; for operators, not for customers.
    """

    slug: ClassVar[str]
    blames: Blame
    retry: ClassVar[Retry] = Retry.NEVER
    action: ClassVar[str]

    def __init__(self, google_said: str, method: str) -> None:
        self.google_said = "".join(c if c.isprintable() else " " for c in google_said[:_LONGEST_QUOTE])
        self.method = method
        super().__init__(f"{self.slug} ({method}): {self.google_said}")


class DimensionUnknown(AnalyticsError):
    """The property has no such custom dimension: archived, or never registered."""

    slug = "dimension-unknown"
    blames: Blame = "customer"
    action = (
        "Google Analytics no longer knows the custom dimension that carries the recording id. Register it again "
        "under Admin → Custom definitions, with scope Event, or link the property with another dimension."
    )


class Incompatible(AnalyticsError):
    """Google refuses our combination of dimensions: our shape of report, which its owner cannot mend."""

    slug = "incompatible"
    blames: Blame = "ours"
    action = "Google Analytics refused the form of our report. Nothing to do on your side; its operators must look."


class BadRequest(AnalyticsError):
    """Google could not take what we sent."""

    slug = "bad-request"
    blames: Blame = "ours"
    action = (
        "Google Analytics could not read our request. Nothing to do on your side; its operators must look."
    )


class Unauthenticated(AnalyticsError):
    """The access token was refused. After one refresh that did not help, the grant is in doubt."""

    slug = "unauthenticated"
    blames: Blame = "google"
    retry = Retry.AFTER_REFRESH
    action = (
        "Google did not accept our access. We refresh it by ourselves; if this stays, connect Google again."
    )


class PropertyForbidden(AnalyticsError):
    """The Google user who consented cannot read this property (any more). The grant itself stays good."""

    slug = "property-forbidden"
    blames: Blame = "customer"
    action = (
        "The connected Google user cannot read this property any more. Give them the Viewer role under Admin → "
        "Property access management, or connect a Google user who has it."
    )


class ServiceDisabled(AnalyticsError):
    """Our Cloud project may not use the API: an operators' alarm, never the customer's fault."""

    slug = "service-disabled"
    blames: Blame = "ours"
    action = (
        "Our access to the Google Analytics API is switched off. Nothing to do on your side; we must act."
    )


class ScopeInsufficient(AnalyticsError):
    """The consent does not cover reading Google Analytics."""

    slug = "scope-insufficient"
    blames: Blame = "customer"
    action = (
        "The consent given to us does not cover reading Google Analytics. Connect again and tick its box."
    )


class NotFound(AnalyticsError):
    """The property is not there (any more)."""

    slug = "not-found"
    blames: Blame = "customer"
    action = (
        "Google Analytics has no such property any more. If it was deleted, restore it or remove this link."
    )


class QuotaExhausted(AnalyticsError):
    """A quota is used up, by whomever; every request fails until it refills.

    Attributes:
        kind: which quota Google's text names. The property's last reported quotas know better: ``quota.which``.
    """

    slug = "quota-exhausted"
    blames: Blame = "google"
    retry = Retry.AT_TIME
    action = (
        "A quota of Google Analytics is used up for now, perhaps by other tools. We go on when it refills."
    )

    def __init__(self, google_said: str, method: str, kind: Kind) -> None:
        super().__init__(google_said, method)
        self.kind = kind
        self.blames = "ours" if kind in {Kind.ADMIN_PER_DAY, Kind.ADMIN_PER_MINUTE} else "google"


class GoogleUnavailable(AnalyticsError):
    """Google failed, or nothing came back in time."""

    slug = "google-unavailable"
    blames: Blame = "google"
    retry = Retry.BACKOFF
    action = "Google Analytics does not answer at the moment. Nothing to do; we try again by ourselves."


class MalformedAnswer(AnalyticsError):
    """Something came back that cannot be an answer to what was asked; nothing of it is used."""

    slug = "malformed-answer"
    blames: Blame = "google"
    retry = Retry.BACKOFF
    action = "Google Analytics sent an answer that cannot be right. Nothing to do; we try again by ourselves."


# Reasons in ErrorInfo that are about our Cloud project: https://cloud.google.com/apis/design/errors#error_info
_OUR_PROJECT = frozenset(
    {
        "SERVICE_DISABLED",
        "BILLING_DISABLED",
        "CONSUMER_INVALID",
        "CONSUMER_SUSPENDED",
        "USER_PROJECT_DENIED",
        "API_KEY_SERVICE_BLOCKED",
        "SERVICE_NOT_VISIBLE",
    }
)
# Google's English, lower-cased; the first that occurs decides. The Data API's own quotas come before the rest.
_QUOTA_TEXTS = (
    ("tokens for a project per hour", Kind.TOKENS_PER_PROJECT_PER_HOUR),
    ("tokens per project per hour", Kind.TOKENS_PER_PROJECT_PER_HOUR),
    ("tokens per day", Kind.TOKENS_PER_DAY),
    ("tokens per hour", Kind.TOKENS_PER_HOUR),
    ("concurrent requests", Kind.CONCURRENT_REQUESTS),
    ("potentially thresholded", Kind.THRESHOLDED),
    ("server errors", Kind.SERVER_ERRORS),
    ("per minute", Kind.ADMIN_PER_MINUTE),
    ("perminute", Kind.ADMIN_PER_MINUTE),
    ("per day", Kind.ADMIN_PER_DAY),
    ("perday", Kind.ADMIN_PER_DAY),
)
# What gRPC itself says on this side of the wire, in the status codes that Google uses for other things.
_UNREADABLE = ("message larger than max", "deserializ", "failed parsing")
_NOT_GOOGLE = "received http2 header with status"
_PLAIN: tuple[tuple[type[google.GoogleAPICallError], type[AnalyticsError]], ...] = (
    (google.Unauthorized, Unauthenticated),
    (google.NotFound, NotFound),
    (google.MethodNotImplemented, BadRequest),
)


def classify(
    exc: google.GoogleAPICallError | google.RetryError | grpc.RpcError | TimeoutError | OSError, method: str
) -> AnalyticsError:
    """The error of our tree that ``exc`` means.

    Args:
        exc: what Google's client or gRPC raised.
        method: the call, for the message.

    Returns:
        An error to raise from ``exc``. What says nothing we know, a broken connection or a deadline among it,
        is ``GoogleUnavailable``.
    """
    if isinstance(exc, grpc.RpcError):
        exc = _from_grpc(exc)
    if not isinstance(exc, google.GoogleAPICallError):
        return GoogleUnavailable(str(exc), method)
    text = str(exc.message or "")
    if _NOT_GOOGLE in text.lower():
        return GoogleUnavailable(text, method)  # a proxy on the way: its 403 is nobody's lost property
    if any(part in text.lower() for part in _UNREADABLE):
        return MalformedAnswer(text, method)
    return _by_status(exc, text, method)


def _from_grpc(exc: grpc.RpcError) -> google.GoogleAPICallError:
    return google.from_grpc_error(exc)  # type: ignore[no-any-return, no-untyped-call]


def _by_status(exc: google.GoogleAPICallError, text: str, method: str) -> AnalyticsError:
    if isinstance(exc, google.TooManyRequests):
        return QuotaExhausted(text, method, quota_kind(f"{text} {_quota_limit(exc)}"))
    if isinstance(exc, google.Forbidden):
        return _forbidden(exc, text, method)
    if isinstance(exc, google.BadRequest):
        return _bad_request(text)(text, method)
    return next((ours for theirs, ours in _PLAIN if isinstance(exc, theirs)), GoogleUnavailable)(text, method)


def _forbidden(exc: google.GoogleAPICallError, text: str, method: str) -> AnalyticsError:
    reason, low = exc.reason, text.lower()
    if reason == "RATE_LIMIT_EXCEEDED":
        return QuotaExhausted(text, method, quota_kind(f"{text} {_quota_limit(exc)}"))
    if reason in _OUR_PROJECT or "has not been used in project" in low:
        return ServiceDisabled(text, method)
    if reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" or "insufficient authentication scopes" in low:
        return ScopeInsufficient(text, method)
    return PropertyForbidden(text, method)


def _bad_request(text: str) -> type[AnalyticsError]:
    low = text.lower()
    if "is not a valid dimension" in low and "field audience" not in low:  # that one would be Google's change
        return DimensionUnknown
    return Incompatible if "incompatible" in low else BadRequest


def quota_kind(text: str) -> Kind:
    """The quota that a 429's text (or its ErrorInfo's ``quota_limit``) names; ``UNKNOWN`` for any other text."""
    low = text.lower()
    return next((kind for part, kind in _QUOTA_TEXTS if part in low), Kind.UNKNOWN)


def _quota_limit(exc: google.GoogleAPICallError) -> str:
    return str((exc.metadata or {}).get("quota_limit", ""))
