"""How many messages each data key has sealed: counted in the keyring store before they are sealed, and bounded.

A key may seal 2^32 messages under random 96-bit nonces (NIST SP 800-38D, section 8.3): up to there, two equal ones are
less likely than one in 2^32. A message is a chunk. The count is the data key's; each column has a key of its own.

A process counts a block of messages at once and uses it up in memory; what is left of it when the process ends stays
counted. A copy of the process (a fork, a snapshot of its machine) has the same block, and the nonces' randomness alone.
"""

import threading
from collections.abc import Callable
from contextvars import Context
from typing import NoReturn

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.data_key import DataKey
from models.errors import DataKeyGone, DataKeySpent
from models.session import Store

Count = Callable[[int, int], object]
LIMIT = 1 << 32
BLOCK = 1024
"""About a month of a link's; and a process may start four million times before what it leaves uses a key up."""

_REMEDIES = {
    "grant": "revoke it and ask for consent anew",
    "link": "remove it and link the property anew",
}


def remedy(owner_kind: str) -> str:
    """What to do about a key that has sealed as much as it may, or soon will have."""
    return _REMEDIES.get(owner_kind, "begin a new keyring and link anew")


class Messages:
    """The messages sealed under the data keys of one keyring store."""

    def __init__(self, store: Store, limit: int = LIMIT, block: int = BLOCK) -> None:
        """At most ``limit`` messages a key, counted ``block`` at a time."""
        self._store, self._limit, self._block = store, limit, block
        self._left: dict[int, int] = {}
        self._lock = threading.Lock()

    def take(self, dek_id: int, messages: int) -> None:
        """Count messages that are about to be sealed; asks the store once in a block.

        Never called inside a transaction of the keyring store: on SQLite it would wait for itself.

        Raises:
            DataKeySpent: the key may not seal so many more.
            DataKeyGone: the key was destroyed.
        """
        with self._lock:
            left = self._left.get(dek_id, 0) - messages
            if left >= 0:
                self._left[dek_id] = left
                return
        # Not under the lock: the store may wait for another writer, and whoever has messages left waits for nobody.
        more = max(self._block, messages)
        # For everybody: a customer's request seals under keys of the system, too.
        Context().run(self._count, dek_id, more)
        with self._lock:
            self._left[dek_id] = self._left.get(dek_id, 0) + more - messages

    def beyond_half(self) -> list[tuple[str, str, int]]:
        """Kind and id of the owners whose keys have sealed over half of what they may, and how many messages."""
        much = DataKey.messages > self._limit // 2
        with self._store.reading() as session:
            return [
                (key.owner_kind, key.owner_id, key.messages)
                for key in session.scalars(select(DataKey).where(much))
            ]

    def _count(self, dek_id: int, more: int) -> None:
        change = (
            update(DataKey)
            .where(DataKey.dek_id == dek_id, DataKey.messages + more <= self._limit)
            .values(messages=DataKey.messages + more)
            .returning(DataKey.dek_id)
        )
        with self._store.transaction() as session:
            if session.scalar(change) is None:
                self._refuse(session, dek_id)

    def _refuse(self, session: Session, dek_id: int) -> NoReturn:
        key = session.get(DataKey, dek_id)
        if key is None:
            raise DataKeyGone(f"data key {dek_id} was destroyed: nothing is sealed under it any more")
        raise DataKeySpent(
            f"the key of {key.owner_kind} {key.owner_id} has sealed all the {self._limit} messages that a key may; "
            f"what it sealed opens as before. For a new key, {remedy(key.owner_kind)}"
        )
