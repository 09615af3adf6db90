"""How far the data store had come: kept with each data key, so that what is put back to an older state is noticed.

A floor is raised after the data's transaction has committed and before anybody relies on it, so it may lag, and never
leads: who finds the data below it has another data store before them than there was, an older row or a restored backup.
It goes with its key.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, select, update

from models.data_key import DataKey
from models.session import Store


class Floors:
    """The floors in a keyring store; an owner is (kind, id)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reached: dict[tuple[str, str], int] = {}

    def of(self, kind: str, owner_id: str) -> int:
        """How far an owner's data have come at least; 0 where nothing is known, or its key is gone."""
        with self._store.reading() as session:
            return session.scalar(select(DataKey.floor).where(_is(kind, owner_id))) or 0

    def rise(self, kind: str, owner_id: str, generation: int) -> None:
        """Note that a generation is committed; a lower one than is known changes nothing. One look a process."""
        if self._reached.get((kind, owner_id), 0) >= generation:
            return
        if self.of(kind, owner_id) < generation:
            with self._store.transaction() as session:
                higher = update(DataKey).where(_is(kind, owner_id), DataKey.floor < generation)
                session.execute(higher.values(floor=generation))
        self._reached[kind, owner_id] = generation

    def sink(self, kind: str, present: Mapping[str, int]) -> int:
        """Take what a restored data store holds for the newest there is; how many floors were lowered.

        ``present`` is owner → generation; an owner that is missing there has come nowhere.
        """
        with self._store.transaction() as session:
            rows = session.scalars(
                select(DataKey).where(DataKey.owner_kind == kind, DataKey.floor > 0).with_for_update()
            )
            above = [row for row in rows if row.floor > present.get(row.owner_id, 0)]
            for row in above:
                row.floor = present.get(row.owner_id, 0)
        self._reached.clear()
        return len(above)


def _is(kind: str, owner_id: str) -> ColumnElement[bool]:
    return and_(DataKey.owner_kind == kind, DataKey.owner_id == owner_id)
