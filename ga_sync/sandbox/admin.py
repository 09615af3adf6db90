"""The Admin API v1alpha of the sandbox: account summaries, properties, audiences, custom dimensions.

Source: https://developers.google.com/analytics/devguides/config/admin/v1/rest/v1alpha
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.analytics.admin_v1alpha import types

from ga_sync.sandbox.gate import Api, Call, Gate
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.quota import Quotas
from ga_sync.sandbox.refusal import PERMISSION_ADMIN, Refusal, invalid
from ga_sync.sandbox.world import Audience, CustomDimension, Property

API = Api(
    "admin",
    "analyticsadmin.googleapis.com",
    "google.analytics.admin.v1alpha.AnalyticsAdminService",
    PERMISSION_ADMIN,
)
DEFAULT_PAGE, MAX_PAGE = 50, 200
ORDINARY = 1
_Summary, _Property = types.AccountSummary.pb(), types.Property.pb()
_Audience, _Dimension = types.Audience.pb(), types.CustomDimension.pb()


def _token(offset: int, of: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([offset, of]).encode()).decode()


def _offset(token: str, of: str) -> int:
    if not token:
        return 0
    try:
        offset, asked = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error, TypeError) as error:
        raise invalid("Request contains an invalid argument.") from error
    if asked != of:
        raise invalid("Request contains an invalid argument.")
    return int(offset)


def paged(items: Sequence[Any], request: Message, of: str) -> tuple[Sequence[Any], str]:
    """Cut a page: 50 unless asked, 200 at most; gives the items and the next token, empty at the end.

    Raises:
        Refusal: INVALID_ARGUMENT for a negative size, or a token that is forged or of another list.
    """
    if request.page_size < 0:
        raise invalid("Request contains an invalid argument.")
    start = _offset(request.page_token, of)
    end = start + min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    return items[start:end], _token(end, of) if end < len(items) else ""


def property_message(prop: Property) -> Message:
    """Make a property's message."""
    message = _Property(
        name=prop.name,
        parent=f"accounts/{prop.account}",
        account=f"accounts/{prop.account}",
        display_name=prop.display_name,
        time_zone=prop.time_zone,
        currency_code=prop.currency_code,
        service_level=2 if prop.premium else 1,
        property_type=ORDINARY,
    )
    message.create_time.FromDatetime(prop.create_time)
    message.update_time.FromDatetime(prop.create_time)
    return message


def audience_message(prop: Property, audience: Audience) -> Message:
    """Make an audience's message; the two default ones have no filter clauses and the property's own create time."""
    message = _Audience(
        name=prop.audience_name(audience),
        display_name=audience.display_name,
        description=audience.description,
        membership_duration_days=audience.membership_days,
        ads_personalization_enabled=True,
        exclusion_duration_mode=audience.exclusion_mode,
        filter_clauses=audience.clauses,
    )
    message.create_time.FromDatetime(audience.create_time)
    return message


def dimension_message(prop: Property, one: CustomDimension) -> Message:
    """Make a custom dimension's message."""
    return _Dimension(
        name=f"{prop.name}/customDimensions/{one.dimension_id}",
        parameter_name=one.parameter_name,
        display_name=one.display_name,
        scope=one.scope,
    )


class Admin:
    """Answers the Admin methods; reads the world under its lock."""

    def __init__(self, gate: Gate, quotas: Quotas) -> None:
        self._gate, self._quotas = gate, quotas

    def handlers(self) -> dict[str, Any]:
        """Give the gRPC handlers by method name."""
        bodies: dict[str, tuple[Any, Callable[[Any, Call], Any]]] = {
            "ListAccountSummaries": (types.ListAccountSummariesRequest, self._summaries),
            "ListProperties": (types.ListPropertiesRequest, self._properties),
            "GetProperty": (types.GetPropertyRequest, self._property),
            "ListAudiences": (types.ListAudiencesRequest, self._audiences),
            "GetAudience": (types.GetAudienceRequest, self._audience),
            "ListCustomDimensions": (types.ListCustomDimensionsRequest, self._dimensions),
        }
        return {
            name: self._gate.method(name, request.pb(), self._counted(body))
            for name, (request, body) in bodies.items()
        }

    def _counted(self, body: Callable[[Any, Call], Any]) -> Callable[[Any, Call], Any]:
        def serve(request: Message, call: Call) -> Message:
            with self._gate.world.lock:
                self._quotas.admin_call(call.now)
            self._gate.disturb(call)
            with self._gate.world.lock:
                return body(request, call)

        return serve

    def _mine(self, call: Call) -> list[Property]:
        return [prop for prop in self._gate.world.properties.values() if self._gate.readable(call.user, prop)]

    def _summaries(self, request: Message, call: Call) -> Message:
        summaries = []
        mine = self._mine(call)
        for account, title in self._gate.world.accounts.items():
            held = [prop for prop in mine if prop.account == account]
            if held:
                one = _Summary(
                    name=f"accountSummaries/{account}", account=f"accounts/{account}", display_name=title
                )
                for prop in held:
                    one.property_summaries.add(
                        property=prop.name,
                        display_name=prop.display_name,
                        property_type=ORDINARY,
                        parent=one.account,
                    )
                summaries.append(one)
        items, token = paged(summaries, request, "accountSummaries")
        return types.ListAccountSummariesResponse.pb()(account_summaries=items, next_page_token=token)

    def _properties(self, request: Message, call: Call) -> Message:
        kind, _, wanted = request.filter.partition(":")
        if kind not in ("parent", "ancestor") or not wanted.startswith("accounts/"):
            raise invalid("Request contains an invalid argument.")
        found = [prop for prop in self._mine(call) if f"accounts/{prop.account}" == wanted]
        items, token = paged(found, request, request.filter)
        messages = [property_message(prop) for prop in items]
        return types.ListPropertiesResponse.pb()(properties=messages, next_page_token=token)

    def _property(self, request: Message, call: Call) -> Message:
        return property_message(self._gate.property(request.name, call))

    def _audiences(self, request: Message, call: Call) -> Message:
        prop = self._gate.property(request.parent, call)
        listed = [one for one in prop.audiences if one.archived_at is None]
        items, token = paged(listed, request, f"{prop.name}/audiences")
        messages = [audience_message(prop, one) for one in items]
        return types.ListAudiencesResponse.pb()(audiences=messages, next_page_token=token)

    def _audience(self, request: Message, call: Call) -> Message:
        parent, _, number = request.name.partition("/audiences/")
        prop = self._gate.property(parent, call)
        found = prop.audience(int(number)) if number.isascii() and number.isdigit() else None
        if found is None or found.archived_at is not None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")
        return audience_message(prop, found)

    def _dimensions(self, request: Message, call: Call) -> Message:
        prop = self._gate.property(request.parent, call)
        gone = {
            mood.get("parameter_name")
            for mood in self._gate.moods.every("dimension_archived", property=prop.name)
        }
        listed = [one for one in prop.dimensions if not one.archived and one.parameter_name not in gone]
        items, token = paged(listed, request, f"{prop.name}/customDimensions")
        messages = [dimension_message(prop, one) for one in items]
        return types.ListCustomDimensionsResponse.pb()(custom_dimensions=messages, next_page_token=token)
