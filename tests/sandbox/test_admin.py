"""The Admin API, asked by Google's own client."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import pytest
from google.analytics import admin_v1alpha
from google.api_core import exceptions

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.clauses import parse
from ga_sync.sandbox.world import Audience, CustomDimension, GoogleUser, Property, World

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


SHOP_USER = "analytics@shop1.example"


def test_account_summaries_list_what_the_user_may_read(visitor: Loose, shop: str) -> None:
    own = list(visitor.admin.list_account_summaries(metadata=visitor.bearer(SHOP_USER)))
    assert [[one.property for one in account.property_summaries] for account in own] == [[shop]]
    every = list(visitor.admin.list_account_summaries(metadata=visitor.bearer()))
    assert sum(len(account.property_summaries) for account in every) == 3


def test_a_property_has_its_zone_and_level(visitor: Loose, shop: str) -> None:
    found = visitor.admin.get_property(name=shop, metadata=visitor.bearer())
    assert (found.time_zone, found.service_level.name) == ("Europe/Berlin", "GOOGLE_ANALYTICS_STANDARD")
    listed = visitor.admin.list_properties({"filter": f"parent:{found.parent}"}, metadata=visitor.bearer())
    assert [one.name for one in listed] == [shop]
    with pytest.raises(exceptions.InvalidArgument):
        visitor.admin.list_properties({"filter": "colour:blue"}, metadata=visitor.bearer())


def test_default_audiences_have_no_clauses_and_the_propertys_create_time(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    born = visitor.admin.get_property(name=shop, metadata=bearer).create_time
    found = list(visitor.admin.list_audiences(parent=shop, metadata=bearer))
    built_in = [one for one in found if not one.filter_clauses]
    assert [(one.display_name, one.create_time) for one in built_in] == [
        ("All Users", born),
        ("Purchasers", born),
    ]
    own = [one for one in found if one.filter_clauses]
    assert len(own) == 8
    assert "All Users" in {one.display_name for one in own}
    assert [one.display_name for one in own].count("Returning buyers") == 2
    assert visitor.admin.get_audience(name=own[0].name, metadata=bearer) == own[0]


def test_the_recording_parameter_exists_in_both_scopes_on_the_first_shop(visitor: Loose, shop: str) -> None:
    found = visitor.admin.list_custom_dimensions(parent=shop, metadata=visitor.bearer())
    scopes = {one.scope.name for one in found if one.parameter_name == "sessioncam_id"}
    assert scopes == {"EVENT", "USER"}


def many(count: int) -> World:
    born = datetime(2026, 10, 1, tzinfo=UTC)
    clauses = parse([draw.clause(draw.exact("country", "France"))])
    audiences = [Audience(n, f"A{n}", born, clauses) for n in range(count)]
    prop = Property(5, "Many", 6, "UTC", born, ("country", "customEvent:sid"), date(2026, 11, 1), "sid")
    prop.audiences, prop.dimensions = audiences, [CustomDimension(1, "sid", "Id")]
    return World(
        1, {6: "Account"}, {5: prop}, {"one@many.example": GoogleUser("one@many.example", frozenset({5}))}
    )


def test_lists_come_in_pages_of_fifty_and_at_most_two_hundred(visit: Callable[[World], Any]) -> None:
    visitor = visit(many(230))
    bearer = visitor.bearer("one@many.example")
    first = next(visitor.admin.list_audiences(parent="properties/5", metadata=bearer).pages)
    assert (len(first.audiences), bool(first.next_page_token)) == (50, True)
    asked = admin_v1alpha.ListAudiencesRequest(parent="properties/5", page_size=1000)
    pages = list(visitor.admin.list_audiences(asked, metadata=bearer).pages)
    assert [len(page.audiences) for page in pages] == [200, 30]
    assert len(list(visitor.admin.list_audiences(parent="properties/5", metadata=bearer))) == 230


@pytest.mark.parametrize(
    "more", [{"page_size": -1}, {"page_token": "forged"}, {"page_token": "WzUwLCAieCJd"}]
)
def test_a_forged_token_or_a_negative_size_is_refused(
    visitor: Loose, shop: str, more: dict[str, Any]
) -> None:
    request = admin_v1alpha.ListAudiencesRequest({"parent": shop, **more})
    with pytest.raises(exceptions.InvalidArgument):
        visitor.admin.list_audiences(request, metadata=visitor.bearer())


def test_who_may_not_gets_no(visitor: Loose, shop: str, world: World) -> None:
    bearer = visitor.bearer(SHOP_USER)
    foreign = list(world.properties.values())[1].name
    for name in (foreign, "properties/1"):
        with pytest.raises(exceptions.PermissionDenied, match="The caller does not have permission"):
            visitor.admin.get_property(name=name, metadata=bearer)
    with pytest.raises(exceptions.InvalidArgument):
        visitor.admin.list_audiences(parent="shops/1", metadata=bearer)
    visitor.mood("permission_removed", user=SHOP_USER, property=shop)
    with pytest.raises(exceptions.PermissionDenied):
        visitor.admin.get_property(name=shop, metadata=bearer)
    assert not list(visitor.admin.list_account_summaries(metadata=bearer))


@pytest.mark.parametrize("number", ["0", "x"])
def test_an_audience_that_is_not_there_is_not_found(visitor: Loose, shop: str, number: str) -> None:
    with pytest.raises(exceptions.NotFound):
        visitor.admin.get_audience(name=f"{shop}/audiences/{number}", metadata=visitor.bearer())


def test_tokens_are_checked_at_every_call(visitor: Loose) -> None:
    ask = visitor.admin.list_account_summaries
    with pytest.raises(exceptions.Unauthenticated) as missing:
        ask()
    assert missing.value.reason == "CREDENTIALS_MISSING"
    with pytest.raises(exceptions.Unauthenticated):
        ask(metadata=[("authorization", "Bearer nonsense")])
    bearer = visitor.bearer()
    visitor.mood("access_token_rejected", times=1)
    with pytest.raises(exceptions.Unauthenticated):
        ask(metadata=bearer)
    assert list(ask(metadata=bearer))
    visitor.control("POST", "/advance", {"seconds": 3600})
    with pytest.raises(exceptions.Unauthenticated):
        ask(metadata=bearer)


def test_a_token_without_the_scope_and_a_disabled_service_carry_googles_reason(
    visitor: Loose, shop: str
) -> None:
    visitor.mood("untick", times=1)
    with pytest.raises(exceptions.PermissionDenied) as scope:
        visitor.admin.get_property(name=shop, metadata=visitor.bearer())
    assert scope.value.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    visitor.mood("service_disabled", times=1)
    with pytest.raises(exceptions.PermissionDenied) as disabled:
        visitor.admin.get_property(name=shop, metadata=visitor.bearer())
    assert disabled.value.reason == "SERVICE_DISABLED"
    assert disabled.value.domain == "googleapis.com"


def test_an_error_mood_strikes_as_often_as_asked(visitor: Loose, shop: str) -> None:
    bearer = visitor.bearer()
    visitor.mood("call_error", method="ListAudiences", code="UNAVAILABLE", message="Try later.", times=2)
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable, match=r"Try later\."):
            visitor.admin.list_audiences(parent=shop, metadata=bearer)
    assert list(visitor.admin.list_audiences(parent=shop, metadata=bearer))


def test_an_archived_dimension_leaves_the_list(visitor: Loose, shop: str) -> None:
    visitor.mood("dimension_archived", property=shop, parameter_name="page_group")
    found = visitor.admin.list_custom_dimensions(parent=shop, metadata=visitor.bearer())
    assert "page_group" not in {one.parameter_name for one in found}
