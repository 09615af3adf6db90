"""Every SQL statement about API keys, and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from ga_sync.index.store import ASKED, AskedLink
from models.api_key import ApiKey
from models.link import Link
from models.look import Row

_AT_ONCE = 500


class HeldKey(NamedTuple):
    """An API key's row as far as it decides who asks; the fields are the columns' names."""

    key_id: str
    secret_hash: bytes
    role: str
    customer_id: str
    expires_at: datetime | None
    revoked_at: datetime | None


_KEYS, _LINKS = ApiKey.__table__, Link.__table__
_HELD = tuple(_KEYS.c[name] for name in HeldKey._fields)
_KEY = select(*_HELD).where(_KEYS.c.key_id == bindparam("key_id"))
KEY_AND_LINK = (
    select(*_HELD, *ASKED)
    .select_from(_KEYS.outerjoin(_LINKS, _LINKS.c.link_id == bindparam("link_id")))
    .where(_KEYS.c.key_id == bindparam("key_id"))
)
"""What :func:`key_and_link` is made of."""


def key(session: Session, key_id: str) -> HeldKey | None:
    """One API key, whether it is good or not."""
    row = session.execute(_KEY, {"key_id": key_id}).first()
    return None if row is None else HeldKey(*row)


def key_and_link(row: Row) -> tuple[HeldKey, AskedLink | None]:
    """One API key and one link, whosever and in whichever state, as they are at one moment."""
    held, asked = row[: len(_HELD)], row[len(_HELD) :]
    return HeldKey(*held), AskedLink(*asked) if asked[0] is not None else None


def listed(session: Session) -> list[ApiKey]:
    """Every API key, newest first."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.key_id)))


def touch(session: Session, key_id: str, now: datetime) -> None:
    """Note a key's use."""
    session.execute(update(ApiKey).where(ApiKey.key_id == key_id).values(last_used_at=now))


def revoke(session: Session, key_ids: Sequence[str], now: datetime) -> None:
    """End these keys, where they are not ended yet."""
    for start in range(0, len(key_ids), _AT_ONCE):
        some = key_ids[start : start + _AT_ONCE]
        session.execute(
            update(ApiKey).where(ApiKey.key_id.in_(some), ApiKey.revoked_at.is_(None)).values(revoked_at=now)
        )
