"""A grant's row put back whole opens by itself; the keyring remembers that its token had been replaced since."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, select, update

from models.data_key import DataKey
from models.errors import SealBroken
from models.grant import Grant
from models.keyring import Keyring
from models.sealed import Place
from oauth import store
from tests.oauth.conftest import KEK, Room

Row = dict[str, Any]


def row_of(room: Room, grant_id: str) -> Row:
    with room.data.reading() as session:
        found = session.execute(select(Grant.__table__).where(Grant.grant_id == grant_id)).one()
    return dict(found._mapping)  # noqa: SLF001 -- its name


def put_back(room: Room, row: Row) -> None:
    with room.data.transaction() as session:
        session.execute(update(Grant).where(Grant.grant_id == row["grant_id"]).values(**row))


def reconnect(room: Room, grant_id: str) -> None:
    assert room.finished(room.opened(grant_id=grant_id)[2]).status == "active"


def listened(room: Room) -> list[Place]:
    """What operators are told from here on, by a process that starts now."""
    told: list[Place] = []
    room.keyring = Keyring(room.keys, KEK, os.urandom, room.monotonic, told.append)
    return told


def test_a_row_put_back_with_its_count_is_refused_and_told(room: Room) -> None:
    grant_id = room.active_grant()
    old = row_of(room, grant_id)
    reconnect(room, grant_id)
    put_back(room, old)
    told = listened(room)
    for ask in (room.tokens().access_token, room.tokens().keep_alive):
        with pytest.raises(SealBroken):
            ask(grant_id)
    assert [(place.table, place.row) for place in told] == [("grants", grant_id)] * 2
    assert room.grant(grant_id).status == "active"


def test_a_rotated_token_put_back_is_refused(room: Room) -> None:
    grant_id = room.active_grant()
    old = row_of(room, grant_id)
    room.fake.set_mood("rotate")
    room.tokens().access_token(grant_id)
    assert room.grant(grant_id).token_generation == 2
    put_back(room, old)
    with pytest.raises(SealBroken):
        room.tokens().access_token(grant_id)


def test_connecting_again_heals(room: Room) -> None:
    grant_id = room.active_grant()
    old = row_of(room, grant_id)
    reconnect(room, grant_id)
    reconnect(room, grant_id)
    put_back(room, old)
    reconnect(room, grant_id)
    assert room.grant(grant_id).token_generation == 4
    assert room.tokens().access_token(grant_id)


def test_a_restored_backup_is_accepted_with_a_word(room: Room) -> None:
    """The keyring takes what is there for the newest; what comes after counts on from it."""
    grant_id, other = room.active_grant(), room.active_grant("globex")
    old = row_of(room, grant_id)
    reconnect(room, grant_id)
    put_back(room, old)
    with room.data.reading() as session:
        present = store.token_generations(session)
    assert room.keyring.floors.sink("grant", present) == 1
    told = listened(room)
    assert room.tokens().access_token(grant_id)
    assert room.tokens().access_token(other)
    reconnect(room, grant_id)
    assert room.tokens().access_token(grant_id)
    assert (room.keyring.floors.of("grant", grant_id), told) == (2, [])


def test_a_grant_that_a_restored_backup_does_not_know_counts_from_nothing(room: Room) -> None:
    grant_id = room.active_grant()
    assert room.keyring.floors.sink("grant", {}) == 1
    assert room.keyring.floors.of("grant", grant_id) == 0


def test_a_crash_before_the_keyring_was_told_is_made_good_by_the_next_use(room: Room) -> None:
    """The floor lags, and never leads."""
    grant_id = room.active_grant()
    old = row_of(room, grant_id)
    reconnect(room, grant_id)
    with room.keys.transaction() as session:
        session.execute(update(DataKey).where(DataKey.owner_id == grant_id).values(floor=1))
    listened(room)
    assert room.tokens().access_token(grant_id)
    assert room.keyring.floors.of("grant", grant_id) == 2
    put_back(room, old)
    with pytest.raises(SealBroken):
        room.tokens().access_token(grant_id)


def test_a_token_of_before_the_upgrade_is_used_and_remembered(room: Room) -> None:
    grant_id = room.active_grant()
    with room.keys.transaction() as session:
        session.execute(update(DataKey).values(floor=0))
    listened(room)
    assert room.tokens().access_token(grant_id)
    assert room.keyring.floors.of("grant", grant_id) == 1


def before_the_floor_is_read(room: Room, act: Callable[[], object]) -> None:
    acts = [act]

    def meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if acts and "SELECT data_keys.floor" in statement:
            acts.pop()()

    event.listen(room.keys.engine, "before_cursor_execute", meanwhile)


def test_another_process_that_replaces_the_token_meanwhile_is_no_alarm(room: Room) -> None:
    grant_id = room.active_grant()
    told = listened(room)
    before_the_floor_is_read(room, lambda: reconnect(room, grant_id))
    assert room.tokens().access_token(grant_id)
    assert (room.grant(grant_id).token_generation, told) == (2, [])


def test_a_token_that_is_put_back_is_revoked_all_the_same(room: Room) -> None:
    grant_id = room.active_grant()
    old = row_of(room, grant_id)
    reconnect(room, grant_id)
    put_back(room, old)
    room.bury(grant_id)
    assert room.grant(grant_id).google == "pending"


def test_a_floor_goes_with_its_key_and_is_never_lowered_by_a_lower_one(room: Room) -> None:
    grant_id = room.active_grant()
    reconnect(room, grant_id)
    floors = room.keyring.floors
    floors.rise("grant", grant_id, 1)
    listened(room)
    room.keyring.floors.rise("grant", grant_id, 1)
    assert floors.of("grant", grant_id) == 2
    assert floors.of("grant", "nobody") == 0
