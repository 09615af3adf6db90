"""Genuine answers of Google, kept beside the checkout, are read as they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.analytics import admin_v1alpha as admin
from google.analytics import data_v1beta as data

from ga_sync.analytics import listing
from ga_sync.analytics.answers import Flags, read_page
from ga_sync.analytics.rows import Columns

RECORDED = Path(__file__).parents[3] / "shared" / "google"


def recorded(name: str) -> dict[str, Any]:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded answers beside this checkout: {name}")
    return dict(json.loads(path.read_text()))


def as_report(body: dict[str, Any]) -> Any:  # noqa: ANN401
    return data.RunReportResponse.pb(data.RunReportResponse.from_json(json.dumps(body)))


def test_an_empty_report_has_nothing_and_a_zone() -> None:
    page = read_page(as_report(recorded("runReport.empty.json")), ["country"])
    assert (page.rows, page.row_count, page.total) == (0, 0, None)
    assert page.flags == Flags(time_zone="Europe/Warsaw")


def test_a_limited_report_announces_more_rows_than_it_has() -> None:
    (body,) = recorded("batchRunReports.limited.json")["reports"]
    page = read_page(as_report(body), ["date"])
    assert (page.columns, page.row_count) == (Columns([], ["20240222"], [13]), 3)


def test_default_audiences_have_no_clauses_and_their_propertys_birth() -> None:
    body = json.dumps(recorded("audiences.list.defaults-only.json"))
    page = admin.ListAudiencesResponse.from_json(body)
    found = list(listing.audiences(admin.ListAudiencesResponse.pb(page)))
    answer = admin.ListPropertiesResponse.from_json(json.dumps(recorded("properties.list.json")))
    births = {one.name: listing.property_of(admin.Property.pb(one)).create_time for one in answer.properties}
    assert [one.display_name for one in found] == ["All Users", "Purchasers"]
    assert not any(one.has_clauses for one in found)
    assert {one.create_time for one in found} == {births[found[0].resource_name.partition("/audiences/")[0]]}


def test_account_summaries_name_their_account() -> None:
    page = admin.ListAccountSummariesResponse.from_json(json.dumps(recorded("accountSummaries.list.json")))
    found = list(listing.property_summaries(admin.ListAccountSummariesResponse.pb(page)))
    assert found
    assert all(one.property.startswith("properties/") and one.account for one in found)
