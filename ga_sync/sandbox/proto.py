"""Names for what has no static type: raw protobuf messages and grpc's objects, and the JSON side of protobuf."""

from typing import Any, TypeAlias

from google.protobuf import any_pb2, json_format

Message: TypeAlias = Any  # a raw protobuf message (not the proto-plus wrapper), or a class of such
Grpc: TypeAlias = Any  # a server, context or handler of grpc

__all__ = ["Grpc", "Message", "any_pb2", "json_format"]
