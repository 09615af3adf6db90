"""How the sandbox says no over gRPC: status, sentence, and Google's error details where Google sends them.

Source: https://google.aip.dev/193 and https://cloud.google.com/apis/design/errors
"""

from collections.abc import Mapping

import grpc
from google.rpc import error_details_pb2, status_pb2

from ga_sync.sandbox.proto import any_pb2

PERMISSION_DATA = (
    "User does not have sufficient permissions for this property. To learn more about Property ID, see "
    "https://developers.google.com/analytics/devguides/reporting/data/v1/property-id."
)
PERMISSION_ADMIN = "The caller does not have permission"
NO_CREDENTIALS = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
    "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
BAD_CREDENTIALS = NO_CREDENTIALS.replace(
    "is missing required authentication credential", "had invalid authentication credentials"
)
SCOPES = "Request had insufficient authentication scopes."
PROJECT = "100000000001"


class Refusal(Exception):
    """An answer that is an error. `reason` becomes a google.rpc.ErrorInfo beside the status."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason
        self.metadata = dict(metadata or {})

    def trailers(self) -> tuple[tuple[str, bytes], ...]:
        """Give the trailing metadata: `grpc-status-details-bin` where there is a reason."""
        if self.reason is None:
            return ()
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain="googleapis.com", metadata=self.metadata
        )
        packed = any_pb2.Any()
        packed.Pack(info)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=[packed])
        return (("grpc-status-details-bin", status.SerializeToString()),)


def invalid(message: str) -> Refusal:
    """Refuse a request as it stands: INVALID_ARGUMENT."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def exhausted(message: str) -> Refusal:
    """Refuse for want of quota: RESOURCE_EXHAUSTED."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def scope_missing(service: str, method: str) -> Refusal:
    """Refuse a token without the scope, as Google's front end does."""
    return Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        SCOPES,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        {"service": service, "method": method},
    )


def service_disabled(service: str) -> Refusal:
    """Refuse because the API is switched off in the caller's own Cloud project."""
    title = "Google Analytics Admin API" if "admin" in service else "Google Analytics Data API"
    url = f"https://console.developers.google.com/apis/api/{service}/overview?project={PROJECT}"
    return Refusal(
        grpc.StatusCode.PERMISSION_DENIED,
        f"{title} has not been used in project {PROJECT} before or it is disabled. Enable it by visiting {url} then "
        "retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and "
        "retry.",
        "SERVICE_DISABLED",
        {"service": service, "consumer": f"projects/{PROJECT}"},
    )


def code_named(name: str) -> grpc.StatusCode:
    """Find a gRPC status by its name, such as `UNAVAILABLE`; raises `KeyError` for any other word."""
    return grpc.StatusCode[name]
