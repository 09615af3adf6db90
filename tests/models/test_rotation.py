"""Changing the key-encryption key: while everything runs, interrupted anywhere, by two at once."""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from models.data_key import DataKey
from models.errors import DataKeyGone, KekUnusable
from models.kek import Kek, read_env
from models.kek_chain import KekChain, open_chain, open_kek
from models.kek_file import FileKek, create_file, read_file
from models.keyring import SYSTEM, Keyring, Owner
from models.messages import BLOCK
from models.rotation import Rotated, Rotation, rotation_of, versions_in_use
from models.sealed import Place, Sealed
from models.session import Store
from tests.clock import NOON
from tests.models.bench import Monotonic
from tests.postgres import DatabaseUrls

PLACE = Place("acme", "links", "property", "l1")
ENVIRON = {name: base64.b64encode(name.encode() * 32).decode() for name in ("A", "B")}


@dataclass
class House:
    """A keyring under a key file, and what was sealed before it is rotated."""

    store: Store
    path: Path
    sealed: dict[Owner, Sealed]

    def keyring(self, kek: Kek | None = None) -> Keyring:
        """As a process that starts now has it."""
        return Keyring(self.store, kek or self.file(), os.urandom, Monotonic())

    def file(self) -> FileKek:
        return read_file(self.path, os.urandom)

    def rotation(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Rotation:
        kek = self.file()
        return rotation_of(self.store, self.keyring(kek), kek, None, progress)

    def versions(self) -> dict[int, int]:
        with self.store.reading() as session:
            return versions_in_use(session)

    def opens(self, keyring: Keyring) -> bool:
        """Whether everything sealed before still opens."""
        return all(
            keyring.sealer(owner).open(PLACE, box) == owner.id.encode() for owner, box in self.sealed.items()
        )


@pytest.fixture
def house(migrated_urls: DatabaseUrls, tmp_path: Path) -> Iterator[House]:
    store = Store(migrated_urls.keyring)
    house = House(store, tmp_path / "kek.json", {})
    create_file(house.path, os.urandom)
    keyring = house.keyring()
    keyring.initialise(NOON)
    for number in range(5):
        owner = Owner("link", f"l{number}")
        house.sealed[owner] = keyring.create(owner, "acme", NOON).seal(PLACE, owner.id.encode())
    yield house
    store.close()


def test_a_rotation_wraps_every_data_key_anew_and_destroys_the_old_version(house: House) -> None:
    told: list[tuple[int, int]] = []
    old_file = house.path.read_bytes()
    done = house.rotation(lambda some, every: told.append((some, every))).run()
    assert done == Rotated(2, 7, [1])
    assert told[-1] == (7, 7)
    assert house.versions() == {2: 7}
    assert json.loads(house.path.read_bytes())["keys"].keys() == {"2"}
    assert house.opens(house.keyring())
    house.path.write_bytes(old_file)
    with pytest.raises(KekUnusable, match="version 2"):
        house.keyring().keyring_id()


def test_processes_that_run_meanwhile_go_on_and_learn_the_new_version(house: House) -> None:
    running = house.keyring()
    assert house.rotation().run().version == 2
    assert house.opens(running)
    made = running.create(Owner("link", "later"), "acme", NOON)
    house.sealed[Owner("link", "later")] = made.seal(PLACE, b"later")
    assert house.versions() == {2: 8}
    assert house.rotation().run() == Rotated(3, 8, [2])
    assert house.opens(house.keyring())


def test_a_rotation_keeps_what_every_key_has_sealed(house: House) -> None:
    def counts() -> dict[int, int]:
        with house.store.reading() as session:
            return {key.dek_id: key.messages for key in session.scalars(select(DataKey))}

    before = counts()
    assert house.rotation().run().rewrapped == len(before)
    assert counts() == before
    assert sorted(before.values()) == [0, 0, *[BLOCK] * 5]


class Killed(BaseException):
    """The process ends here, without any of its own doing."""


STEPS = ["after the new version", "after naming it", "in the middle", "before the old one goes", "at the end"]


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_was_killed_anywhere_is_finished_by_the_next(house: House, step: str) -> None:
    running = house.keyring()
    kek = house.file()

    def die() -> int:
        raise Killed

    def after(known: int) -> int:
        version = kek.after(known)
        return die() if step == STEPS[0] else version

    def progress(_done: int, _all: int) -> None:
        if step == STEPS[1]:
            die()

    def keep_only(version: int) -> list[int]:
        if step == STEPS[3]:
            die()
        gone = kek.keep_only(version)
        return gone if step != STEPS[4] else [die()]

    class Stumbling(Keyring):
        """Dies at the fourth data key."""

        def rewrapped(self, owner: Owner, row: DataKey, version: int) -> tuple[int, bytes]:
            if step == STEPS[2] and owner == Owner("link", "l2"):
                die()
            return super().rewrapped(owner, row, version)

    rotation = Rotation(
        house.store,
        Stumbling(house.store, kek, os.urandom, Monotonic()),
        kek,
        after=after,
        keep_only=keep_only,
        progress=progress,
    )
    with pytest.raises(Killed):
        rotation.run()
    assert house.opens(running)
    assert house.opens(house.keyring())
    assert house.rotation().run().version == 2
    assert house.file().versions == [2]
    assert house.versions() == {2: 7}
    assert house.opens(running)


def test_two_rotations_at_once_do_the_same_work(house: House) -> None:
    both = threading.Barrier(2)
    done: list[Rotated] = []

    def rotate() -> None:
        rotation = house.rotation()
        both.wait()
        done.append(rotation.run())

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert house.versions().keys() == {house.file().versions[-1]}
    assert house.opens(house.keyring())


def test_a_data_key_that_is_destroyed_meanwhile_stays_destroyed(house: House) -> None:
    gone = Owner("link", "l3")
    kek = house.file()

    class Destroying(Keyring):
        """Somebody removes a link while its key is wrapped anew."""

        def rewrapped(self, owner: Owner, row: DataKey, version: int) -> tuple[int, bytes]:
            if owner == gone:
                self.destroy([gone], "acme", NOON)
            return super().rewrapped(owner, row, version)

    keyring = Destroying(house.store, kek, os.urandom, Monotonic())
    done = rotation_of(house.store, keyring, kek, None).run()
    assert (done.rewrapped, house.versions()) == (6, {2: 6})
    with pytest.raises(DataKeyGone):
        house.keyring().sealer(gone)


def test_a_key_that_is_not_made_here_is_changed_to_the_next_one(house: House) -> None:
    file, following = house.file(), read_env("B", ENVIRON, os.urandom)
    running = house.keyring(KekChain([house.file(), following]))
    done = rotation_of(house.store, house.keyring(KekChain([file, following])), file, following).run()
    assert done == Rotated(following.primary, 7, [])
    assert house.opens(running)
    assert house.opens(house.keyring(following))
    again = rotation_of(house.store, house.keyring(following), file, following).run()
    assert again == Rotated(following.primary, 0, [])
    with pytest.raises(KekUnusable, match="GA_SYNC_KEK_NEXT"):
        house.keyring(KekChain([read_env("A", ENVIRON, os.urandom)])).sealer(SYSTEM)


def test_without_a_next_key_only_a_file_can_be_rotated(house: House) -> None:
    current = read_env("A", ENVIRON, os.urandom)
    with pytest.raises(KekUnusable, match="GA_SYNC_KEK_NEXT"):
        rotation_of(house.store, house.keyring(), current, None)


def test_what_a_setting_names_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    create_file(path, os.urandom)
    assert open_chain([f"file:{path}", ""], ENVIRON, os.urandom).primary == 1
    chain = open_chain(["env:A", "env:B"], ENVIRON, os.urandom)
    assert chain.describe() == "env:A, next env:B"
    assert chain.wrap(b"d" * 32, b"")[0] == chain.primary == read_env("A", ENVIRON, os.urandom).primary
    assert chain.holds(read_env("B", ENVIRON, os.urandom).primary)
    for spec in ("", "file:", "env:", "awskms:", "vault:x"):
        with pytest.raises(KekUnusable, match="must be file:PATH"):
            open_kek(spec, ENVIRON, os.urandom)


def test_a_key_file_that_lost_the_version_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    create_file(path, os.urandom)
    before = path.read_bytes()
    with pytest.raises(KekUnusable, match="version 9"):
        read_file(path, os.urandom).keep_only(9)
    assert path.read_bytes() == before


def test_the_old_keys_are_overwritten_where_they_lie(tmp_path: Path) -> None:
    path, second = tmp_path / "kek.json", tmp_path / "second name"
    create_file(path, os.urandom)
    kek = read_file(path, os.urandom)
    assert kek.after(1) == kek.after(1) == 2
    second.hardlink_to(path)
    assert kek.keep_only(2) == [1]
    assert set(second.read_bytes()) == {0}
    assert kek.keep_only(2) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kek.json", "second name"]


def test_what_a_killed_rotation_had_begun_to_write_is_taken_away_by_the_next(tmp_path: Path) -> None:
    path, begun, second = tmp_path / "kek.json", tmp_path / ".kek.json.begun", tmp_path / "second name"
    create_file(path, os.urandom)
    begun.write_bytes(path.read_bytes())
    second.hardlink_to(begun)
    twin = tmp_path / ".kek.json.twin"
    twin.hardlink_to(path)  # killed between making the file and taking its first name away
    (tmp_path / ".kek.json.alone").write_bytes(b"keys")
    assert read_file(path, os.urandom).after(1) == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kek.json", "second name"]
    assert read_file(path, os.urandom).versions == [1, 2]
