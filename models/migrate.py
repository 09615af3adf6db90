"""Bring a store to the newest schema with Alembic, and tell whether it is there.

The scripts are ``alembic/`` in a checkout and ``ga_sync/migrations`` in an installed wheel; the caller says where.
"""

from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from alembic import command
from models.errors import StoreNotReady
from models.session import Store

Kind = Literal["data", "keyring"]


def _config(scripts: Path, kind: Kind) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("version_locations", str(scripts / "versions" / kind))
    config.set_main_option("path_separator", "os")
    config.attributes["kind"] = kind
    return config


def upgrade(store: Store, scripts: Path, kind: Kind) -> None:
    """Apply every migration that is missing; nothing happens where none is."""
    config = _config(scripts, kind)
    with store.engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(store: Store, scripts: Path, kind: Kind) -> None:
    """Refuse a store that is not at the newest schema.

    Raises:
        StoreNotReady: it is empty, behind, or ahead (a newer version wrote it).
    """
    head = ScriptDirectory.from_config(_config(scripts, kind)).get_current_head()
    with store.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != head:
        raise StoreNotReady(f"the {kind} store is not at this version's schema: run `ga-sync db upgrade`")
