"""What was purged stays unreadable: no backup of the data with any copy of the keyring and today's key opens it.

Epochs are rotations of the key-encryption key: a copy of the keyring that is older than a purge holds the purged
data key, wrapped under a version that the first rotation after the purge destroys.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.data_key import DataKey
from models.errors import DataKeyGone, KekUnusable, SealBroken
from models.kek_file import FileKek, create_file, read_file
from models.keyring import OUTBOX, SYSTEM, Keyring, Owner, Sealer
from models.rotation import rotation_of
from models.sealed import Place, Sealed
from models.session import Store
from tests.clock import NOON
from tests.migrated import SqliteTemplates
from tests.models.bench import Monotonic

TENANTS = [f"tenant-{number}" for number in range(20)]
SECRET = b"what a customer trusted us with"


@dataclass
class World:
    """A keyring with everything that was ever written of it and under it."""

    folder: Path
    store: Store
    live: set[Owner] = field(default_factory=set)
    purged: set[Owner] = field(default_factory=set)
    artefacts: list[tuple[Owner, Place, Sealed]] = field(default_factory=list)
    copies: list[list[DataKey]] = field(default_factory=list)

    @property
    def kek(self) -> FileKek:
        return read_file(self.folder / "kek.json", os.urandom)

    def keyring(self) -> Keyring:
        return Keyring(self.store, self.kek, os.urandom, Monotonic())

    def add(self, tenant: str) -> None:
        """The tenant is linked once more, and something is sealed and backed up."""
        owner = Owner("link", f"{tenant}/{len(self.artefacts)}")
        place = Place(tenant, "readings", "value", owner.id)
        self.artefacts.append((owner, place, self.keyring().create(owner, tenant, NOON).seal(place, SECRET)))
        self.live.add(owner)

    def copy(self) -> None:
        """Somebody keeps a copy of the keyring, against all advice."""
        with self.store.reading() as session:
            self.copies.append(list(session.scalars(select(DataKey))))

    def purge(self, tenant: str) -> None:
        gone = {owner for owner in self.live if owner.id.startswith(f"{tenant}/")}
        self.keyring().destroy(sorted(gone, key=lambda owner: owner.id), tenant, NOON)
        self.live, self.purged = self.live - gone, self.purged | gone

    def rotate(self) -> None:
        kek = self.kek
        rotation_of(self.store, Keyring(self.store, kek, os.urandom, Monotonic()), kek, None).run()

    def opened_by_anything(self) -> set[Owner]:
        """Whose secrets open with any kept copy of any data key and any key-encryption key there is now."""
        kek, found = self.kek, set()
        for row in (row for copy in self.copies for row in copy):
            for version in kek.versions:
                sealer = self._sealer(kek, row, version)
                if sealer is not None:
                    found |= {owner for owner, place, box in self.artefacts if _opens(sealer, place, box)}
        return found

    def _sealer(self, kek: FileKek, row: DataKey, version: int) -> Sealer | None:
        context = f"ga-sync data key|{row.owner_kind}|{row.owner_id}|{row.customer_id}".encode()
        try:
            return Sealer(row.dek_id, kek.unwrap(version, row.wrapped, context), os.urandom)
        except KekUnusable:
            return None


def _opens(sealer: Sealer, place: Place, box: Sealed) -> bool:
    try:
        return sealer.open(place, box) == SECRET
    except SealBroken:
        return False


ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "add", "add", "purge"]), st.sampled_from(TENANTS)),
        st.sampled_from([("copy",), ("rotate",)]),
    ),
    max_size=25,
)


def test_no_backup_no_copy_and_no_key_of_today_opens_what_was_purged(
    sqlite_templates: SqliteTemplates,
) -> None:
    @settings(max_examples=30, deadline=None, database=None)
    @given(ACTS)
    def check(acts: list[tuple[str, ...]]) -> None:
        with TemporaryDirectory() as name:
            folder = Path(name)
            store = Store(sqlite_templates.pair(folder).keyring)
            create_file(folder / "kek.json", os.urandom)
            world = World(folder, store)
            world.keyring().initialise(NOON)
            for act, *of in acts:
                getattr(world, act)(*of)
            world.copy()
            world.rotate()
            world.copy()
            assert not world.opened_by_anything() & world.purged
            assert world.opened_by_anything() == world.live
            store.close()

    check()


def test_before_the_next_epoch_only_a_forbidden_copy_of_the_keyring_opens_it(
    sqlite_templates: SqliteTemplates, tmp_path: Path
) -> None:
    """What the backup rules are for: of the keyring only the newest copy is kept, and the file says so."""
    store = Store(sqlite_templates.pair(tmp_path).keyring)
    create_file(tmp_path / "kek.json", os.urandom)
    world = World(tmp_path, store)
    world.keyring().initialise(NOON)
    world.add("tenant-1")
    world.copy()
    world.purge("tenant-1")
    assert world.opened_by_anything() == world.purged
    world.copies.clear()
    world.copy()
    assert world.opened_by_anything() == set()
    with pytest.raises(DataKeyGone):
        world.keyring().sealer(next(iter(world.purged)))
    assert {row.owner_id for row in world.copies[0]} == {SYSTEM.id, OUTBOX.id}
    store.close()


def test_the_wrapped_keys_of_the_purged_are_in_no_file(
    sqlite_templates: SqliteTemplates, tmp_path: Path
) -> None:
    store = Store(sqlite_templates.pair(tmp_path).keyring)
    create_file(tmp_path / "kek.json", os.urandom)
    world = World(tmp_path, store)
    world.keyring().initialise(NOON)
    for tenant in TENANTS:
        world.add(tenant)
    world.copy()
    for tenant in TENANTS[:6]:
        world.purge(tenant)
    world.rotate()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    kept = [row.owner_id for row in world.copies[0] if row.wrapped in raw]
    assert kept == []
    store.close()
