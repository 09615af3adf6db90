"""A Google of a few lines: real method paths over real gRPC, answers chosen by each test."""

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import proto  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status


@dataclass
class Call:
    """One request as the server saw it."""

    path: str
    body: bytes
    metadata: dict[str, str]
    seconds_left: float


Answer = Callable[[Call, grpc.ServicerContext], bytes]


@dataclass
class TinyGoogle:
    """Answers by the last part of the method's path: bytes, or a function of the call and its context."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def always(self, method: str, message: proto.Message) -> None:
        """Every call of ``method`` is answered by this message."""
        body = type(message).serialize(message)
        self.answers[method] = lambda _call, _context: body

    def refuse(
        self, method: str, code: grpc.StatusCode, text: str, reason: str = "", **metadata: str
    ) -> None:
        """Every call of ``method`` ends in this status, with an ErrorInfo where a reason is given."""

        def answer(_call: Call, context: grpc.ServicerContext) -> bytes:
            if reason:
                status = Status(code=code.value[0], message=text)
                status.details.add().Pack(
                    ErrorInfo(reason=reason, domain="googleapis.com", metadata=metadata)
                )
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(code, text)
            raise AssertionError

        self.answers[method] = answer


class _Routes(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, google: TinyGoogle) -> None:
        self._google = google

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            metadata = {key: value for key, value in details.invocation_metadata if isinstance(value, str)}
            call = Call(details.method, body, metadata, context.time_remaining())
            self._google.calls.append(call)
            return self._google.answers[details.method.rpartition("/")[2]](call, context)

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def tiny_google(credentials: grpc.ServerCredentials | None = None) -> Iterator[TinyGoogle]:
    """One that listens on a free loopback port, by TLS where credentials are given, until the block ends."""
    with futures.ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[("grpc.max_send_message_length", -1)])
        tiny = TinyGoogle()
        server.add_generic_rpc_handlers([_Routes(tiny)])
        add = server.add_insecure_port if credentials is None else _secured(server, credentials)
        tiny.port = add("127.0.0.1:0")
        server.start()
        yield tiny
        server.stop(0).wait()


def _secured(server: grpc.Server, credentials: grpc.ServerCredentials) -> Callable[[str], int]:
    def add(address: str) -> int:
        return int(server.add_secure_port(address, credentials))

    return add
