"""Revocation on both databases: destroyed here at once, Google told until it says yes or 72 hours have passed."""

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models.consent import Consent
from models.keyring import OUTBOX, Owner
from models.revocation import Revocation
from models.sealed import Place, Sealed
from tests.oauth.conftest import CUSTOMER, Room

HOUR = timedelta(hours=1)


def outbox(room: Room, grant_id: str) -> Revocation | None:
    with room.data.reading() as session:
        return session.get(Revocation, grant_id)


def outcome(room: Room, grant_id: str) -> tuple[str, str | None]:
    grant = room.grant(grant_id)
    return grant.status, grant.google


def test_burying_takes_the_token_out_of_the_grant(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    grant = room.grant(grant_id)
    assert (grant.status, grant.google, grant.token, grant.purge_at) == ("revoking", "pending", None, None)


def test_the_token_on_its_way_is_sealed_under_the_outboxs_own_key(room: Room) -> None:
    grant_id = room.active_grant()
    [token] = room.fake.live_tokens()
    room.bury(grant_id)
    room.keyring.destroy([Owner("grant", grant_id)], CUSTOMER, room.clock())
    row = outbox(room, grant_id)
    assert row is not None
    assert row.deadline == room.clock() + 72 * HOUR
    place = Place(CUSTOMER, "revocations", "token", grant_id)
    assert room.keyring.sealer(OUTBOX).open(place, row.token).decode() == token


def test_burying_again_changes_nothing(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    deadline = room.clock() + 72 * HOUR
    room.clock.advance(HOUR)
    room.bury(grant_id)
    row = outbox(room, grant_id)
    assert row is not None
    assert row.deadline == deadline
    room.revocations.attempt(grant_id)
    room.bury(grant_id)
    assert outcome(room, grant_id) == ("revoked", "revoked")


def test_burying_sees_what_the_callers_transaction_changed(room: Room) -> None:
    grant_id = room.active_grant()
    with room.data.transaction() as session:
        grant = session.merge(room.grant(grant_id))
        grant.purged_days = 7
        room.revocations.bury(session, grant, room.clock())
    assert (room.grant(grant_id).purged_days, room.grant(grant_id).status) == (7, "revoking")


def test_burying_deletes_every_address(room: Room) -> None:
    grant_id = room.active_grant()
    room.opened(grant_id=grant_id)
    room.bury(grant_id)
    with room.data.reading() as session:
        assert session.scalar(select(func.count()).select_from(Consent)) == 0


def test_a_rolled_back_burial_leaves_the_grant_as_it_was(room: Room) -> None:
    grant_id = room.active_grant()
    with contextlib.suppress(ZeroDivisionError), room.data.transaction() as session:
        room.revocations.bury(session, session.merge(room.grant(grant_id)), room.clock())
        raise ZeroDivisionError
    assert (room.grant(grant_id).status, outbox(room, grant_id)) == ("active", None)


def test_google_is_told_and_the_token_is_gone(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    assert room.revocations.attempt(grant_id) is None
    assert (outcome(room, grant_id), outbox(room, grant_id)) == (("revoked", "revoked"), None)
    assert room.fake.live_tokens() == []


def test_a_settled_revocation_may_be_attempted_again(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    for _ in range(2):
        assert room.revocations.attempt(grant_id) is None
    assert outcome(room, grant_id) == ("revoked", "revoked")
    assert room.fake.calls("/revoke") == 1


def test_a_crash_after_googles_answer_ends_the_same(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    room.fake.end()  # the former attempt reached Google, and was forgotten here
    assert room.revocations.attempt(grant_id) is None
    assert outcome(room, grant_id) == ("revoked", "already_dead")


def test_a_grant_without_a_token_has_nothing_to_tell(room: Room) -> None:
    grant_id, _, _ = room.opened()
    room.bury(grant_id)
    assert outcome(room, grant_id) == ("revoking", "already_dead")
    assert room.revocations.attempt(grant_id) is None
    assert outcome(room, grant_id) == ("revoked", "already_dead")
    assert room.fake.calls("/revoke") == 0


@pytest.mark.parametrize("mood", ["html_503", "timeout", "redirect"])
def test_an_outage_is_retried_with_growing_waits(room: Room, mood: str) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    room.fake.set_mood(mood)
    waits = []
    for _ in range(4):
        next_at = room.revocations.attempt(grant_id)
        assert next_at is not None
        waits.append((next_at - room.clock()).total_seconds())
        room.clock.set(next_at)
    assert waits == [1, 2, 4, 8]
    assert outcome(room, grant_id) == ("revoking", "pending")
    room.fake.set_mood(None)
    assert room.revocations.attempt(grant_id) is None
    assert outcome(room, grant_id) == ("revoked", "revoked")


def test_after_72_hours_the_token_is_destroyed_unconfirmed(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    buried_at = room.clock()
    room.fake.set_mood("html_503")
    attempts = 0
    while (next_at := room.revocations.attempt(grant_id)) is not None:
        assert timedelta(0) < next_at - room.clock() <= HOUR
        room.clock.set(next_at)
        attempts += 1
    assert room.clock() == buried_at + 72 * HOUR
    assert room.fake.calls("/revoke") == attempts < 90
    assert (outcome(room, grant_id), outbox(room, grant_id)) == (("revoked", "unconfirmed"), None)


def test_google_is_not_asked_after_the_deadline(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    room.clock.advance(72 * HOUR)
    assert room.revocations.attempt(grant_id) is None
    assert (outcome(room, grant_id), room.fake.calls("/revoke")) == (("revoked", "unconfirmed"), 0)


def test_a_token_whose_key_is_gone_is_left_unconfirmed(room: Room) -> None:
    grant_id = room.active_grant()
    room.keyring.destroy([Owner("grant", grant_id)], CUSTOMER, room.clock())
    room.bury(grant_id)
    assert outcome(room, grant_id) == ("revoking", "unconfirmed")
    assert room.revocations.attempt(grant_id) is None
    assert outcome(room, grant_id) == ("revoked", "unconfirmed")


def test_a_token_that_does_not_open_hinders_no_revocation(room: Room) -> None:
    grant_id, other_id = room.active_grant(), room.active_grant()
    with room.data.transaction() as session:
        grant = session.merge(room.grant(grant_id))
        grant.token = room.grant(other_id).token
    room.bury(grant_id)
    assert outcome(room, grant_id) == ("revoking", "unconfirmed")


def test_an_outbox_that_does_not_open_is_settled_unconfirmed(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    with room.data.transaction() as session:
        row = session.get(Revocation, grant_id)
        assert row is not None
        row.token = Sealed(row.token.ciphertext[:-1] + bytes([row.token.ciphertext[-1] ^ 1]))
    assert room.revocations.attempt(grant_id) is None
    assert (outcome(room, grant_id), room.fake.calls("/revoke")) == (("revoked", "unconfirmed"), 0)


def test_a_grant_that_was_never_buried_is_left_alone(room: Room) -> None:
    grant_id = room.active_grant()
    assert room.revocations.attempt(grant_id) is None
    assert room.revocations.attempt("no-such-grant") is None
    assert outcome(room, grant_id) == ("active", None)


def test_the_other_customers_grant_of_the_same_account_surfaces_by_its_own_refresh(room: Room) -> None:
    ours, theirs = room.active_grant(), room.active_grant("globex")
    room.bury(ours)
    room.revocations.attempt(ours)
    assert room.grant(theirs).status == "active"
    with pytest.raises(Exception, match="invalid_grant"):
        room.tokens().keep_alive(theirs)
    assert room.grant(theirs).status == "reconsent_required"


def test_a_settled_token_is_in_no_file_of_the_store(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    row = outbox(room, grant_id)
    assert row is not None
    room.revocations.attempt(grant_id)
    if not room.data.is_sqlite:
        return  # what a server's own log keeps is ciphertext of a key that lives on the keyring's side
    assert room.data.url.database is not None
    for suffix in ("", "-wal"):
        with open(room.data.url.database + suffix, "rb") as file:  # noqa: PTH123 -- a name with a suffix
            assert row.token.ciphertext[-40:] not in file.read()


def _destroyed(room: Room) -> str:
    """A grant that is revoked in every step but Google's."""
    grant_id = room.active_grant()
    room.bury(grant_id)
    room.keyring.destroy([Owner("grant", grant_id)], CUSTOMER, room.clock())
    return grant_id


def test_what_google_said_is_kept_with_the_tombstone_once(room: Room) -> None:
    grant_id = _destroyed(room)
    assert room.keyring.outcomes.of(grant_id) is None
    room.revocations.attempt(grant_id)
    assert room.keyring.outcomes.of(grant_id) == "revoked"
    assert room.keyring.outcomes.keep(grant_id, "already_dead") == "revoked"
    assert room.keyring.outcomes.keep("never-buried", "revoked") == "revoked"
    assert room.keyring.outcomes.of("never-buried") is None


@pytest.mark.parametrize("backup", ["before it was revoked", "while Google was told"])
def test_a_restored_backup_says_what_google_said_and_asks_no_more(room: Room, backup: str) -> None:
    grant_id = _destroyed(room)
    room.keyring.outcomes.keep(grant_id, "revoked")
    if backup == "before it was revoked":
        with room.data.transaction() as session:
            grant = session.merge(room.grant(grant_id))
            grant.status, grant.google, grant.token = "active", None, Sealed(b"of a key that is gone")
            session.delete(session.get_one(Revocation, grant_id))
        room.bury(grant_id)
    assert room.revocations.attempt(grant_id) is None
    assert (outcome(room, grant_id), room.fake.calls("/revoke")) == (("revoked", "revoked"), 0)
