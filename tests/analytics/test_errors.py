"""Every refusal gets its name, and nobody is blamed for what is not theirs."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as google
from google.rpc.error_details_pb2 import ErrorInfo, Help

from ga_sync.analytics import errors
from ga_sync.analytics.errors import Retry, classify, quota_kind
from ga_sync.analytics.quota import Kind

_FROM_STATUS: Any = google.from_grpc_status
_FROM_BODY: Any = google.from_http_response
RECORDED = Path(__file__).parents[3] / "shared" / "google"


def recorded(name: str) -> dict[str, Any]:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded answers beside this checkout: {name}")
    return dict(json.loads(path.read_text()))


def over_grpc(code: grpc.StatusCode, text: str, info: ErrorInfo | None = None) -> google.GoogleAPICallError:
    """The exception that Google's client raises for a gRPC status."""
    details = [Help(), info] if info else []
    made: google.GoogleAPICallError = _FROM_STATUS(code, text, details=details, error_info=info)
    return made


def over_rest(body: dict[str, Any]) -> google.GoogleAPICallError:
    """The exception that Google's client raises for a JSON error body."""
    request = SimpleNamespace(method="GET", url="https://google.invalid/")
    code = body["error"]["code"]
    answer = SimpleNamespace(status_code=code, json=lambda: body, text="", request=request, headers={})
    made: google.GoogleAPICallError = _FROM_BODY(answer)
    return made


def named(exc: Exception) -> type[errors.AnalyticsError]:
    return type(classify(exc, "run_report"))


@pytest.mark.parametrize(
    ("code", "text", "error"),
    [
        (
            "INVALID_ARGUMENT",
            "Field customEvent:sid is not a valid dimension. For a list …",
            errors.DimensionUnknown,
        ),
        ("INVALID_ARGUMENT", "Field audienceResourceName is not a valid dimension.", errors.BadRequest),
        ("INVALID_ARGUMENT", "The dimensions and metrics are incompatible.", errors.Incompatible),
        ("INVALID_ARGUMENT", "limit must be positive", errors.BadRequest),
        ("FAILED_PRECONDITION", "not yet", errors.BadRequest),
        ("OUT_OF_RANGE", "too far", errors.BadRequest),
        ("UNAUTHENTICATED", "Request had invalid authentication credentials.", errors.Unauthenticated),
        ("PERMISSION_DENIED", "User does not have sufficient permissions.", errors.PropertyForbidden),
        ("PERMISSION_DENIED", "API has not been used in project 1 before", errors.ServiceDisabled),
        ("PERMISSION_DENIED", "Request had insufficient authentication scopes.", errors.ScopeInsufficient),
        ("NOT_FOUND", "no such property", errors.NotFound),
        ("RESOURCE_EXHAUSTED", "Exhausted concurrent requests quota.", errors.QuotaExhausted),
        ("UNIMPLEMENTED", "no such method", errors.BadRequest),
        ("INTERNAL", "internal error", errors.GoogleUnavailable),
        ("UNAVAILABLE", "failed to connect", errors.GoogleUnavailable),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.GoogleUnavailable),
        ("CANCELLED", "Channel closed!", errors.GoogleUnavailable),
        ("UNKNOWN", "Stream removed", errors.GoogleUnavailable),
        ("ABORTED", "again", errors.GoogleUnavailable),
        ("DATA_LOSS", "lost", errors.GoogleUnavailable),
        ("RESOURCE_EXHAUSTED", "CLIENT: Received message larger than max (9 vs. 8)", errors.MalformedAnswer),
        ("INTERNAL", "Exception deserializing response!", errors.MalformedAnswer),
        ("PERMISSION_DENIED", "Received http2 header with status: 403", errors.GoogleUnavailable),
        ("UNAUTHENTICATED", "Received http2 header with status: 401", errors.GoogleUnavailable),
    ],
)
def test_each_status_has_its_name(code: str, text: str, error: type[errors.AnalyticsError]) -> None:
    assert named(over_grpc(grpc.StatusCode[code], text)) is error


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("SERVICE_DISABLED", errors.ServiceDisabled),
        ("BILLING_DISABLED", errors.ServiceDisabled),
        ("CONSUMER_SUSPENDED", errors.ServiceDisabled),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", errors.ScopeInsufficient),
        ("RATE_LIMIT_EXCEEDED", errors.QuotaExhausted),
        ("IAM_PERMISSION_DENIED", errors.PropertyForbidden),
    ],
)
def test_the_reason_beside_a_403_decides(reason: str, error: type[errors.AnalyticsError]) -> None:
    exc = over_grpc(grpc.StatusCode.PERMISSION_DENIED, "Denied.", ErrorInfo(reason=reason))
    assert named(exc) is error


def test_both_transports_raise_below_the_same_bases() -> None:
    def made(theirs: Callable[[str], google.GoogleAPICallError]) -> google.GoogleAPICallError:
        return theirs("no")

    assert named(made(google.Forbidden)) is errors.PropertyForbidden
    assert named(made(google.PermissionDenied)) is errors.PropertyForbidden
    assert named(made(google.TooManyRequests)) is errors.QuotaExhausted
    assert named(made(google.Unauthorized)) is errors.Unauthenticated
    assert named(made(google.GatewayTimeout)) is errors.GoogleUnavailable
    assert named(made(google.BadGateway)) is errors.GoogleUnavailable


@pytest.mark.parametrize(
    "exc",
    [
        google.RetryError("gave up", None),  # type: ignore[no-untyped-call]
        TimeoutError("slow"),
        ConnectionResetError("reset"),
        grpc.FutureTimeoutError(),
        grpc.RpcError("bare"),
        google.GoogleAPICallError("nothing known"),  # type: ignore[no-untyped-call]
    ],
)
def test_what_names_no_status_is_google_not_answering(exc: Exception) -> None:
    assert named(exc) is errors.GoogleUnavailable


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Exhausted property tokens per day. …", Kind.TOKENS_PER_DAY),
        ("Exhausted property tokens per hour. …", Kind.TOKENS_PER_HOUR),
        ("Exhausted property tokens for a project per hour. …", Kind.TOKENS_PER_PROJECT_PER_HOUR),
        ("Exhausted tokens per project per hour.", Kind.TOKENS_PER_PROJECT_PER_HOUR),
        ("EXHAUSTED CONCURRENT REQUESTS QUOTA.", Kind.CONCURRENT_REQUESTS),
        ("Exhausted potentially thresholded requests quota.", Kind.THRESHOLDED),
        ("Exhausted server errors quota.", Kind.SERVER_ERRORS),
        (
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute per user'",
            Kind.ADMIN_PER_MINUTE,
        ),
        ("Quota exceeded for quota metric 'Requests' and limit 'Requests per day'", Kind.ADMIN_PER_DAY),
        ("Resource has been exhausted (e.g. check quota).", Kind.UNKNOWN),
        ("", Kind.UNKNOWN),
    ],
)
def test_the_text_names_the_quota(text: str, kind: Kind) -> None:
    assert quota_kind(text) is kind


def test_the_limit_beside_a_429_names_the_quota_where_the_text_does_not() -> None:
    info = ErrorInfo(
        reason="RATE_LIMIT_EXCEEDED", metadata={"quota_limit": "DefaultRequestsPerMinutePerUser"}
    )
    error = classify(over_grpc(grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded.", info), "list_audiences")
    assert isinstance(error, errors.QuotaExhausted)
    assert (error.kind, error.blames, error.retry) == (Kind.ADMIN_PER_MINUTE, "ours", Retry.AT_TIME)


def test_a_propertys_quota_is_nobodys_fault_of_ours() -> None:
    error = classify(
        over_grpc(grpc.StatusCode.RESOURCE_EXHAUSTED, "Exhausted property tokens per day."), "run_report"
    )
    assert error.blames == "google"


LEAVES = [leaf for leaf in errors.AnalyticsError.__subclasses__() if leaf is not errors.QuotaExhausted]


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_error_says_who_what_and_when(leaf: type[errors.AnalyticsError]) -> None:
    error = leaf("text", "get_property")
    assert error.blames in {"customer", "google", "ours"}
    assert error.retry in Retry
    assert error.action.endswith(".")
    assert str(error) == f"{error.slug} (get_property): text"


def test_slugs_are_unique_and_the_drawn_tree_is_the_tree() -> None:
    leaves = errors.AnalyticsError.__subclasses__()
    assert len({leaf.slug for leaf in leaves}) == len(leaves) == 11
    assert all(f"─ {leaf.__name__}" in (errors.__doc__ or "") for leaf in leaves)


def test_googles_words_are_kept_short_and_printable() -> None:
    error = errors.BadRequest("line\nbreak\x1b[31m\u202e" + "x" * 1_000, "run_report")
    assert error.google_said.isprintable()
    assert len(error.google_said) == 300


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.TOKENS_PER_PROJECT_PER_HOUR, "for a project per hour"),
        (Kind.TOKENS_PER_DAY, "per day"),
        (Kind.CONCURRENT_REQUESTS, "concurrent"),
        (Kind.THRESHOLDED, "thresholded"),
        (Kind.SERVER_ERRORS, "server errors"),
    ],
)
def test_recorded_429_texts(kind: Kind, text: str) -> None:
    (said,) = [said for said in recorded("error.messages.json")["429_RESOURCE_EXHAUSTED"] if text in said]
    error = classify(over_grpc(grpc.StatusCode.RESOURCE_EXHAUSTED, said), "run_report")
    assert isinstance(error, errors.QuotaExhausted)
    assert error.kind is kind


def test_every_recorded_429_text_is_known() -> None:
    texts = recorded("error.messages.json")["429_RESOURCE_EXHAUSTED"]
    assert Kind.UNKNOWN not in {quota_kind(said) for said in texts}


def test_recorded_400_texts() -> None:
    texts = recorded("error.messages.json")["400_INVALID_ARGUMENT"]
    found = [named(over_grpc(grpc.StatusCode.INVALID_ARGUMENT, said)) for said in texts]
    assert found == [errors.DimensionUnknown, errors.BadRequest, errors.Incompatible, errors.BadRequest]


def test_the_recorded_incompatible_body() -> None:
    text = recorded("error.400.incompatible.json")["message"]
    assert named(over_grpc(grpc.StatusCode.INVALID_ARGUMENT, text)) is errors.Incompatible


def test_recorded_admin_403_texts() -> None:
    for said in recorded("error.messages.json")["403_PERMISSION_DENIED_admin"]:
        assert named(over_grpc(grpc.StatusCode.PERMISSION_DENIED, said)) is errors.PropertyForbidden


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("error.401.json", errors.Unauthenticated),
        ("error.403.permission_denied.json", errors.PropertyForbidden),
        ("error.403.service_disabled.json", errors.ServiceDisabled),
    ],
)
def test_recorded_bodies(name: str, error: type[errors.AnalyticsError]) -> None:
    assert named(over_rest(recorded(name))) is error
