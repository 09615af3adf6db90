"""API keys: ``gas_<id>.<secret>``, 160 random bits, stored as SHA-256, shown once."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.accounts.errors import Forbidden, Invalid, NotFound, Unauthenticated
from ga_sync.accounts.names import check_customer
from models.api_key import ANY_CUSTOMER, ApiKey
from models.audit import append
from models.session import Store

PREFIX = "gas_"
ROLES = ("admin", "console", "store")
_KEY_ID = re.compile(r"[a-z2-7]{1,24}")
_TOUCH_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Principal:
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


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


class Keys:
    """Makes, checks and revokes API keys."""

    def __init__(self, data: Store, clock: Callable[[], datetime], random: Callable[[int], bytes]) -> None:
        self._data, self._clock, self._random = data, clock, random

    def create(self, role: str, customer_id: str, actor: str) -> str:
        """A new key, in full, for the only time.

        Raises:
            Invalid: unknown role, malformed customer, or an administrator's key bound to one customer.
        """
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
                )
            )
            append(session, now, actor, "key.create", key_id, customer_id)
        return f"{PREFIX}{key_id}.{secret}"

    def authenticate(self, session: Session, text: str | None) -> Principal:
        """Whose key this is.

        Raises:
            Unauthenticated: nobody's; the same words and the same work whatever is wrong with it.
        """
        key_id, _, secret = (text or "").removeprefix(PREFIX).partition(".")
        row = session.get(ApiKey, key_id) if _KEY_ID.fullmatch(key_id) else None
        expected = row.secret_hash if row is not None else b"\0" * 32
        matches = hmac.compare_digest(_hash(secret), expected)
        if row is None or not matches or row.revoked_at is not None or not (text or "").startswith(PREFIX):
            raise Unauthenticated("send a valid API key: Authorization: Bearer gas_…")
        return Principal(row.key_id, row.role, row.customer_id)

    def touch(self, key_id: str) -> None:
        """Remember that a key was used, at most every ten minutes."""
        now = self._clock()
        with self._data.reading() as session:
            row = session.get(ApiKey, key_id)
            if row is None or (row.last_used_at is not None and row.last_used_at > now - _TOUCH_EVERY):
                return
        with self._data.transaction() as session:
            store.touch_key(session, key_id, now)

    def revoke(self, key_id: str, actor: str) -> None:
        """End a key at once. Raises NotFound for an unknown id."""
        with self._data.transaction() as session:
            row = session.get(ApiKey, key_id.removeprefix(PREFIX))
            if row is None:
                raise NotFound("there is no such key; see `ga-sync key list`")
            row.revoked_at = row.revoked_at or self._clock()
            append(session, self._clock(), actor, "key.revoke", row.key_id, row.customer_id)

    def listed(self) -> list[ApiKey]:
        """Every key, newest first; never a secret."""
        with self._data.reading() as session:
            return store.keys(session)
