"""What Google said of destroyed permissions: kept with their tombstones, so that a restored backup says it, too."""

from sqlalchemy import update

from models.data_key import Tombstone
from models.session import Store

GRANT = "grant"


class Outcomes:
    """The outcomes in a keyring store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, grant_id: str) -> str | None:
        """What is known of a grant; None where nothing is, or where it is not buried."""
        with self._store.reading() as session:
            found = session.get(Tombstone, (GRANT, grant_id))
            return None if found is None else found.google

    def keep(self, grant_id: str, google: str) -> str:
        """Keep an outcome, once: what is kept from now on. A second answer of Google's says less than the first."""
        first = update(Tombstone).where(
            Tombstone.object_kind == GRANT, Tombstone.object_id == grant_id, Tombstone.google.is_(None)
        )
        with self._store.transaction() as session:
            session.execute(first.values(google=google))
        return self.of(grant_id) or google
