"""What the framework cannot know of our addresses, added to its OpenAPI document (pure).

Every refusal is a problem (RFC 9457); version 1 asks for a key; unknown members are refused; values have the limits
that their checks have. What depends on what is stored (a segment that the link has, a cursor that was issued) no
document can say: those are refused with 422 and a slug of their own.
"""

from collections.abc import Iterator
from typing import Any

from ga_sync.accounts.answers import MAX_LIMIT
from ga_sync.accounts.changes import MAX_LIMIT as MAX_CHANGES
from ga_sync.accounts.forgetting import MAX_FORGOTTEN
from ga_sync.accounts.names import LONGEST_ID, LONGEST_LABEL
from ga_sync.accounts.recordings import MAX_ASKED, MAX_CANDIDATES, MAX_EXPLAINED
from ga_sync.web.errors import PROBLEM, STATUS

Document = dict[str, Any]


def _one(name: str, schema: Document) -> Document:
    """An object with exactly this member."""
    return {
        "type": "object",
        "properties": {name: schema},
        "required": [name],
        "additionalProperties": False,
    }


def _ids(most: int) -> Document:
    return {"type": "array", "maxItems": most, "items": _RECORDING}


_CUSTOMER: Document = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
_DAY: Document = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_RECORDING: Document = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
_FILTERS: Document = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Filter"}}
SCHEMAS: Document = {
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "enum": [f"/problems/{slug}" for slug in STATUS]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What to do; it holds no secret."},
        },
    },
    "Filter": {
        "description": "At most 64 KiB, 16 deep, 256 nodes.",
        "oneOf": [
            _one("segment", {"type": "string", "minLength": 1}),
            _one("all", _FILTERS),
            _one("any", _FILTERS),
            _one("not", {"$ref": "#/components/schemas/Filter"}),
        ],
    },
}
_LIMITS: dict[tuple[str, str], Document] = {
    ("NewGrant", "customer_id"): _CUSTOMER,
    ("NewGrant", "return_url"): {
        "description": "Of an origin that the operator allows.",
        "oneOf": [{"type": "string", "format": "uri"}, {"type": "null"}],
    },
    ("NewLink", "property"): {"type": "string", "pattern": "^properties/[0-9]{1,20}$"},
    ("NewLink", "parameter_name"): {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,39}$"},
    ("Label", "label"): {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_LABEL},
    ("Query", "limit"): {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50},
    ("Candidate", "id"): _RECORDING,
    ("Match", "recording_ids"): _ids(MAX_CANDIDATES),
    ("Count", "recording_ids"): _ids(MAX_CANDIDATES),
    ("Asked", "recording_ids"): _ids(MAX_ASKED),
    ("Forgotten", "recording_ids"): _ids(MAX_FORGOTTEN),
    ("Explain", "recording_ids"): _ids(MAX_EXPLAINED),
}
_PARAMETERS: dict[str, Document] = {
    "customer_id": _CUSTOMER,
    "day": _DAY,
    "from": _DAY,
    "to": _DAY,
    "format": {"type": "string", "enum": ["ndjson", "arrow"], "default": "ndjson"},
}


def describe(document: Document, retention_days: int) -> Document:
    """The document with what is ours, where days are kept so long at most; it is changed in place."""
    components = document["components"]
    components["schemas"] |= SCHEMAS
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for name, schema in components["schemas"].items():
        if "properties" in schema and name != "Problem":
            _bound_body(name, schema, retention_days)
    one_list = [{"required": ["recording_ids"]}, {"required": ["recordings"]}]
    components["schemas"]["Match"]["oneOf"] = one_list
    for path, operation in _operations(document):
        _bound(operation)
        if path.endswith("/changes"):
            _parameter(operation, "limit")["schema"] |= {"minimum": 1, "maximum": MAX_CHANGES}
        if path.startswith("/v1/"):
            operation["security"] = [{"key": []}]
    ready = document["paths"]["/readyz"]["get"]["responses"]
    ready["503"] = {**ready["200"], "description": "It does not answer yet: see doctor"}
    return document


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _parameter(operation: Document, name: str) -> Document:
    return next(one for one in operation["parameters"] if one["name"] == name)


def _bound_body(name: str, schema: Document, retention_days: int) -> None:
    schema["additionalProperties"] = False
    for member, found in schema["properties"].items():
        if member == "filter":
            schema["properties"][member] = {"$ref": "#/components/schemas/Filter"}
        elif member == "retention_days":
            kept = {"type": "integer", "minimum": 1, "maximum": retention_days}
            left_out = name == "NewLink"
            schema["properties"][member] = {"oneOf": [kept, {"type": "null"}]} if left_out else kept
        else:
            schema["properties"][member] = _LIMITS.get((name, member), found)


def _bound(operation: Document) -> None:
    """A refusal of any status is a problem; a parameter has its limits, and none of an address is null."""
    refused = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"].pop("400", None)
    operation["responses"]["default"] = {"description": "A refusal, with what to do", "content": refused}
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _PARAMETERS.get(parameter["name"]) or _without_null(parameter["schema"])


def _without_null(schema: Document) -> Document:
    """In an address there is no null: a parameter is left out."""
    choices = [one for one in schema.get("oneOf", []) if one != {"type": "null"}]
    return choices[0] if len(choices) == 1 else schema
