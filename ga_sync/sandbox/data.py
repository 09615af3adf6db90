"""The Data API v1beta of the sandbox: RunReport and GetMetadata.

Source: https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/properties
"""

import random
from collections import OrderedDict
from datetime import date
from typing import Any

import grpc
from google.analytics.data_v1beta import types

from ga_sync.sandbox import disturb
from ga_sync.sandbox.asked import METRICS, SCHEMA, BadRequestError, reads_audiences, spans, valid_dimensions
from ga_sync.sandbox.filters import fields_of
from ga_sync.sandbox.gate import Api, Call, Gate
from ga_sync.sandbox.members import Memberships
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.quota import ERRORS, Quotas, cost
from ga_sync.sandbox.refusal import PERMISSION_DATA, Refusal, invalid
from ga_sync.sandbox.report import Reading, Table, tabulate
from ga_sync.sandbox.wire import TYPE_INTEGER, Line, ordering, page, respond
from ga_sync.sandbox.world import EVENT_PREFIX, Property

API = Api(
    "data",
    "analyticsdata.googleapis.com",
    "google.analytics.data.v1beta.BetaAnalyticsData",
    PERMISSION_DATA,
)
SERVER_ERRORS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN})
CACHED_TABLES = 16
INCOMPATIBLE = (
    "Please remove {field} to make the request compatible. The request's dimensions & metrics are incompatible. "
    "To learn more, see https://ga-dev-tools.google/ga4/dimensions-metrics-explorer/"
)


class Data:
    """Answers the Data methods; tables are remembered until anything they rest on changes."""

    def __init__(self, gate: Gate, quotas: Quotas) -> None:
        self._gate, self._quotas = gate, quotas
        self._members: dict[int, Memberships] = {}
        self._tables: OrderedDict[object, Table] = OrderedDict()
        self._asked = 0

    def handlers(self) -> dict[str, Any]:
        """Give the gRPC handlers by method name."""
        return {
            "RunReport": self._gate.method("RunReport", types.RunReportRequest.pb(), self._report),
            "GetMetadata": self._gate.method("GetMetadata", types.GetMetadataRequest.pb(), self._metadata),
        }

    def members(self, prop: Property) -> Memberships:
        """Give the memberships of a property; hold the world's lock."""
        return self._members.setdefault(prop.number, Memberships(prop))

    def _report(self, request: Message, call: Call) -> Message:
        prop = self._gate.property(request.property, call)
        ledger = self._quotas.of(prop.number, premium=prop.premium)
        thresholded = reads_audiences(request)
        with self._gate.world.lock:
            ledger.enter(call.now, thresholded=thresholded)
        try:
            self._gate.disturb(call)
            response, days, rows = self._answer(request, prop, call)
        except Refusal as no:
            if no.code in SERVER_ERRORS:
                with self._gate.world.lock:
                    ledger.spend(ERRORS, 1, call.now)
            raise
        finally:
            with self._gate.world.lock:
                ledger.done()
        tokens = cost(days, rows)
        with self._gate.world.lock:
            ledger.pay(tokens, call.now)
            if request.return_property_quota:
                ledger.report(response.property_quota, tokens, call.now, thresholded=thresholded)
        return response

    def _answer(self, request: Message, prop: Property, call: Call) -> tuple[Any, int, int]:
        self._refuse_by_mood(request, prop)
        try:
            with self._gate.world.lock:
                days = [
                    day for span in spans(request, prop.today(call.now), prop.first_day) for day in span.days
                ]
                table = self._table(request, prop, call, days)
                take = disturb.taker(
                    self._gate.moods, prop.name, call.user, [day.isoformat() for day in days]
                )
                table = disturb.table_under(table, take, audiences=reads_audiences(request))
                lines = self._page(request, table, take)
        except BadRequestError as error:
            raise invalid(str(error)) from error
        response = respond(request, table, lines)
        response.metadata.currency_code = request.currency_code or prop.currency_code
        response.metadata.time_zone = prop.time_zone
        disturb.answer_under(response, request.offset, take)
        return response, len(days), len(lines)

    def _page(self, request: Message, table: Table, take: disturb.Take) -> list[Line]:
        self._asked += 1
        chance = random.Random(f"{self._gate.world.seed}/{self._asked}")  # noqa: S311 - an order, no secret
        shift = take("page_shift") if request.offset else None
        lines = ordering(request, table, chance)
        return list(page(request, lines, int(shift.get("by", 1)) if shift else 0))

    def _refuse_by_mood(self, request: Message, prop: Property) -> None:
        asked = {one.name for one in request.dimensions} | fields_of(request.dimension_filter)
        for mood in self._gate.moods.every("dimension_archived", property=prop.name):
            name = EVENT_PREFIX + str(mood.get("parameter_name"))
            if name in asked:
                raise invalid(
                    f"Field {name} is not a valid dimension. For a list of valid dimensions and metrics, "
                    f"see {SCHEMA} "
                )
        for mood in self._gate.moods.every("incompatible", property=prop.name):
            both = asked | {one.name for one in request.metrics}
            for name in sorted(both & set(mood.get("fields", ()))):
                raise invalid(INCOMPATIBLE.format(field=name))

    def _table(self, request: Message, prop: Property, call: Call, days: list[date]) -> Table:
        plain = type(request)()
        plain.CopyFrom(request)
        for field in ("limit", "offset", "order_bys", "metric_aggregations", "return_property_quota"):
            plain.ClearField(field)
        if request.limit < 0 or request.offset < 0:
            raise BadRequestError("The limit must be positive and the offset must not be negative.")
        vanish = bool(self._gate.moods.every("archived_audiences_vanish", property=prop.name))
        hidden = frozenset(one.audience_id for one in prop.audiences if vanish and one.archived_at)
        seen = tuple((day, prop.day(day).count_at(call.now)) for day in days)
        key = (prop.number, prop.version, hidden, seen, plain.SerializeToString(deterministic=True))
        held = self._tables.get(key)
        if held is None:
            held = tabulate(plain, Reading(prop, self.members(prop), call.now, hidden))
            self._tables[key] = held
            if len(self._tables) > CACHED_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return held

    def _metadata(self, request: Message, call: Call) -> Message:
        prop = self._gate.property(request.name.removesuffix("/metadata"), call)
        self._gate.disturb(call)
        message = types.Metadata.pb()(name=f"{prop.name}/metadata")
        custom = {one.api_name: one.display_name for one in prop.dimensions if not one.archived}
        for name in sorted(valid_dimensions(prop)):
            message.dimensions.add(
                api_name=name, ui_name=custom.get(name, name), custom_definition=name in custom
            )
        for name in METRICS:
            message.metrics.add(api_name=name, ui_name=name, type_=TYPE_INTEGER)
        return message
