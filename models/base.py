"""The two declarative bases (data, keyring) and the column types they share."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, LargeBinary, MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from models.sealed import Sealed

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant; naive values are refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Normalise to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must carry its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """SQLite gives naive values back: they are UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class SealedBytes(TypeDecorator[Sealed]):
    """A column of ciphertext: wraps bytes in a box and never opens it."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sealed | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """Only a box goes in: a plain value is a programming error."""
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError("only sealed values may be stored in a sealed column")
        return value.ciphertext

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Sealed | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Give the ciphertext back in its box."""
        return None if value is None else Sealed(bytes(value))


class DataBase(DeclarativeBase):
    """Every table of the data store."""

    metadata = MetaData(naming_convention=NAMING)


class KeyringBase(DeclarativeBase):
    """Every table of the keyring store, which lives apart from the data and its backups."""

    metadata = MetaData(naming_convention=NAMING)
