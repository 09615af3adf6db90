"""Data keys: found again, refused when anything is wrong, gone when destroyed."""

import hashlib
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from models import record
from models.data_key import DataKey
from models.errors import DataKeyGone, KekUnusable, KeyringExists, KeyringMissing, SealBroken
from models.keyring import CACHE_SECONDS, OUTBOX, SYSTEM, Keyring, Owner, Sealer, derive
from models.sealed import Place, Sealed
from models.session import Store
from models.tables import KeyringBase
from tests.clock import NOON
from tests.models.bench import PLACE, Interrupted, Monotonic, hkdf, independent_open, kek

GRANT, LINK = Owner("grant", "g1"), Owner("link", "l1")


def fresh(keys: Store, key: bytes = b"k" * 32, version: int = 1) -> Keyring:
    """The same keyring as another process opens it, with nothing cached."""
    return Keyring(keys, kek(key, version), os.urandom, Monotonic())


def alter(keys: Store, owner: Owner, **values: object) -> None:
    with keys.transaction() as session:
        session.execute(update(DataKey).where(DataKey.owner_id == owner.id).values(**values))


def rows(keys: Store) -> list[DataKey]:
    with keys.reading() as session:
        return list(session.scalars(select(DataKey).order_by(DataKey.dek_id)))


def test_an_owner_s_key_is_found_again_by_another_process(keys: Store, keyring: Keyring) -> None:
    box = keyring.create(GRANT, "acme", NOON).seal(PLACE, b"token")
    assert fresh(keys).sealer(GRANT).open(PLACE, box) == b"token"


def test_a_keyring_has_an_id_and_the_system_s_own_two_keys(keys: Store, keyring: Keyring) -> None:
    assert len(bytes.fromhex(keyring.keyring_id())) == 16
    assert fresh(keys).keyring_id() == keyring.keyring_id()
    system, outbox = keyring.sealer(SYSTEM), keyring.sealer(OUTBOX)
    with pytest.raises(SealBroken):
        outbox.open(PLACE, system.seal(PLACE, b"state"))


def test_a_keyring_is_never_initialised_twice(keys: Store, keyring: Keyring) -> None:
    before = keyring.keyring_id()
    with pytest.raises(KeyringExists):
        keyring.initialise(NOON)
    assert fresh(keys).keyring_id() == before


def test_a_keyring_that_is_not_initialised_is_missing(keys: Store) -> None:
    with pytest.raises(KeyringMissing, match="keyring init"):
        fresh(keys).keyring_id()


def test_a_keyring_store_without_tables_is_missing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(KeyringMissing, match="keyring init"):
        fresh(store).keyring_id()
    store.close()


def test_a_keyring_store_that_does_not_answer_is_not_called_missing() -> None:
    store = Store("postgresql+psycopg://someone@127.0.0.1:1/nowhere")
    with pytest.raises(OperationalError):
        fresh(store).keyring_id()
    store.close()


def test_a_file_that_is_no_database_is_not_called_missing(tmp_path: Path) -> None:
    path = tmp_path / "keyring.db"
    path.write_bytes(b"no database" * 100)
    store = Store(f"sqlite:///{path}")
    with pytest.raises(DBAPIError, match="not a database"):
        fresh(store).keyring_id()
    store.close()


@pytest.mark.parametrize(("key", "version"), [(b"x" * 32, 1), (b"k" * 32, 2)])
def test_another_key_encryption_key_is_refused_at_the_start(
    keys: Store, keyring: Keyring, key: bytes, version: int
) -> None:
    with pytest.raises(KekUnusable):
        fresh(keys, key, version).keyring_id()


def test_a_tampered_check_value_is_refused(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    alter(keys, GRANT, check_value=bytes(16))
    with pytest.raises(KekUnusable, match="check value"):
        fresh(keys).sealer(GRANT)


def test_a_wrapped_key_of_another_owner_is_refused(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    keyring.create(LINK, "acme", NOON)
    foreign = next(row for row in rows(keys) if row.owner_id == GRANT.id)
    alter(keys, LINK, wrapped=foreign.wrapped, check_value=foreign.check_value)
    with pytest.raises(KekUnusable):
        fresh(keys).sealer(LINK)


def test_a_key_given_to_another_customer_is_refused(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    alter(keys, GRANT, customer_id="other")
    with pytest.raises(KekUnusable):
        fresh(keys).sealer(GRANT)


def test_an_unknown_owner_has_no_key(keyring: Keyring) -> None:
    with pytest.raises(DataKeyGone, match="grant g1"):
        keyring.sealer(GRANT)


def test_an_owner_gets_one_key_and_no_second(keys: Store, keyring: Keyring) -> None:
    box = keyring.create(GRANT, "acme", NOON).seal(PLACE, b"token")
    with pytest.raises(IntegrityError):
        keyring.create(GRANT, "acme", NOON)
    assert fresh(keys).sealer(GRANT).open(PLACE, box) == b"token"


def test_a_destroyed_key_is_gone_at_once_here_and_for_every_new_process(
    keys: Store, keyring: Keyring
) -> None:
    keyring.create(GRANT, "acme", NOON)
    keyring.create(LINK, "acme", NOON)
    keyring.destroy([GRANT], "acme", NOON)
    for place in (keyring, fresh(keys)):
        with pytest.raises(DataKeyGone):
            place.sealer(GRANT)
        assert len(place.sealer(LINK).key("any")) == 32


def test_a_key_destroyed_while_it_is_unwrapped_is_gone_at_once(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    slow = Interrupted(kek())
    late = Keyring(keys, slow, os.urandom, Monotonic())
    slow.meanwhile = lambda: late.destroy([GRANT], "acme", NOON)
    for _ in range(2):
        with pytest.raises(DataKeyGone):
            late.sealer(GRANT)


def test_a_key_that_is_unwrapped_while_another_is_destroyed_is_cached(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    slow = Interrupted(kek())
    late = Keyring(keys, slow, os.urandom, Monotonic())
    slow.meanwhile = lambda: late.destroy([LINK], "acme", NOON)
    assert late.sealer(GRANT) is late.sealer(GRANT)


def test_a_key_that_was_destroyed_is_never_made_anew(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    keyring.destroy([GRANT, LINK], "acme", NOON)
    for owner in (GRANT, LINK):  # the second had no key when it was buried
        with pytest.raises(DataKeyGone, match="destroyed"):
            fresh(keys).create(owner, "acme", NOON)
    assert keyring.counts() == {"data_keys": 2, "tombstones": 2}


def test_makers_and_destroyers_at_once_leave_no_key_of_a_buried_owner(keys: Store, keyring: Keyring) -> None:
    barrier = Barrier(6)

    def make(place: Keyring) -> None:
        with suppress(DataKeyGone, IntegrityError):
            place.create(GRANT, "acme", NOON)

    def race(number: int) -> None:
        place = fresh(keys)
        barrier.wait()
        make(place) if number % 2 else place.destroy([GRANT], "acme", NOON)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(race, range(6)))
    assert keyring.counts() == {"data_keys": 2, "tombstones": 1}


def test_the_number_of_a_destroyed_key_is_never_given_again(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    former = rows(keys)[-1].dek_id
    keyring.destroy([GRANT], "acme", NOON)
    keyring.create(LINK, "acme", NOON)
    assert rows(keys)[-1].dek_id > former


def test_destroying_says_whether_the_key_has_left_the_log_too(tmp_path: Path) -> None:
    """A reader holds the write-ahead log up; asked again later, it is emptied."""
    store, reader = (Store(f"sqlite:///{tmp_path / 'keyring.db'}") for _ in range(2))
    KeyringBase.metadata.create_all(store.engine)
    keyring = fresh(store)
    keyring.initialise(NOON)
    keyring.create(GRANT, "acme", NOON)
    assert store.checkpoint()
    wrapped = rows(store)[-1].wrapped
    with reader.reading() as session:
        assert len(session.scalars(select(DataKey.dek_id)).all()) == 3
        assert keyring.destroy([GRANT], "acme", NOON) is False
    assert keyring.destroy([GRANT], "acme", NOON) is True
    assert all(wrapped not in file.read_bytes() for file in tmp_path.iterdir())
    store.close()
    reader.close()


def test_destroying_twice_is_harmless_and_what_was_destroyed_stays_buried(
    keys: Store, keyring: Keyring
) -> None:
    keyring.create(GRANT, "acme", NOON)
    for _ in range(2):
        keyring.destroy([GRANT, LINK], "acme", NOON)
    assert fresh(keys).buried() == {GRANT, LINK}


def test_keys_and_tombstones_are_counted(keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    assert keyring.counts() == {"data_keys": 3, "tombstones": 0}
    keyring.destroy([GRANT, LINK], "acme", NOON)
    assert keyring.counts() == {"data_keys": 2, "tombstones": 2}


def test_nothing_is_buried_at_first(keyring: Keyring) -> None:
    assert keyring.buried() == set()


def test_another_process_holds_a_key_for_five_minutes_at_most(
    keys: Store, keyring: Keyring, monotonic: Monotonic
) -> None:
    keyring.create(GRANT, "acme", NOON)
    fresh(keys).destroy([GRANT], "acme", NOON)
    monotonic.seconds += CACHE_SECONDS - 1
    assert len(keyring.sealer(GRANT).key("any")) == 32
    monotonic.seconds += 1
    with pytest.raises(DataKeyGone):
        keyring.sealer(GRANT)
    assert CACHE_SECONDS == 300


def test_a_cached_key_asks_the_store_nothing(keys: Store, keyring: Keyring, monotonic: Monotonic) -> None:
    sealer = keyring.create(GRANT, "acme", NOON)
    assert keyring.sealer(GRANT) is sealer
    keyring.forget_cached([GRANT, LINK])
    assert keyring.sealer(GRANT) is not sealer


def test_the_key_encryption_key_is_described_by_its_place(keyring: Keyring) -> None:
    assert keyring.describe_kek() == "env:TEST"


def test_the_newest_version_of_a_key_seals(keys: Store, keyring: Keyring) -> None:
    keyring.create(GRANT, "acme", NOON)
    alter(keys, GRANT, version=2)
    second = fresh(keys).create(GRANT, "acme", NOON)  # version 1: older than the one above
    assert (
        second.seal(PLACE, b"").ciphertext[3:7] == fresh(keys).sealer(GRANT).seal(PLACE, b"").ciphertext[3:7]
    )
    assert len(rows(keys)) == 4


def test_no_data_key_stands_in_clear_in_the_store(keys: Store, keyring: Keyring) -> None:
    made: list[bytes] = []

    def random(length: int) -> bytes:
        made.append(os.urandom(length))
        return made[-1]

    Keyring(keys, kek(), random, Monotonic()).create(GRANT, "acme", NOON)
    data_key = next(value for value in made if len(value) == 32)
    held = b"".join(row.wrapped + row.check_value for row in rows(keys))
    assert data_key not in held


def test_keys_print_nothing(keyring: Keyring) -> None:
    sealer = Sealer(1, b"canary" * 5 + b"ab", os.urandom)
    assert "canary" not in repr(sealer) + repr(keyring) + repr(kek(b"canary" * 5 + b"ab"))


def test_key_derivation_is_hkdf_without_salt() -> None:
    """RFC 5869 §3.1; the lengths that are used need one block of output."""
    key = os.urandom(32)
    assert derive(key, "enc|grants|token") == hkdf(key, "enc|grants|token", 32)
    assert derive(key, "kcv", 16) == hkdf(key, "kcv", 16)


def test_a_value_opens_by_the_description_alone() -> None:
    key = os.urandom(32)
    box = Sealer(7, key, os.urandom).seal(PLACE, b"token")
    assert independent_open(hkdf(key, "enc|grants|token", 32), PLACE, box.ciphertext) == b"token"


def test_a_value_does_not_open_in_another_column_or_under_another_data_key() -> None:
    key = os.urandom(32)
    box = Sealer(7, key, os.urandom).seal(PLACE, b"token")
    opens: list[Callable[[], bytes]] = [
        lambda: Sealer(7, key, os.urandom).open(replace(PLACE, column="name"), box),
        lambda: Sealer(8, key, os.urandom).open(PLACE, box),
        lambda: Sealer(7, os.urandom(32), os.urandom).open(PLACE, box),
        lambda: Sealer(8, key, os.urandom).open_prefix(PLACE, box, len(box.ciphertext)),
        lambda: Sealer(7, key, os.urandom).open_prefix(PLACE, box, len(box.ciphertext) + record.CHUNK),
    ]
    assert Sealer(7, key, os.urandom).open_prefix(PLACE, box, len(box.ciphertext)) == b"token"
    for attempt in opens:
        with pytest.raises(SealBroken, match="does not open in its place"):
            attempt()


def test_blind_values_are_equal_for_equal_words_under_one_key_and_purpose_alone() -> None:
    key = os.urandom(32)
    sealer, other = Sealer(1, key, os.urandom), Sealer(2, os.urandom(32), os.urandom)
    blind = sealer.blind("segment", "12")
    assert blind == hmac.digest(hkdf(key, "bidx|segment", 32), b"12", hashlib.sha256)
    assert blind == sealer.blind("segment", "12")
    assert (
        len({blind, sealer.blind("segment", "13"), sealer.blind("link", "12"), other.blind("segment", "12")})
        == 4
    )


def test_threads_that_ask_at_once_all_get_the_key(keyring: Keyring) -> None:
    box = keyring.create(GRANT, "acme", NOON).seal(PLACE, b"token")
    keyring.forget_cached([GRANT])
    barrier = Barrier(8)

    def open_it(_: int) -> bytes:
        barrier.wait()
        return keyring.sealer(GRANT).open(PLACE, box)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_it, range(8))) == {b"token"}


def test_a_key_lost_from_the_store_without_a_tombstone_is_gone_all_the_same(
    keys: Store, keyring: Keyring
) -> None:
    keyring.create(GRANT, "acme", NOON)
    with keys.transaction() as session:
        session.execute(delete(DataKey).where(DataKey.owner_id == GRANT.id))
    with pytest.raises(DataKeyGone):
        fresh(keys).sealer(GRANT)


def test_a_value_that_does_not_open_raises_the_alarm_with_its_place_and_nothing_else(
    keys: Store, keyring: Keyring
) -> None:
    told: list[Place] = []
    keyring = Keyring(keys, kek(), os.urandom, Monotonic(), told.append)
    sealer, other = keyring.sealer(SYSTEM), keyring.sealer(OUTBOX)
    box = sealer.seal(PLACE, b"secret")
    assert sealer.open(PLACE, box) == b"secret"
    with pytest.raises(SealBroken):
        other.open(PLACE, box)
    with pytest.raises(SealBroken):
        sealer.open(replace(PLACE, row="another"), box)
    with pytest.raises(SealBroken):
        sealer.open_prefix(PLACE, Sealed(box.ciphertext[:-1]), len(box.ciphertext))
    assert told == [PLACE, replace(PLACE, row="another"), PLACE]
