"""What the Admin API lists becomes plain values, odd names and new enum values unharmed."""

from datetime import UTC, datetime

import pytest
from google.analytics import admin_v1alpha as admin

from ga_sync.analytics import listing
from ga_sync.analytics.errors import MalformedAnswer

BORN = datetime(2026, 4, 30, 9, 23, 12, 843_000, tzinfo=UTC)


def test_a_property_tells_its_zone_birth_and_level() -> None:
    message = admin.Property(
        name="properties/1",
        display_name="Shop",
        time_zone="Europe/Warsaw",
        create_time=BORN,
        service_level=admin.ServiceLevel.GOOGLE_ANALYTICS_360,
    )
    assert listing.property_of(admin.Property.pb(message)) == listing.Property(
        "properties/1", "Shop", "Europe/Warsaw", BORN, "GOOGLE_ANALYTICS_360"
    )


def test_a_property_without_birth_and_with_a_new_level() -> None:
    message = admin.Property.pb(admin.Property(name="properties/1"))
    message.service_level = 9
    found = listing.property_of(message)
    assert (found.create_time, found.service_level) == (None, "9")


def test_a_property_without_a_name_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match="without a name"):
        listing.property_of(admin.Property.pb(admin.Property()))


def test_a_time_that_no_calendar_has_is_refused() -> None:
    message = admin.Property.pb(admin.Property(name="properties/1"))
    message.create_time.seconds = 2**62
    with pytest.raises(MalformedAnswer, match="no calendar"):
        listing.property_of(message)


def test_summaries_of_every_account_come_in_order() -> None:
    page = admin.ListAccountSummariesResponse(
        account_summaries=[
            {"display_name": "A", "property_summaries": [{"property": "properties/2", "display_name": "b"}]},
            {"display_name": "empty"},
            {"display_name": "C", "property_summaries": [{"property": "properties/1", "display_name": ""}]},
        ]
    )
    assert list(listing.property_summaries(admin.ListAccountSummariesResponse.pb(page))) == [
        listing.PropertySummary("properties/2", "b", "A"),
        listing.PropertySummary("properties/1", "", "C"),
    ]


def test_dimensions_of_every_scope_come_with_their_scope() -> None:
    scopes = admin.CustomDimension.DimensionScope
    page = admin.ListCustomDimensionsResponse.pb(
        admin.ListCustomDimensionsResponse(
            custom_dimensions=[
                {"parameter_name": "sid", "display_name": "Session", "scope": scopes.EVENT},
                {"parameter_name": "sid", "display_name": "User", "scope": scopes.USER},
            ]
        )
    )
    page.custom_dimensions.add(parameter_name="new", scope=42)
    assert list(listing.dimensions(page)) == [
        listing.CustomDimension("sid", "Session", "EVENT"),
        listing.CustomDimension("sid", "User", "USER"),
        listing.CustomDimension("new", "", "42"),
    ]


def test_audiences_tell_their_number_name_clauses_and_birth() -> None:
    odd = "שלום \u202e\x00\n🛒"
    page = admin.ListAudiencesResponse(
        audiences=[
            {"name": "properties/1/audiences/2", "display_name": "All Users", "create_time": BORN},
            {"name": "properties/1/audiences/3", "display_name": odd, "filter_clauses": [{}]},
        ]
    )
    assert list(listing.audiences(admin.ListAudiencesResponse.pb(page))) == [
        listing.Audience("properties/1/audiences/2", "2", "All Users", has_clauses=False, create_time=BORN),
        listing.Audience("properties/1/audiences/3", "3", odd, has_clauses=True, create_time=None),
    ]


@pytest.mark.parametrize("name", ["", "properties/1", "properties/1/audiences/x", "audiences/3"])
def test_an_audience_of_another_name_is_refused(name: str) -> None:
    page = admin.ListAudiencesResponse(audiences=[{"name": name}])
    with pytest.raises(MalformedAnswer, match="another form"):
        list(listing.audiences(admin.ListAudiencesResponse.pb(page)))
