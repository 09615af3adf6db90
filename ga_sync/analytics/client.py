"""The network to Google, thin: its own gRPC clients, with our token and our deadline on every call.

Nothing is retried here, neither by the clients nor inside gRPC: what a failure costs a property's quota is
decided where the quota is known. Every refusal leaves as an error of ``errors``.
"""

import logging
import re
import ssl
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import grpc
from google.analytics import admin_v1alpha as admin
from google.analytics import data_v1beta as data
from google.analytics.admin_v1alpha.services.analytics_admin_service.transports import (
    AnalyticsAdminServiceGrpcTransport,
)
from google.analytics.data_v1beta.services.beta_analytics_data.transports import (
    BetaAnalyticsDataGrpcTransport,
)
from google.api_core.exceptions import GoogleAPICallError, RetryError

from ga_sync.analytics import listing, requests
from ga_sync.analytics.answers import ReportPage, read_page
from ga_sync.analytics.errors import MalformedAnswer, Unauthenticated, classify
from ga_sync.analytics.listing import Audience, CustomDimension, Property, PropertySummary
from ga_sync.analytics.rows import read_answer

__all__ = [
    "AnalyticsClient",
    "Audience",
    "CustomDimension",
    "Google",
    "Property",
    "PropertySummary",
    "ReportPage",
    "channel_target",
    "system_roots",
]

ADMIN_TIMEOUT = 20.0
"""Seconds for one Admin API call, connecting included; most of them have no deadline of their own."""
REPORT_TIMEOUT = 60.0
"""Seconds for one report, connecting included."""
MAX_ANSWER = 256 * 1024 * 1024
"""Bytes of the largest answer taken; 250,000 rows with ids of 100 characters are about 40 MiB."""
MAX_LIST_PAGES = 200
"""Pages of 200 after which a list is taken for endless."""

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


class Google(Protocol):
    """Google as this product needs it; ``AnalyticsClient`` is the real one.

    Every method takes the access token of the moment, blocks, and raises ``errors.AnalyticsError``. Lists are
    lazy: each page is a call, made when its first item is wanted.
    """

    def account_summaries(self, token: str) -> Iterator[PropertySummary]:
        """The properties that the token's Google user can see."""
        ...

    def property(self, token: str, name: str) -> Property:
        """One property, ``properties/N``."""
        ...

    def custom_dimensions(self, token: str, property_name: str) -> Iterator[CustomDimension]:
        """A property's custom dimensions, of every scope."""
        ...

    def audiences(self, token: str, property_name: str) -> Iterator[Audience]:
        """A property's audiences, built-in ones among them."""
        ...

    def run_report(self, token: str, request: data.RunReportRequest) -> ReportPage:
        """One page of a report, as built by ``requests``."""
        ...

    def close(self) -> None:
        """Ends every connection; calls under way end as ``GoogleUnavailable``."""
        ...


class AnalyticsClient:
    """The real ``Google``. Safe to use from many threads; keeps no token.

    Args:
        admin_endpoint: ``https://host[:port]`` or ``host[:port]`` for TLS; ``http://host[:port]`` for plaintext, on
            loopback only.
        data_endpoint: the same for reports.
        admin_timeout: seconds for each Admin API call.
        report_timeout: seconds for each report.
        max_answer: bytes of the largest answer taken; a larger one is ``MalformedAnswer``.
        roots: trusted certificates in PEM; by default those that the system trusts.
        before_call: told the name of each call just before it is made, for counting; what it raises stops the call.

    Raises:
        ValueError: an endpoint has another form, or would send tokens in plaintext off loopback.
    """

    def __init__(
        self,
        admin_endpoint: str,
        data_endpoint: str,
        *,
        admin_timeout: float = ADMIN_TIMEOUT,
        report_timeout: float = REPORT_TIMEOUT,
        max_answer: int = MAX_ANSWER,
        roots: bytes | None = None,
        before_call: Callable[[str], None] = lambda _method: None,
    ) -> None:
        self._channels = [
            _channel(endpoint, roots, max_answer) for endpoint in (admin_endpoint, data_endpoint)
        ]
        own = {"universe_domain": "googleapis.com"}  # or an environment variable would choose it
        self._admin = admin.AnalyticsAdminServiceClient(
            transport=_quiet(AnalyticsAdminServiceGrpcTransport)(channel=self._channels[0]),
            client_options=own,
        )
        _quiet(BetaAnalyticsDataGrpcTransport)
        self._data = data.BetaAnalyticsDataClient(
            transport=_Reports(channel=self._channels[1]), client_options=own
        )
        self._admin_timeout, self._report_timeout = admin_timeout, report_timeout
        self._before_call = before_call

    def account_summaries(self, token: str) -> Iterator[PropertySummary]:
        """https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/accountSummaries/list."""
        for page in self._pages(self._admin.list_account_summaries, token, requests.account_summaries):
            yield from listing.property_summaries(page)

    def property(self, token: str, name: str) -> Property:
        """https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties/get."""
        found = self._call(self._admin.get_property, token, requests.get_property(name), self._admin_timeout)
        return listing.property_of(admin.Property.pb(found))

    def custom_dimensions(self, token: str, property_name: str) -> Iterator[CustomDimension]:
        """https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties.customDimensions/list."""

        def page_after(mark: str) -> admin.ListCustomDimensionsRequest:
            return requests.custom_dimensions(property_name, mark)

        for page in self._pages(self._admin.list_custom_dimensions, token, page_after):
            yield from listing.dimensions(page)

    def audiences(self, token: str, property_name: str) -> Iterator[Audience]:
        """https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha/properties.audiences/list."""

        def page_after(mark: str) -> admin.ListAudiencesRequest:
            return requests.audiences(property_name, mark)

        for page in self._pages(self._admin.list_audiences, token, page_after):
            yield from listing.audiences(page)

    def run_report(self, token: str, request: data.RunReportRequest) -> ReportPage:
        """https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties/runReport."""
        answer = self._call(self._data.run_report, token, request, self._report_timeout)
        return read_page(answer.message, [asked.name for asked in request.dimensions], answer.columns)

    def close(self) -> None:
        """Ends both connections, also those of calls under way; again is harmless."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Self:
        """Itself, to be closed at the end of a ``with`` block."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Closes it."""
        self.close()

    def _pages(
        self, method: Callable[..., Any], token: str, page_after: Callable[[str], Any]
    ) -> Iterator[Any]:
        """Every page of a list, as raw messages; refuses a list that does not end."""
        mark = ""
        for _ in range(MAX_LIST_PAGES):
            pager = self._call(method, token, page_after(mark), self._admin_timeout)
            page = next(iter(pager.pages))  # the one just fetched: the pager's own calls would go uncounted
            yield type(page).pb(page)
            if not page.next_page_token:
                return
            if page.next_page_token == mark:
                break
            mark = page.next_page_token
        raise MalformedAnswer("a list that does not end", method.__name__)

    def _call(self, method: Callable[..., Any], token: str, request: Any, timeout: float) -> Any:  # noqa: ANN401
        name = method.__name__
        if not token.isascii() or not token.isprintable() or not token:
            raise Unauthenticated("an access token that no header can carry", name)  # gRPC would print it
        self._before_call(name)
        bearer = ("authorization", f"Bearer {token}")
        try:
            return method(request=request, retry=None, timeout=timeout, metadata=(bearer,))
        except (GoogleAPICallError, RetryError, grpc.RpcError) as exc:
            raise classify(exc, name) from exc


def _quiet(transport: Any) -> Any:  # noqa: ANN401
    """Switches off the transport's own log, which at DEBUG would hold access tokens and recording ids."""
    log = logging.getLogger(transport.__module__)
    log.setLevel(logging.CRITICAL)  # this too, for a later logging configuration may enable it again
    log.disabled = True
    return transport


class _Reports(BetaAnalyticsDataGrpcTransport):
    """Google's transport, but for what becomes of the bytes of a report."""

    @cached_property
    def run_report(self) -> Any:  # noqa: ANN401
        """As in Google's, with ``read_answer``; what that raises ends the call as it does there."""
        return self.grpc_channel.unary_unary(
            "/google.analytics.data.v1beta.BetaAnalyticsData/RunReport",
            request_serializer=data.RunReportRequest.serialize,
            response_deserializer=read_answer,
        )


def channel_target(endpoint: str) -> tuple[str, bool]:
    """Where gRPC connects for an endpoint, and whether by TLS.

    Raises:
        ValueError: the endpoint has another form, or would send tokens in plaintext off loopback.
    """
    scheme, separator, rest = endpoint.rpartition("://")
    host = rest.removesuffix("/")
    if (separator and scheme not in {"http", "https"}) or not _HOST.fullmatch(host):
        raise ValueError("Google endpoint: must be https://host, host, or http://127.0.0.1:PORT")
    if scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise ValueError("Google endpoint: plaintext is for loopback only; use https://")
    return host, scheme != "http"


def _channel(endpoint: str, roots: bytes | None, max_answer: int) -> Any:  # noqa: ANN401
    """A channel to ``endpoint`` on which gRPC repeats nothing by itself."""
    target, tls = channel_target(endpoint)
    options = [
        ("grpc.max_receive_message_length", max_answer),
        ("grpc.enable_retries", 0),
        ("grpc.service_config_disable_resolution", 1),
    ]
    if tls:
        trusted = grpc.ssl_channel_credentials(roots or system_roots(ssl.get_default_verify_paths()))
        return grpc.secure_channel(target, trusted, options)
    return grpc.insecure_channel(target, [*options, ("grpc.enable_http_proxy", 0)])


def system_roots(paths: ssl.DefaultVerifyPaths) -> bytes | None:
    """The certificates that this system trusts, in PEM; None (gRPC's own list then holds) where it names none.

    gRPC by itself ignores the system's trust, and so would not know an organisation's own authority.
    """
    if paths.cafile and Path(paths.cafile).is_file():
        return Path(paths.cafile).read_bytes()
    found = sorted(Path(paths.capath).glob("*.0")) if paths.capath else []
    return b"\n".join(one.read_bytes() for one in found) or None
