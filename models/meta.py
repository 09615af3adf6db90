"""Facts about a store as a whole."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, KeyringBase

KEYRING_ID = "keyring_id"
SCHEMA_FLOOR = "schema_floor"
KEK_PRIMARY, KEK_ROTATING = "kek_primary", "kek_rotating"


class DataFact(DataBase):
    """A fact of the data store: above all which keyring it belongs to."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


class KeyringFact(KeyringBase):
    """A fact of the keyring store: its own id."""

    __tablename__ = "keyring_facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
