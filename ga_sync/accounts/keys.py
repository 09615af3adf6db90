"""API keys: ``gas_<id>.<secret>``, 160 random bits, stored as SHA-256, shown once."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from ga_sync.accounts import key_store
from ga_sync.accounts.errors import Forbidden, Invalid, NotFound, Unauthenticated
from ga_sync.accounts.key_store import HeldKey
from ga_sync.accounts.names import check_customer
from models.api_key import ANY_CUSTOMER, ApiKey
from models.audit import append
from models.session import Store

PREFIX = "gas_"
ROLES = ("admin", "console", "store")
_KEY_ID = re.compile(r"[a-z2-7]{1,24}")
_TOUCH_EVERY = timedelta(minutes=10)
LONGEST_LIFE = timedelta(days=3660)


class Principal(NamedTuple):
    """Who asks: a key with its role, for one customer or for all of them."""

    key_id: str
    role: str
    customer_id: str

    def require_role(self, *roles: str) -> None:
        """Raises Forbidden unless the role is one of ``roles``; an administrator may do everything."""
        if self.role != "admin" and self.role not in roles:
            raise Forbidden(f"this key's role is {self.role}; this call needs {' or '.join(roles)}")

    def may_see(self, customer_id: str) -> bool:
        """Whether this key speaks for the customer."""
        return self.customer_id in {ANY_CUSTOMER, customer_id}

    def require_customer(self, customer_id: str) -> None:
        """Raises NotFound for a customer that is not this key's, as if it did not exist."""
        if not self.may_see(customer_id):
            raise NotFound("there is no such customer for this key")


def id_of(text: str | None) -> str | None:
    """The id in an API key; None for what cannot be one."""
    key_id = (text or "").removeprefix(PREFIX).partition(".")[0]
    return key_id if _KEY_ID.fullmatch(key_id) else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


class Keys:
    """Makes, checks and revokes API keys."""

    def __init__(
        self,
        data: Store,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        bury: Callable[[str, str], object] = lambda _key_id, _customer_id: None,
    ) -> None:
        """Keys of ``data``; ``bury`` is told a revoked key and its customer, before, so that no backup revives it."""
        self._data, self._clock, self._random, self._bury = data, clock, random, bury

    def create(self, role: str, customer_id: str, actor: str, lives: timedelta | None = None) -> str:
        """A new key, in full, for the only time; it ends by itself after ``lives``, where that is given.

        Raises:
            Invalid: unknown role, malformed customer, an administrator's key bound to one customer, or no life at all.
        """
        if lives is not None and not timedelta(0) < lives <= LONGEST_LIFE:
            raise Invalid(f"a key lives at least a day and at most {LONGEST_LIFE.days} days")
        if role not in ROLES:
            raise Invalid(f"role must be one of {', '.join(ROLES)}")
        if role == "admin" and customer_id != ANY_CUSTOMER:
            raise Invalid("an admin key is for every customer: use --customer '*'")
        if customer_id != ANY_CUSTOMER:
            check_customer(customer_id)
        key_id, secret = _text(self._random(10)), _text(self._random(20))
        now = self._clock()
        with self._data.transaction() as session:
            session.add(
                ApiKey(
                    key_id=key_id,
                    secret_hash=_hash(secret),
                    role=role,
                    customer_id=customer_id,
                    created_at=now,
                    expires_at=None if lives is None else now + lives,
                )
            )
            append(session, now, actor, "key.create", key_id, customer_id)
        return f"{PREFIX}{key_id}.{secret}"

    def authenticate(self, session: Session, text: str | None) -> Principal:
        """Whose key this is.

        Raises:
            Unauthenticated: nobody's; the same words and the same work whatever is wrong with it.
        """
        key_id = id_of(text)
        return self.judge(None if key_id is None else key_store.key(session, key_id), text)

    def judge(self, row: HeldKey | None, text: str | None) -> Principal:
        """Whose key this is, ``row`` being what is held under its id; as :meth:`authenticate`."""
        secret = (text or "").partition(".")[2]
        expected = row.secret_hash if row is not None else b"\0" * 32
        matches = hmac.compare_digest(_hash(secret), expected)
        ended = row is None or row.revoked_at is not None or self._is_over(row)
        if row is None or ended or not matches or not (text or "").startswith(PREFIX):
            raise Unauthenticated("send a valid API key: Authorization: Bearer gas_…")
        return Principal(row.key_id, row.role, row.customer_id)

    def _is_over(self, row: HeldKey) -> bool:
        return row.expires_at is not None and row.expires_at <= self._clock()

    def touch(self, key_id: str) -> None:
        """Remember that a key was used, at most every ten minutes."""
        now = self._clock()
        with self._data.reading() as session:
            row = session.get(ApiKey, key_id)
            if row is None or (row.last_used_at is not None and row.last_used_at > now - _TOUCH_EVERY):
                return
        with self._data.transaction() as session:
            key_store.touch(session, key_id, now)

    def revoke(self, key_id: str, actor: str) -> None:
        """End a key at once. Raises NotFound for an unknown id."""
        with self._data.reading() as session:
            found = session.get(ApiKey, key_id.removeprefix(PREFIX))
        if found is None:
            raise NotFound("there is no such key; see `ga-sync key list`")
        self._bury(found.key_id, found.customer_id)
        with self._data.transaction() as session:
            row = session.get_one(ApiKey, found.key_id)
            row.revoked_at = row.revoked_at or self._clock()
            append(session, self._clock(), actor, "key.revoke", row.key_id, row.customer_id)

    def listed(self) -> list[ApiKey]:
        """Every key, newest first; never a secret."""
        with self._data.reading() as session:
            return key_store.listed(session)
