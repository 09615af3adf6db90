"""Changing the key-encryption key while everything runs.

1. The new version is there, and every process can load it (a file is read again by itself).
2. The keyring names it primary: new data keys are wrapped under it.
3. Each data key is unwrapped and wrapped anew, row by row, by compare-and-swap.
4. No row is under another version, counted twice: the old versions are destroyed.

Whoever is killed anywhere begins again: what is done is seen, and the rest is done. Two at once do the same work.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.data_key import DataKey
from models.errors import KekUnusable
from models.kek import Kek
from models.kek_chain import KekChain
from models.kek_file import FileKek
from models.keyring import Keyring, Owner
from models.meta import KEK_PRIMARY, KEK_ROTATING, KeyringFact
from models.session import Store

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: the version in use, how many data keys were wrapped anew, which versions were destroyed."""

    version: int
    rewrapped: int
    destroyed: list[int]


class Rotation:
    """Rotates the key-encryption key of one keyring."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        kek: Kek,
        *,
        after: Callable[[int], int],
        keep_only: Callable[[int], list[int]],
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        """Rotate to another version.

        Args:
            store: the keyring store.
            keyring: the keyring in it.
            kek: the key-encryption key, with all its versions.
            after: gives the version to go to from this one; makes it, durably, where it is not there yet.
            keep_only: destroys every version but one; gives their numbers.
            progress: told how many data keys are done, and how many there are.
        """
        self._store, self._keyring, self._kek = store, keyring, kek
        self._after, self._keep_only, self._progress = after, keep_only, progress

    def run(self) -> Rotated:
        """Rotate once, or finish the rotation that was begun.

        Raises:
            KekUnusable: a key is absent or does not open what it should.
        """
        version = self._begin()
        rewrapped = 0
        while self._left(version) or self._left(version):  # a row may come in between the two counts
            rewrapped += self._rewrap_all(version)
        destroyed = self._end(version)
        self._store.checkpoint()
        return Rotated(version, rewrapped, destroyed)

    def _begin(self) -> int:
        """The version to go to, named primary in the keyring before anything is wrapped under it."""
        with self._store.transaction() as session:
            self._keyring.take_turns(session)
            if under_way := _fact(session, KEK_ROTATING):
                return int(under_way)
            known = int(_fact(session, KEK_PRIMARY) or self._kek.primary)
            version = self._after(known)
            self._kek.wrap(bytes(32), b"ga-sync rotation", version)  # it works, before anything depends on it
            _set_fact(session, KEK_PRIMARY, str(version))
            _set_fact(session, KEK_ROTATING, str(version))
            return version

    def _end(self, version: int) -> list[int]:
        """Destroy the old versions, unless somebody has begun to rotate once more."""
        with self._store.transaction() as session:
            self._keyring.take_turns(session)
            if _fact(session, KEK_PRIMARY) != str(version):
                return []
            destroyed = self._keep_only(version)
            _set_fact(session, KEK_ROTATING, "")
            return destroyed

    def _left(self, version: int) -> int:
        with self._store.reading() as session:
            query = select(func.count()).select_from(DataKey).where(DataKey.kek_version != version)
            return session.scalar(query) or 0

    def _rewrap_all(self, version: int) -> int:
        total, done = self._left(version), 0
        while rows := self._next(version):
            for row in rows:
                done += self._rewrap(row, version)
            self._progress(done, total)
        return done

    def _next(self, version: int) -> list[DataKey]:
        with self._store.reading() as session:
            query = select(DataKey).where(DataKey.kek_version != version).order_by(DataKey.dek_id)
            return list(session.scalars(query.limit(_BATCH)))

    def _rewrap(self, row: DataKey, version: int) -> bool:
        """Wrap one data key anew; False where somebody else did, or destroyed it, meanwhile."""
        owner = Owner(row.owner_kind, row.owner_id)
        new_version, wrapped = self._keyring.rewrapped(owner, row, version)
        change = (
            update(DataKey)
            .where(DataKey.dek_id == row.dek_id, DataKey.wrapped == row.wrapped)
            .values(wrapped=wrapped, kek_version=new_version)
            .returning(DataKey.dek_id)
        )
        with self._store.transaction() as session:
            return session.scalar(change) is not None


def versions_in_use(session: Session) -> dict[int, int]:
    """How many data keys are wrapped under each version."""
    query = select(DataKey.kek_version, func.count()).group_by(DataKey.kek_version)
    return {int(version): int(count) for version, count in session.execute(query)}


def rotation_of(
    store: Store,
    keyring: Keyring,
    current: Kek,
    following: Kek | None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rotation:
    """The rotation from the key in use to the next: of a file to a new version in it, of others to the next key.

    Raises:
        KekUnusable: no next key is named, and a new one cannot be made here.
    """
    if following is not None:
        chain, version = KekChain([current, following]), following.primary
        return Rotation(
            store,
            keyring,
            chain,
            after=lambda _: version,
            keep_only=lambda _: [],  # its owner destroys it where it was made
            progress=progress,
        )
    if not isinstance(current, FileKek):
        raise KekUnusable(
            f"{current.describe()} cannot be changed from here: make a new key, set GA_SYNC_KEK_NEXT to it in "
            "every process, restart them, and rotate then"
        )
    return Rotation(
        store,
        keyring,
        current,
        after=current.after,
        keep_only=current.keep_only,
        progress=progress,
    )


def _fact(session: Session, name: str) -> str:
    fact = session.get(KeyringFact, name)
    return "" if fact is None else fact.value


def _set_fact(session: Session, name: str, value: str) -> None:
    session.merge(KeyringFact(name=name, value=value))
