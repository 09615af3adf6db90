"""Transactions, SQLite's settings, and what is left in the files."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from models.meta import SCHEMA_FLOOR, DataFact
from models.session import Store
from models.tables import DataBase

CANARY = "canary-c0ffee"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an SQLite store may be made, in a folder that does not exist yet."""
    return tmp_path / "deep" / "data.db"


def sqlite(path: Path) -> Store:
    store = Store(f"sqlite:///{path}")
    DataBase.metadata.create_all(store.engine)
    return store


def count(store: Store) -> int:
    with store.reading() as session:
        return len(session.scalars(select(DataFact.name).where(DataFact.name != SCHEMA_FLOOR)).all())


def in_files(path: Path) -> bool:
    return any(CANARY.encode() in file.read_bytes() for file in path.parent.iterdir())


def set_wait(store: Store, milliseconds: int) -> None:
    """Let the store's pooled connection wait so long for a lock."""
    with store.reading() as session:
        session.execute(text(f"PRAGMA busy_timeout={milliseconds}"))


def test_a_block_that_ends_is_committed(data: Store) -> None:
    with data.transaction() as session:
        session.add(DataFact(name="a", value="1"))
    assert count(data) == 1


def test_a_block_that_raises_is_rolled_back(data: Store) -> None:
    def fail() -> None:
        with data.transaction() as session:
            session.add(DataFact(name="a", value="1"))
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert count(data) == 0


def test_reading_commits_nothing(data: Store) -> None:
    with data.reading() as session:
        session.add(DataFact(name="a", value="1"))
        session.flush()
    assert count(data) == 0


def test_objects_stay_readable_after_their_transaction(data: Store) -> None:
    with data.transaction() as session:
        fact = DataFact(name="a", value="1")
        session.add(fact)
    assert fact.value == "1"


def test_writers_wait_for_each_other_and_lose_nothing(data: Store) -> None:
    """Read, add one, write: with two writers at once nothing may be lost on SQLite."""
    with data.transaction() as session:
        session.add(DataFact(name="n", value="0"))
    barrier = Barrier(4)

    def add(_: int) -> None:
        barrier.wait()
        for _ in range(5):
            with data.transaction() as session:
                fact = session.get_one(DataFact, "n", with_for_update=True)
                fact.value = str(int(fact.value) + 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    with data.reading() as session:
        assert session.get_one(DataFact, "n").value == "20"


def test_a_reader_sees_one_snapshot_on_sqlite(path: Path) -> None:
    store, other = sqlite(path), Store(f"sqlite:///{path}")
    with store.reading() as session:
        assert session.scalars(select(DataFact.name)).all() == []
        with other.transaction() as writing:
            writing.add(DataFact(name="a", value="1"))
        assert session.scalars(select(DataFact.name)).all() == []
    assert count(store) == 1
    store.close()
    other.close()


def test_errors_of_the_database_do_not_quote_values(data: Store) -> None:
    def twice() -> None:
        with data.transaction() as session:
            session.execute(DataFact.__table__.insert(), [{"name": "a", "value": CANARY}] * 2)  # type: ignore[attr-defined]

    with pytest.raises(IntegrityError) as caught:
        twice()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [
        ("journal_mode", "wal"),
        ("secure_delete", 1),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("temp_store", 2),
        ("busy_timeout", 15000),
    ],
)
def test_every_sqlite_connection_is_set_up(path: Path, pragma: str, expected: object) -> None:
    store = sqlite(path)
    with store.reading() as first, store.reading() as second, store.transaction() as third:
        for session in (first, second, third):
            assert session.execute(text(f"PRAGMA {pragma}")).scalar_one() == expected
    store.close()


def test_deleted_values_are_in_no_file_after_a_checkpoint(path: Path) -> None:
    store = sqlite(path)
    with store.transaction() as session:
        session.add_all(DataFact(name=f"n{n}", value=f"{CANARY}-{n}") for n in range(500))
    assert store.checkpoint()
    with store.transaction() as session:
        session.execute(delete(DataFact))
    assert in_files(path)  # in the write-ahead log, or this test would prove nothing
    assert store.checkpoint()
    assert not in_files(path)
    assert path.with_name("data.db-wal").stat().st_size == 0
    store.close()


def test_a_checkpoint_that_a_reader_holds_up_says_so_and_succeeds_later(path: Path) -> None:
    store, reader = sqlite(path), Store(f"sqlite:///{path}")
    with store.transaction() as session:
        session.add(DataFact(name="a", value=CANARY))
    set_wait(store, 1)
    pauses: list[float] = []
    with reader.reading() as session:
        assert session.scalars(select(DataFact.name)).all() == ["a"]
        with store.transaction() as writing:
            writing.execute(delete(DataFact))
        assert not store.checkpoint(sleep=pauses.append, tries=3)
    assert pauses == [0.05] * 3
    assert store.checkpoint(sleep=pauses.append)
    assert not in_files(path)
    store.close()
    reader.close()


def test_a_checkpoint_does_not_wait_as_long_as_a_writer_would(path: Path) -> None:
    """Each try waits a moment only, however long this connection waits for a lock at other times."""
    store, reader = sqlite(path), Store(f"sqlite:///{path}")
    with reader.reading() as session:
        assert session.scalars(select(DataFact.name)).all() == []
        with store.transaction() as writing:
            writing.add(DataFact(name="a", value="1"))
        began = time.monotonic()
        assert not store.checkpoint(sleep=lambda _: None, tries=2)
        assert time.monotonic() - began < 2
    with store.reading() as session:
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() == 15000
    store.close()
    reader.close()


def modes(*paths: Path) -> set[int]:
    return {stat.S_IMODE(one.stat().st_mode) for one in paths}


def test_new_folders_and_database_files_are_private_under_any_umask(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "new" / "data.db"
    former = os.umask(0)
    try:
        store = sqlite(path)
        with store.transaction() as session:
            session.add(DataFact(name="a", value="1"))
        assert modes(path.parent, path.parent.parent) == {0o700}
        assert modes(path, path.with_name("data.db-wal"), path.with_name("data.db-shm")) == {0o600}
        store.close()
    finally:
        os.umask(former)


def test_folders_and_database_files_that_are_there_already_keep_their_modes(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    sqlite(path).close()
    path.chmod(0o640)
    tmp_path.chmod(0o750)
    store = sqlite(path)
    assert count(store) == 0
    assert modes(path) == {0o640}
    assert modes(tmp_path) == {0o750}
    store.close()


def test_a_database_that_cannot_be_made_is_refused_by_the_database_itself(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}")
    with pytest.raises(OperationalError):
        count(store)
    store.close()


def test_a_database_named_by_a_uri_is_left_to_sqlite(tmp_path: Path) -> None:
    store = Store(f"sqlite:///file:{tmp_path}/uri.db?uri=true")
    with store.reading() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".db"] == ["uri.db"]
    store.close()


def test_a_checkpoint_is_nothing_to_do_elsewhere(data: Store) -> None:
    assert data.checkpoint()


def test_the_kind_of_database_is_known(data: Store) -> None:
    assert data.is_sqlite is (data.url.get_backend_name() == "sqlite")


def test_a_store_in_memory_needs_no_folder() -> None:
    store = Store("sqlite://")
    with store.reading() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1
    store.close()


def test_a_closed_store_opens_again_when_asked(path: Path) -> None:
    store = sqlite(path)
    store.close()
    assert count(store) == 0
    store.close()
