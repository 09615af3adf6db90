"""The HTTP reference as a page: every call with its fields, from the OpenAPI document and the table in docs/http.md."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from ga_sync import bootstrap, settings
from ga_sync.web.app import create_app

Document = Mapping[str, Any]
ROOT = Path(__file__).parents[2]
INTRODUCTION = """# Every field

Made from `/openapi.json` of this version. What objects, filters and problems mean stands in [HTTP](http.md).
In bodies no other member is taken.

"""
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters at most",
    "minItems": "{} or more",
    "maxItems": "{} at most",
    "pattern": "`{}`",
    "default": "{} unless given",
    "description": "{}",
}


def document() -> Document:
    """What `/openapi.json` answers, of a service over two empty databases."""
    with tempfile.TemporaryDirectory() as folder:
        values = settings.load(_env_file=None, data_dir=Path(folder))
        bootstrap.init_keyring(values)
        stores = bootstrap.open_stores(values)
        stores.upgrade()
        stores.close()
        with (
            bootstrap.Service(values, google=False) as service,
            TestClient(create_app(service)) as client,
        ):
            found: Document = client.get("/openapi.json").raise_for_status().json()
    return found


def told(page: str) -> dict[str, tuple[str, str]]:
    """Call → role and what it answers, as the tables of docs/http.md say."""
    rows = re.findall(r"^\| `([A-Z]+ [^`?]+)` \| (\S[^|]*) \| (.+) \|$", page, re.MULTILINE)
    return {call: (role, answers) for call, role, answers in rows}


def reference(described: Document, page: str) -> str:
    """Write the page."""
    known = told(page)
    return INTRODUCTION + "\n".join(
        line
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        for line in _call(f"{method.upper()} {path}", operation, described, known)
    )


def _call(
    call: str, operation: Document, described: Document, known: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    yield f"## `{call}`\n"
    if call in known:
        role, answers = known[call]
        yield f"Role: {role}.\n\n{answers}\n"
    parameters = [
        (one["name"], one["in"], bool(one.get("required")), one["schema"])
        for one in operation.get("parameters", [])
    ]
    parameters += _body(operation, described)
    if parameters:
        yield "| name | in | | type | |\n|---|---|---|---|---|"
        for name, place, required, schema in parameters:
            needed = "required" if required else ""
            yield f"| `{name}` | {place} | {needed} | {_type(schema)} | {_limits(schema)} |"
        yield ""


def _body(operation: Document, described: Document) -> list[tuple[str, str, bool, Document]]:
    content = operation.get("requestBody", {}).get("content", {})
    found = []
    for one in content.values():
        schema = _resolved(one["schema"], described)
        required = set(schema.get("required", []))
        found += [
            (name, "body", name in required, member) for name, member in schema.get("properties", {}).items()
        ]
    return found


def _resolved(schema: Document, described: Document) -> Document:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Document = described["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _type(schema: Document) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(dict.fromkeys(map(_type, choices)))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return str(schema.get("format") or (kind if isinstance(kind, str) else " or ".join(kind)))


def _limits(schema: Document) -> str:
    said = [
        words.format(f"{schema[name]:g}" if isinstance(schema[name], float) else schema[name])
        for name, words in LIMITS.items()
        if schema.get(name) is not None
    ]
    said += [f"each {_limits(one)}" for one in [schema.get("items")] if one and _limits(one)]
    return "; ".join(said).replace("|", "\\|")
