"""What must stay forgotten, link by link: in the keyring store, so that no restored data backup brings it back.

The entries of a link are keyed hashes under the link's key and are deleted with it (:meth:`Keyring.destroy`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.data_key import Tombstone
from models.errors import DataKeyGone
from models.forget import Forget
from models.session import Store

LINK = "link"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Everything that one link has to forget.

    Attributes:
        references: HMAC-SHA256 of each id under the link's key; it decides.
        lookups: 8-byte keyed hash of each id, with the number of its form; it finds candidates.
    """

    references: frozenset[bytes]
    lookups: frozenset[bytes]

    def __len__(self) -> int:
        return len(self.references)


class Forgets:
    """The forgets in a keyring store."""

    def __init__(self, store: Store, take_turns: Callable[[Session], None]) -> None:
        self._store, self._take_turns = store, take_turns

    def remember(
        self, link_id: str, customer_id: str, entries: Iterable[tuple[bytes, bytes]], now: datetime
    ) -> None:
        """Add (reference, lookup) pairs; those that are there stay as they are.

        Raises:
            DataKeyGone: the link was removed; there is nothing left to forget.
        """
        wanted = dict(entries)
        with self._store.transaction() as session:
            self._take_turns(session)
            if session.get(Tombstone, (LINK, link_id)) is not None:
                raise DataKeyGone(f"the key of {LINK} {link_id} was destroyed")
            for reference in _known(session, link_id, list(wanted)):
                del wanted[reference]
            session.add_all(
                Forget(
                    link_id=link_id,
                    reference=reference,
                    lookup=lookup,
                    customer_id=customer_id,
                    forgotten_at=now,
                )
                for reference, lookup in wanted.items()
            )

    def of(self, link_id: str) -> Forgotten:
        """Everything that a link has to forget."""
        with self._store.reading() as session:
            rows = session.execute(
                select(Forget.reference, Forget.lookup).where(Forget.link_id == link_id)
            ).all()
        return Forgotten(
            frozenset(bytes(reference) for reference, _ in rows),
            frozenset(bytes(lookup) for _, lookup in rows),
        )

    def counts(self) -> dict[str, int]:
        """How many entries each link has that has any."""
        with self._store.reading() as session:
            rows = session.execute(select(Forget.link_id, func.count()).group_by(Forget.link_id))
            return {str(link_id): int(count) for link_id, count in rows}


def _known(session: Session, link_id: str, references: list[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(references), _AT_ONCE):
        some = references[start : start + _AT_ONCE]
        query = select(Forget.reference).where(Forget.link_id == link_id, Forget.reference.in_(some))
        found += [bytes(reference) for reference in session.scalars(query)]
    return found
