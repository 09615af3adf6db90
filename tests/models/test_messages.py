"""How many messages a data key has sealed: counted before they are, bounded, and never asked for twice."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest
from sqlalchemy import select, update

from models.data_key import DataKey
from models.errors import DataKeyGone, DataKeySpent
from models.keyring import SYSTEM, Keyring, Owner, Sealer
from models.messages import BLOCK, LIMIT, Messages, remedy
from models.session import Store
from tests.clock import NOON
from tests.models.bench import MIB, PLACE, Monotonic, kek

LINK = Owner("link", "l1")


def process(keys: Store, limit: int = LIMIT, block: int = BLOCK) -> Keyring:
    """The keyring as a process of its own opens it."""
    return Keyring(keys, kek(), os.urandom, Monotonic(), messages=Messages(keys, limit, block))


def counted(keys: Store, owner: Owner = LINK) -> int:
    with keys.reading() as session:
        return session.scalars(select(DataKey.messages).where(DataKey.owner_id == owner.id)).one()


def seal_until_refused(sealer: Sealer) -> int:
    for sealed in count():
        try:
            sealer.seal(PLACE, b"token")
        except DataKeySpent:
            return sealed
    raise AssertionError("a count has no end")


def test_a_key_that_has_sealed_all_it_may_seals_no_more_and_opens_on(keys: Store, keyring: Keyring) -> None:
    box = keyring.create(LINK, "acme", NOON).seal(PLACE, b"token")
    assert counted(keys) == BLOCK
    here, elsewhere = (process(keys, BLOCK + 8, 4).sealer(LINK) for _ in range(2))
    assert seal_until_refused(here) == 8
    for one in (here, elsewhere):
        with pytest.raises(
            DataKeySpent, match=r"link l1 has sealed all .* remove it and link the property anew"
        ):
            one.seal(PLACE, b"")
        assert one.open(PLACE, box) == b"token"
    process(keys).sealer(SYSTEM).seal(PLACE, b"")
    assert counted(keys) == BLOCK + 8


def test_the_bound_is_that_of_random_nonces_of_96_bits() -> None:
    """NIST SP 800-38D, section 8.3: the invocations under a key shall not exceed 2^32."""
    assert LIMIT == 2**32


def test_of_many_threads_and_processes_no_message_goes_uncounted(keys: Store, keyring: Keyring) -> None:
    keyring.create(LINK, "acme", NOON)
    processes = [process(keys, 600, 10) for _ in range(2)]
    barrier = Barrier(8)

    def race(number: int) -> int:
        barrier.wait()
        return seal_until_refused(processes[number % 2].sealer(LINK))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 600
    assert counted(keys) == 600


def test_a_value_counts_for_as_many_messages_as_it_has_chunks(keys: Store, keyring: Keyring) -> None:
    keyring.create(LINK, "acme", NOON)
    sealer = process(keys, block=2).sealer(LINK)
    for size, so_far in ((0, 2), (1, 2), (3 * MIB, 6), (0, 8), (MIB, 10), (0, 10)):
        sealer.seal(PLACE, bytes(size))
        assert counted(keys) == so_far


def test_within_a_block_nobody_waits_for_the_store(keys: Store, keyring: Keyring) -> None:
    sealer = keyring.create(LINK, "acme", NOON)
    sealer.seal(PLACE, b"")
    with keys.transaction() as session:
        session.execute(update(DataKey).values(version=DataKey.version))
        for _ in range(BLOCK - 1):
            sealer.seal(PLACE, b"")
    assert counted(keys) == BLOCK


def test_a_block_outlives_the_cached_key_and_a_process_that_ends_leaves_one_at_most(
    keys: Store, keyring: Keyring
) -> None:
    keyring.create(LINK, "acme", NOON)
    for _ in range(3):
        keyring.forget_cached([LINK])
        keyring.sealer(LINK).seal(PLACE, b"")
    assert counted(keys) == BLOCK
    process(keys).sealer(LINK).seal(PLACE, b"")
    assert counted(keys) == 2 * BLOCK


def test_nothing_is_counted_or_sealed_for_a_key_that_was_destroyed(keys: Store, keyring: Keyring) -> None:
    sealer = keyring.create(LINK, "acme", NOON)
    process(keys).destroy([LINK], "acme", NOON)
    with pytest.raises(DataKeyGone, match="was destroyed"):
        sealer.seal(PLACE, b"")


def test_keys_that_have_sealed_over_half_of_what_they_may_are_named(keys: Store, keyring: Keyring) -> None:
    keyring.create(LINK, "acme", NOON)
    with keys.transaction() as session:
        session.execute(update(DataKey).where(DataKey.owner_id == LINK.id).values(messages=LIMIT // 2 + 1))
        session.execute(update(DataKey).where(DataKey.owner_id == SYSTEM.id).values(messages=LIMIT // 2))
    assert keyring.messages.beyond_half() == [("link", "l1", LIMIT // 2 + 1)]


def test_there_is_something_to_do_about_every_key() -> None:
    assert len({remedy(kind) for kind in ("grant", "link", "system")}) == 3
