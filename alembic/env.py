"""Alembic's entry: one chain of versions per store, run on the connection that the caller hands over."""

from typing import Any

from alembic import context
from models.base import SealedBytes, UtcDateTime
from models.tables import DataBase, KeyringBase


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Write our column types with their import."""
    if kind == "type" and isinstance(item, (UtcDateTime, SealedBytes)):
        autogen_context.imports.add("import models.base")
        return f"models.base.{type(item).__name__}()"
    return False


attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=(KeyringBase if attributes["kind"] == "keyring" else DataBase).metadata,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
