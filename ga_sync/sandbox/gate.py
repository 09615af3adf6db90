"""What every gRPC call passes: journal, moods, access token, scope, and the user's right to the property."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc

from ga_sync.sandbox import refusal
from ga_sync.sandbox.journal import REDACTED, Entry, Journal
from ga_sync.sandbox.moods import Moods
from ga_sync.sandbox.oauth import SCOPES_THAT_READ, OAuth
from ga_sync.sandbox.proto import Grpc, Message, json_format
from ga_sync.sandbox.refusal import Refusal
from ga_sync.sandbox.world import Property, World


@dataclass(frozen=True, slots=True)
class Api:
    """One gRPC service: its short name, host, full name, and its sentence for a missing permission."""

    short: str
    host: str
    service: str
    no_permission: str


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted call: who asks what, and when."""

    method: str
    user: str
    now: datetime
    entry: Entry


Body = Callable[[Any, Call], Any]


@dataclass
class Gate:
    """Admits calls to one service. `wait` sleeps for the seconds of a delay mood."""

    api: Api
    world: World
    oauth: OAuth
    moods: Moods
    journal: Journal
    now: Callable[[], datetime]
    wait: Callable[[float], object]

    def method(self, name: str, request_class: Message, body: Body) -> Message:
        """Make the gRPC handler of one method."""

        def serve(request: Message, context: Grpc) -> Message:
            entry = self._note(name, request)
            self.journal.begin(entry)
            status = "UNKNOWN"
            try:
                answer = body(request, self._admit(name, entry, context))
                status = "OK"
            except Refusal as no:
                status = no.code.name
                context.set_trailing_metadata(no.trailers())
                context.abort(no.code, no.message)
            finally:
                self.journal.end(entry, status)
            return answer

        return grpc.unary_unary_rpc_method_handler(
            serve,
            request_deserializer=request_class.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _note(self, name: str, request: Message) -> Entry:
        parameters = json_format.MessageToDict(request)
        named = parameters.get("property") or parameters.get("parent") or parameters.get("name")
        of = "/".join(str(named).split("/")[:2]) if named else None
        return Entry(self.now(), self.api.short, name, of, parameters=parameters)

    def _admit(self, name: str, entry: Entry, context: Grpc) -> Call:
        token = dict(context.invocation_metadata()).get("authorization", "")
        if not token.startswith("Bearer "):
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                refusal.NO_CREDENTIALS,
                "CREDENTIALS_MISSING",
                {"service": self.api.host, "method": f"{self.api.service}.{name}"},
            )
        entry.authorization = f"Bearer {REDACTED}"
        held = self.oauth.bearer(token.removeprefix("Bearer "), self.now())
        around = {"method": name, "property": entry.property}
        if held is None or self.moods.take("access_token_rejected", user=held.user, **around):
            raise Refusal(grpc.StatusCode.UNAUTHENTICATED, refusal.BAD_CREDENTIALS)
        entry.user = held.user
        if SCOPES_THAT_READ.isdisjoint(held.scopes):
            raise refusal.scope_missing(self.api.host, f"{self.api.service}.{name}")
        if self.moods.take("service_disabled", user=held.user, **around):
            raise refusal.service_disabled(self.api.host)
        return Call(name, held.user, self.now(), entry)

    def disturb(self, call: Call) -> None:
        """Let delay and error moods strike; raises the `Refusal` that a mood asks for."""
        around = {"method": call.method, "property": call.entry.property, "user": call.user}
        if mood := self.moods.take("delay", **around):
            self.wait(float(mood.get("seconds", 1.0)))
        if mood := self.moods.take("call_error", **around):
            code = refusal.code_named(mood["code"])
            raise Refusal(code, mood.get("message", "The sandbox was asked to fail."), mood.get("reason"))

    def readable(self, user: str, prop: Property) -> bool:
        """Whether the user may read the property now."""
        removed = self.moods.every("permission_removed", user=user, property=prop.name)
        return prop.number in self.world.users[user].properties and not removed

    def property(self, name: str, call: Call) -> Property:
        """Find the property that a call names.

        Raises:
            Refusal: INVALID_ARGUMENT for a malformed name; PERMISSION_DENIED where it is not there or not the user's.
        """
        number = name.removeprefix("properties/")
        if not name.startswith("properties/") or not (number.isascii() and number.isdigit()):
            raise refusal.invalid(f"Invalid property ID: {number}. A numeric Property ID is required.")
        prop = self.world.find(name)
        if prop is None or not self.readable(call.user, prop):
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, self.api.no_permission)
        return prop
