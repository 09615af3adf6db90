"""The real clients against a real gRPC server: what goes out and what comes back."""

import time
from datetime import date

import pytest
from google.analytics import admin_v1alpha as admin
from google.analytics import data_v1beta as data

from ga_sync.analytics import errors, requests
from ga_sync.analytics.client import AnalyticsClient, Google
from ga_sync.analytics.listing import Audience, CustomDimension, PropertySummary
from ga_sync.analytics.quota import Kind
from ga_sync.analytics.reading import ReportPage, next_offset, read_day
from tests.analytics.tiny_google import Answer, Call, TinyGoogle

ASKED = ["properties/7/audiences/1", "properties/7/audiences/2"]
REPORT = requests.day_report("properties/7", "sid", date(2026, 3, 8), ASKED)
EMPTY = data.RunReportResponse()
TOKEN = "ya29.canary-of-no-world"
ADMIN = "/google.analytics.admin.v1alpha.AnalyticsAdminService/"


def test_the_real_client_is_a_google(client: AnalyticsClient) -> None:
    as_port: Google = client
    assert as_port is client


def test_a_report_goes_out_as_built_with_its_token_and_a_deadline(
    google: TinyGoogle, client: AnalyticsClient
) -> None:
    google.always("RunReport", EMPTY)
    client.run_report(TOKEN, REPORT)
    (call,) = google.calls
    assert call.path == "/google.analytics.data.v1beta.BetaAnalyticsData/RunReport"
    assert call.metadata["authorization"] == f"Bearer {TOKEN}"
    assert call.metadata["x-goog-request-params"] == "property=properties/7"
    assert 50 < call.seconds_left < 60.5
    assert data.RunReportRequest.deserialize(call.body) == REPORT


def test_each_call_carries_the_token_it_was_given_and_the_client_keeps_none(
    google: TinyGoogle, client: AnalyticsClient
) -> None:
    google.always("RunReport", EMPTY)
    client.run_report("first", REPORT)
    client.run_report("second", REPORT)
    assert [call.metadata["authorization"] for call in google.calls] == ["Bearer first", "Bearer second"]
    assert not any("first" in str(value) or "second" in str(value) for value in vars(client).values())


def test_every_admin_call_has_a_token_and_a_deadline(google: TinyGoogle, client: AnalyticsClient) -> None:
    google.always("ListAccountSummaries", admin.ListAccountSummariesResponse())
    google.always("ListCustomDimensions", admin.ListCustomDimensionsResponse())
    google.always("ListAudiences", admin.ListAudiencesResponse())
    google.always("GetProperty", admin.Property(name="properties/7", time_zone="Europe/Warsaw"))
    assert list(client.account_summaries(TOKEN)) == []
    assert list(client.custom_dimensions(TOKEN, "properties/7")) == []
    assert list(client.audiences(TOKEN, "properties/7")) == []
    assert client.property(TOKEN, "properties/7").time_zone == "Europe/Warsaw"
    names = ["ListAccountSummaries", "ListCustomDimensions", "ListAudiences", "GetProperty"]
    assert [call.path for call in google.calls] == [ADMIN + name for name in names]
    assert all(call.metadata["authorization"] == f"Bearer {TOKEN}" for call in google.calls)
    assert all(10 < call.seconds_left < 20.5 for call in google.calls)


def paged(answers: dict[str, bytes]) -> Answer:
    """An Admin list that answers by the page token it is asked for."""
    return lambda call, _context: answers[admin.ListAudiencesRequest.deserialize(call.body).page_token]


def test_lists_are_followed_to_their_end_page_by_page(google: TinyGoogle) -> None:
    page = admin.ListAudiencesResponse
    first = page(audiences=[{"name": "properties/7/audiences/1", "display_name": "A"}], next_page_token="two")
    empty = page(next_page_token="three")
    last = page(audiences=[{"name": "properties/7/audiences/2", "filter_clauses": [{}]}])
    google.answers["ListAudiences"] = paged(
        {"": page.serialize(first), "two": page.serialize(empty), "three": page.serialize(last)}
    )
    counted: list[str] = []
    with AnalyticsClient(google.endpoint, google.endpoint, before_call=counted.append) as client:
        found = client.audiences(TOKEN, "properties/7")
        assert (len(google.calls), next(found).audience_id, len(google.calls)) == (0, "1", 1)
        assert list(found) == [
            Audience("properties/7/audiences/2", "2", "", has_clauses=True, create_time=None)
        ]
    assert counted == ["list_audiences"] * 3
    assert all(call.seconds_left > 10 for call in google.calls)


def test_a_list_that_repeats_its_mark_is_refused(google: TinyGoogle, client: AnalyticsClient) -> None:
    google.always("ListAudiences", admin.ListAudiencesResponse(next_page_token="again"))
    with pytest.raises(errors.MalformedAnswer, match="does not end"):
        list(client.audiences(TOKEN, "properties/7"))
    assert len(google.calls) == 2


def test_a_list_without_end_is_cut(google: TinyGoogle, client: AnalyticsClient) -> None:
    def endless(_call: Call, _context: object) -> bytes:
        return bytes(admin.ListAudiencesResponse.serialize({"next_page_token": str(len(google.calls))}))

    google.answers["ListAudiences"] = endless
    with pytest.raises(errors.MalformedAnswer, match="does not end"):
        list(client.audiences(TOKEN, "properties/7"))
    assert len(google.calls) == 200


def test_summaries_and_dimensions_come_as_plain_values(google: TinyGoogle, client: AnalyticsClient) -> None:
    summary = {"display_name": "A", "property_summaries": [{"property": "properties/7", "display_name": "S"}]}
    google.always("ListAccountSummaries", admin.ListAccountSummariesResponse(account_summaries=[summary]))
    event = {"parameter_name": "sid", "scope": admin.CustomDimension.DimensionScope.EVENT}
    google.always("ListCustomDimensions", admin.ListCustomDimensionsResponse(custom_dimensions=[event]))
    assert list(client.account_summaries(TOKEN)) == [PropertySummary("properties/7", "S", "A")]
    assert list(client.custom_dimensions(TOKEN, "properties/7")) == [CustomDimension("sid", "", "EVENT")]


def test_a_budget_that_is_spent_stops_the_call(google: TinyGoogle) -> None:
    def refuse(_method: str) -> None:
        raise LookupError("spent")

    with (
        AnalyticsClient(google.endpoint, google.endpoint, before_call=refuse) as client,
        pytest.raises(LookupError),
    ):
        client.property(TOKEN, "properties/7")
    assert google.calls == []


def report_of(offset: int, size: int, row_count: int) -> bytes:
    """Rows ``offset`` and on of a report of two audiences, at most ``size``, as Google sends them."""
    raw = data.RunReportResponse.pb(data.RunReportResponse(row_count=row_count))
    for name in ("audienceResourceName", "customEvent:sid"):
        raw.dimension_headers.add(name=name)
    for n in range(offset, min(offset + size, row_count)):
        row = raw.rows.add()
        row.dimension_values.add(value=ASKED[n * 2 // row_count])
        row.dimension_values.add(value=f"{n:032x}")
        row.metric_values.add(value="1")
    raw.totals.add().metric_values.add(value=str(row_count))
    raw.property_quota.tokens_per_day.remaining = 199_990
    return bytes(raw.SerializeToString())


@pytest.mark.parametrize("row_count", [249_999, 250_000, 250_001, 260_000])
def test_days_around_the_page_limit_come_whole(
    google: TinyGoogle, client: AnalyticsClient, row_count: int
) -> None:
    def answer(call: Call, _context: object) -> bytes:
        asked = data.RunReportRequest.deserialize(call.body)
        return report_of(asked.offset, asked.limit, row_count)

    google.answers["RunReport"] = answer
    pages: list[ReportPage] = []
    offset: int | None = 0
    while offset is not None:
        request = requests.day_report("properties/7", "sid", date(2026, 3, 8), ASKED, offset)
        pages.append(client.run_report(TOKEN, request))
        offset = next_offset(offset, pages[-1])
    reading = read_day(pages, ASKED)
    assert (reading.whole, reading.memberships, len(reading.ids)) == (True, row_count, row_count)
    assert len(pages) == 1 + (row_count > 250_000)
    assert pages[0].quota is not None
    assert pages[0].quota.remaining(Kind.TOKENS_PER_DAY) == 199_990


def test_one_answer_of_260_000_rows_fits_and_is_measured(
    google: TinyGoogle, client: AnalyticsClient, capsys: pytest.CaptureFixture[str]
) -> None:
    body = report_of(0, 260_000, 260_000)
    google.answers["RunReport"] = lambda _call, _context: body
    begun = time.perf_counter()
    page = client.run_report(TOKEN, REPORT)
    spent = time.perf_counter() - begun
    with capsys.disabled():
        print(f"\n260,000 rows ({len(body) / 2**20:.0f} MiB) over gRPC to columns: {spent:.2f} s")  # noqa: T201
    assert page.rows == 260_000
