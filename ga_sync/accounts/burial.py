"""People and API keys that are gone stay gone: destroyed with their customer, and again after a restored backup."""

from collections.abc import Callable, Iterable
from datetime import datetime

from ga_sync.accounts import key_store, user_store
from ga_sync.accounts.users import DISABLED, USER
from models.audit import append
from models.keyring import Keyring, Owner
from models.session import Store

API_KEY = "api_key"


class Burial:
    """Destroys accounts for good, and applies the tombstones of accounts and API keys."""

    def __init__(self, data: Store, keyring: Keyring, *, clock: Callable[[], datetime]) -> None:
        self._data, self._keyring, self._clock = data, keyring, clock

    def people_of(self, customer_id: str, actor: str) -> None:
        """Destroy every account of a customer: first the keys of their addresses, then the rows. Safe to repeat."""
        with self._data.reading() as session:
            user_ids = [row.user_id for row in user_store.of_customer(session, customer_id)]
        if not user_ids:
            return
        now = self._clock()
        self._keyring.destroy([Owner(USER, one) for one in user_ids], customer_id, now)
        with self._data.transaction() as session:
            user_store.remove(session, user_ids)
            for user_id in user_ids:
                append(session, now, actor, "user.remove", user_id, customer_id)
        self._data.checkpoint()

    def key(self, key_id: str, customer_id: str) -> None:
        """A tombstone for an API key: no restored backup lets it in again."""
        self._keyring.destroy([Owner(API_KEY, key_id)], customer_id, self._clock())

    def again(self) -> None:
        """Let a restored backup learn which accounts are destroyed or disabled, and which API keys are revoked."""
        buried = self._keyring.buried()
        with self._data.transaction() as session:
            user_store.remove(session, user_store.present_among(session, _ids(buried, USER)))
            disabled = user_store.enabled_among(session, _ids(buried, DISABLED))
            user_store.disable(session, disabled, self._clock())
            key_store.revoke(session, _ids(buried, API_KEY), self._clock())


def _ids(buried: Iterable[Owner], kind: str) -> list[str]:
    return [owner.id for owner in buried if owner.kind == kind]
