"""INSERT … ON CONFLICT: SQLite and PostgreSQL mean the same by it, and SQLAlchemy has it once for each."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert_into(session: Session, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ``on_conflict_do_nothing`` and ``on_conflict_do_update`` on the session's database."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
