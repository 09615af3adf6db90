"""Every way a call can fail, over the real wire: named, never repeated, and no secret in any of it."""

import logging
import ssl
import threading
import time
from concurrent import futures
from datetime import date
from pathlib import Path

import grpc
import pytest
from google.analytics import admin_v1alpha as admin
from google.analytics import data_v1beta as data

from ga_sync.analytics import errors, requests
from ga_sync.analytics.client import AnalyticsClient, channel_target, system_roots
from ga_sync.analytics.quota import Kind
from tests.analytics.tiny_google import Call, TinyGoogle, tiny_google
from tests.certificates import certificate

REPORT = requests.day_report("properties/7", "sid", date(2026, 3, 8), ["properties/7/audiences/1"])
TOKEN = "ya29.canary-of-no-world"


@pytest.mark.parametrize(
    ("code", "text", "reason", "error"),
    [
        ("INVALID_ARGUMENT", "Field customEvent:sid is not a valid dimension.", "", errors.DimensionUnknown),
        ("INVALID_ARGUMENT", "The dimensions and metrics are incompatible.", "", errors.Incompatible),
        ("INVALID_ARGUMENT", "something else", "", errors.BadRequest),
        ("UNAUTHENTICATED", "Request had invalid credentials.", "", errors.Unauthenticated),
        ("PERMISSION_DENIED", "User does not have sufficient permissions.", "", errors.PropertyForbidden),
        ("PERMISSION_DENIED", "Denied.", "SERVICE_DISABLED", errors.ServiceDisabled),
        ("PERMISSION_DENIED", "Denied.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", errors.ScopeInsufficient),
        ("RESOURCE_EXHAUSTED", "Exhausted property tokens per hour.", "", errors.QuotaExhausted),
        ("NOT_FOUND", "gone", "", errors.NotFound),
        ("INTERNAL", "internal", "", errors.GoogleUnavailable),
        ("UNAVAILABLE", "busy", "", errors.GoogleUnavailable),
        ("DEADLINE_EXCEEDED", "late", "", errors.GoogleUnavailable),
        ("UNIMPLEMENTED", "what?", "", errors.BadRequest),
    ],
)
def test_each_refusal_is_named_and_not_repeated(
    google: TinyGoogle,
    client: AnalyticsClient,
    code: str,
    text: str,
    reason: str,
    error: type[errors.AnalyticsError],
) -> None:
    google.refuse("RunReport", grpc.StatusCode[code], text, reason)
    with pytest.raises(error) as caught:
        client.run_report(TOKEN, REPORT)
    assert (type(caught.value), caught.value.google_said, caught.value.method) == (error, text, "run_report")
    assert len(google.calls) == 1
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_quota_beside_a_429_survives_the_wire(google: TinyGoogle, client: AnalyticsClient) -> None:
    limit = {"quota_limit": "RequestsPerDayPerProject"}
    google.refuse(
        "ListAudiences", grpc.StatusCode.RESOURCE_EXHAUSTED, "Exceeded.", "RATE_LIMIT_EXCEEDED", **limit
    )
    with pytest.raises(errors.QuotaExhausted) as caught:
        list(client.audiences(TOKEN, "properties/7"))
    assert caught.value.kind is Kind.ADMIN_PER_DAY


def test_a_refusal_in_the_middle_of_a_list_ends_it_there(google: TinyGoogle, client: AnalyticsClient) -> None:
    first = admin.ListAudiencesResponse(
        audiences=[{"name": "properties/7/audiences/1"}], next_page_token="two"
    )
    google.always("ListAudiences", first)
    found = client.audiences(TOKEN, "properties/7")
    assert next(found).audience_id == "1"
    google.refuse("ListAudiences", grpc.StatusCode.UNAVAILABLE, "busy")
    with pytest.raises(errors.GoogleUnavailable):
        next(found)


def test_an_answer_that_does_not_come_in_time_is_given_up(google: TinyGoogle) -> None:
    stopped = threading.Event()

    def hang(_call: Call, _context: object) -> bytes:
        stopped.wait(10)
        return b""

    google.answers.update(RunReport=hang, GetProperty=hang)
    with AnalyticsClient(google.endpoint, google.endpoint, admin_timeout=0.2, report_timeout=0.2) as client:
        begun = time.monotonic()
        with pytest.raises(errors.GoogleUnavailable):
            client.run_report(TOKEN, REPORT)
        with pytest.raises(errors.GoogleUnavailable):
            client.property(TOKEN, "properties/7")
        assert time.monotonic() - begun < 5
    stopped.set()


def test_nobody_listening_is_google_not_answering() -> None:
    with tiny_google() as gone:
        endpoint = gone.endpoint
    with (
        AnalyticsClient(endpoint, endpoint, report_timeout=5) as client,
        pytest.raises(errors.GoogleUnavailable),
    ):
        client.run_report(TOKEN, REPORT)


def test_closing_ends_a_call_under_way(google: TinyGoogle) -> None:
    reached, stopped = threading.Event(), threading.Event()

    def hang(_call: Call, _context: object) -> bytes:
        reached.set()
        stopped.wait(10)
        return b""

    google.answers["RunReport"] = hang
    client = AnalyticsClient(google.endpoint, google.endpoint)
    with futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.run_report, TOKEN, REPORT)
        assert reached.wait(10)
        client.close()
        assert isinstance(call.exception(10), errors.GoogleUnavailable)
        stopped.set()
    client.close()


def test_bytes_that_are_no_answer_are_malformed(google: TinyGoogle, client: AnalyticsClient) -> None:
    google.answers["RunReport"] = lambda _call, _context: b"\xff\xff<html>"
    with pytest.raises(errors.MalformedAnswer):
        client.run_report(TOKEN, REPORT)


def test_text_that_is_no_utf_8_is_malformed(google: TinyGoogle, client: AnalyticsClient) -> None:
    value = b"\x0a\x02\xed\xa0"  # half of a surrogate
    cell = b"\x0a" + bytes([len(value)]) + value
    google.answers["RunReport"] = lambda _call, _context: b"\x1a" + bytes([len(cell)]) + cell
    with pytest.raises(errors.MalformedAnswer):
        client.run_report(TOKEN, REPORT)


def test_a_row_of_another_width_is_malformed(google: TinyGoogle, client: AnalyticsClient) -> None:
    headers = [{"name": "audienceResourceName"}, {"name": "customEvent:sid"}]
    google.always("RunReport", data.RunReportResponse(dimension_headers=headers, rows=[{}]))
    with pytest.raises(errors.MalformedAnswer):
        client.run_report(TOKEN, REPORT)


def test_an_answer_beyond_the_cap_is_malformed(google: TinyGoogle) -> None:
    google.answers["RunReport"] = lambda _call, _context: bytes(1_025)
    client = AnalyticsClient(google.endpoint, google.endpoint, max_answer=1_024)
    with client, pytest.raises(errors.MalformedAnswer):
        client.run_report(TOKEN, REPORT)


@pytest.mark.parametrize("token", ["", "a\nb", "a\x00b", "schlüssel", "\x7f"])
def test_a_token_that_no_header_can_carry_goes_nowhere(
    google: TinyGoogle, client: AnalyticsClient, token: str
) -> None:
    with pytest.raises(errors.Unauthenticated) as caught:
        client.run_report(token, REPORT)
    assert google.calls == []
    assert not token or token not in str(caught.value)


def test_no_log_at_any_level_holds_a_token_or_an_id(
    google: TinyGoogle, client: AnalyticsClient, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [{"name": "audienceResourceName"}, {"name": "customEvent:sid"}]
    row = {
        "dimension_values": [{"value": "a"}, {"value": "recording-canary"}],
        "metric_values": [{"value": "1"}],
    }
    google.always("RunReport", data.RunReportResponse(dimension_headers=headers, rows=[row]))
    google.always("GetProperty", admin.Property(name="properties/7", display_name="name-canary"))
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="google"):
        client.run_report(TOKEN, REPORT)
        client.property(TOKEN, "properties/7")
    said = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    assert not [line for line in said if "canary" in line]


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("analyticsdata.googleapis.com", ("analyticsdata.googleapis.com", True)),
        ("https://analyticsdata.googleapis.com", ("analyticsdata.googleapis.com", True)),
        ("https://analyticsdata.googleapis.com/", ("analyticsdata.googleapis.com", True)),
        ("google.example:8443", ("google.example:8443", True)),
        ("https://127.0.0.1:8443", ("127.0.0.1:8443", True)),
        ("http://127.0.0.1:9999", ("127.0.0.1:9999", False)),
        ("http://localhost:9999", ("localhost:9999", False)),
        ("http://[::1]:9999", ("[::1]:9999", False)),
    ],
)
def test_an_endpoint_says_where_and_whether_by_tls(endpoint: str, target: tuple[str, bool]) -> None:
    assert channel_target(endpoint) == target


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://",
        "ftp://127.0.0.1",
        "https://a b",
        "https://host/path",
        "https://user@host",
        "unix:/tmp/x",
        "://host",
    ],
)
def test_an_endpoint_of_another_form_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="must be https://host"):
        channel_target(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["http://google.example", "http://127.0.0.1.evil.example", "http://10.0.0.1:80"]
)
def test_plaintext_off_loopback_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        channel_target(endpoint)


def test_tls_is_spoken_with_whom_we_trust_and_nobody_else() -> None:
    key, own = certificate()
    with tiny_google(grpc.ssl_server_credentials([(key, own)])) as google:
        google.always("RunReport", data.RunReportResponse(row_count=5))
        there = f"https://127.0.0.1:{google.port}"
        with AnalyticsClient(there, there, roots=own) as client:
            assert client.run_report(TOKEN, REPORT).row_count == 5
        with (
            AnalyticsClient(there, there, report_timeout=5) as client,
            pytest.raises(errors.GoogleUnavailable),
        ):
            client.run_report(TOKEN, REPORT)
        assert len(google.calls) == 1


def trust(cafile: Path | None, capath: Path | None) -> ssl.DefaultVerifyPaths:
    paths = {"cafile": str(cafile or ""), "capath": str(capath or "")}
    return ssl.get_default_verify_paths()._replace(**paths)


def test_the_systems_trust_is_a_file_or_a_folder_or_grpcs_own(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"BUNDLE")
    assert system_roots(trust(bundle, tmp_path)) == b"BUNDLE"
    (tmp_path / "b.0").write_bytes(b"B")
    (tmp_path / "a.0").write_bytes(b"A")
    assert system_roots(trust(tmp_path / "absent", tmp_path)) == b"A\nB"
    assert system_roots(trust(None, tmp_path / "absent")) is None
    assert system_roots(trust(None, None)) is None
