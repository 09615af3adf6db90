"""Access tokens on both databases: held, renewed, shared, given up, never lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models.errors import DataKeyGone, SealBroken
from models.keyring import Owner
from models.sealed import Place, Sealed
from oauth.errors import (
    GrantDead,
    GrantNotUsable,
    GrantUnknown,
    OurFault,
    ScopeMissing,
    ScopeWider,
    TryLater,
)
from tests.oauth.conftest import CUSTOMER, Room
from tests.oauth.fake_google import FakeGoogle

MONTH = timedelta(days=30)


def asked(room: Room) -> int:
    """How often the token endpoint was asked for a refresh."""
    return sum(form.get("grant_type") == "refresh_token" for _, form in room.fake.requests)


def stored_token(room: Room, grant_id: str) -> str:
    grant = room.grant(grant_id)
    assert grant.token is not None
    place = Place(CUSTOMER, "grants", "token", grant_id, grant.token_generation)
    return room.keyring.sealer(Owner("grant", grant_id)).open(place, grant.token).decode()


def once(act: Callable[[], object]) -> Callable[[], None]:
    """Do it at the first call alone."""
    acts = [act]

    def at_first() -> None:
        while acts:
            acts.pop()()

    return at_first


def test_a_token_is_held_until_four_fifths_of_its_life(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    room.monotonic.now += 0.79 * 3599
    assert tokens.access_token(grant_id) == first
    room.monotonic.now += 0.02 * 3599
    assert tokens.access_token(grant_id) != first
    assert asked(room) == 2


def test_a_jumping_wall_clock_causes_no_refresh(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    for jump in (timedelta(days=1), timedelta(days=-3), timedelta(hours=1)):
        room.clock.advance(jump)
        assert tokens.access_token(grant_id) == first
    assert asked(room) == 1


def test_the_life_counts_from_the_moment_of_asking(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()

    def slow() -> None:
        room.monotonic.now += 17

    room.fake.expires_in = 20
    room.fake.while_asked = once(slow)
    first = tokens.access_token(grant_id)
    assert tokens.access_token(grant_id) != first


def test_a_token_of_no_life_is_never_held(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    room.fake.expires_in = 0
    assert tokens.access_token(grant_id) != tokens.access_token(grant_id)


def test_no_access_token_is_stored(room: Room) -> None:
    grant_id = room.active_grant()
    room.tokens().access_token(grant_id)
    assert room.grant(grant_id).token_generation == 1
    assert stored_token(room, grant_id) == room.fake.live_tokens()[0]


def test_a_refused_token_is_renewed_once(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    second = tokens.access_token(grant_id, refused=first)
    assert second != first
    assert tokens.access_token(grant_id, refused=first) == second
    assert asked(room) == 2


def test_a_refused_token_is_not_used_on_in_an_outage(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    room.fake.set_mood("html_503")
    with pytest.raises(TryLater):
        tokens.access_token(grant_id, refused=first)


def test_a_forgotten_token_is_asked_for_anew(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    tokens.forget(grant_id)
    tokens.forget("never-held")
    assert tokens.access_token(grant_id) != first


def test_threads_share_one_refresh(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    start = threading.Barrier(6)

    def ask(_: int) -> str:
        start.wait()
        return tokens.access_token(grant_id)

    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(ask, range(6)))
    assert len(answers) == asked(room) == 1


def test_a_slow_grant_does_not_hold_up_another(room: Room) -> None:
    tokens, slow, quick = room.tokens(), room.active_grant(), room.active_grant("globex")
    room.fake.while_asked = once(lambda: tokens.access_token(quick))
    assert tokens.access_token(slow)
    assert asked(room) == 2


def test_keeping_alive_asks_google_whatever_is_held(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    tokens.access_token(grant_id)
    room.clock.advance(timedelta(days=1))
    tokens.keep_alive(grant_id)
    assert asked(room) == 2
    assert room.grant(grant_id).refreshed_at == room.clock()


@pytest.mark.parametrize("mood", ["html_503", "timeout"])
def test_a_living_token_is_used_on_while_google_is_out(room: Room, mood: str) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    room.monotonic.now += 0.9 * 3599
    room.fake.set_mood(mood)
    assert tokens.access_token(grant_id) == tokens.access_token(grant_id) == first
    assert asked(room) == 2  # the second call does not ask again at once
    room.monotonic.now += 61
    assert tokens.access_token(grant_id) == first
    assert asked(room) == 3
    room.monotonic.now += 0.1 * 3599
    with pytest.raises(TryLater):
        tokens.access_token(grant_id)


def test_an_outage_marks_no_grant(room: Room) -> None:
    grant_id = room.active_grant()
    room.fake.set_mood("html_503")
    with pytest.raises(TryLater):
        room.tokens().keep_alive(grant_id)
    assert room.grant(grant_id).status == "active"


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("invalid_grant", "invalid_grant"),
        ("invalid_rapt", "invalid_grant"),
        ("admin_policy_enforced", "admin_policy_enforced"),
    ],
)
def test_a_dead_permission_gives_the_grant_up(room: Room, mood: str, reason: str) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    with room.data.transaction() as session:
        grant = room.grant(grant_id)
        grant.purge_at = None
        session.merge(grant)
    room.fake.set_mood(mood)
    for _ in range(2):
        with pytest.raises(GrantDead) as caught:
            tokens.access_token(grant_id)
        assert caught.value.reason == reason
    grant = room.grant(grant_id)
    assert (grant.status, grant.reason, grant.purge_at) == (
        "reconsent_required",
        reason,
        room.clock() + MONTH,
    )
    assert asked(room) == 1


def test_a_dead_grant_without_links_is_not_kept_longer(room: Room) -> None:
    grant_id = room.active_grant()
    purge_at = room.grant(grant_id).purge_at
    room.fake.end()
    with pytest.raises(GrantDead):
        room.tokens().keep_alive(grant_id)
    assert room.grant(grant_id).purge_at == purge_at


def test_a_dead_permission_drops_the_held_token(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    tokens.access_token(grant_id)
    room.fake.end()
    for call in (tokens.keep_alive, tokens.access_token):
        with pytest.raises(GrantDead):
            call(grant_id)


def test_a_grant_that_was_reconnected_meanwhile_is_not_given_up(room: Room) -> None:
    grant_id = room.active_grant()

    def reconnect() -> None:
        room.fake.end()
        room.finished(room.opened(grant_id=grant_id)[2])

    room.fake.while_asked = once(reconnect)
    assert room.tokens().access_token(grant_id)
    assert room.grant(grant_id).status == "active"
    assert room.grant(grant_id).token_generation == 2


def test_a_reconnection_retires_the_token_that_is_held(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    first = tokens.access_token(grant_id)
    room.finished(room.opened(grant_id=grant_id)[2])
    assert tokens.access_token(grant_id) != first


def test_a_revocation_retires_the_token_that_is_held(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    tokens.access_token(grant_id)
    room.bury(grant_id)
    with pytest.raises(GrantNotUsable) as caught:
        tokens.access_token(grant_id)
    assert caught.value.status == "revoking"


def test_a_revocation_while_google_answers_wins(room: Room) -> None:
    grant_id = room.active_grant()
    room.fake.while_asked = once(lambda: room.bury(grant_id))
    with pytest.raises(GrantNotUsable):
        room.tokens().access_token(grant_id)


def test_a_rotated_token_that_comes_after_the_revocation_is_not_stored(room: Room) -> None:
    grant_id = room.active_grant()
    room.fake.set_mood("rotate")
    room.fake.while_asked = once(lambda: room.bury(grant_id))
    with pytest.raises(GrantNotUsable):
        room.tokens().access_token(grant_id)
    assert room.grant(grant_id).token is None


def test_a_rotated_token_replaces_the_former(room: Room) -> None:
    tokens, grant_id = room.tokens(), room.active_grant()
    former = stored_token(room, grant_id)
    room.fake.set_mood("rotate")
    first = tokens.access_token(grant_id)
    assert stored_token(room, grant_id) == room.fake.live_tokens()[0] != former
    assert room.grant(grant_id).token_generation == 2
    assert tokens.access_token(grant_id) == first
    tokens.keep_alive(grant_id)
    assert room.grant(grant_id).token_generation == 3


def test_two_processes_and_rotation_lose_no_token(room: Room) -> None:
    """The other process rotates the token while our request with the former one is on its way."""
    ours, theirs, grant_id = room.tokens(), room.tokens(), room.active_grant()
    room.fake.set_mood("rotate")
    room.fake.while_asked = once(lambda: theirs.keep_alive(grant_id))
    assert ours.access_token(grant_id)
    assert stored_token(room, grant_id) == room.fake.live_tokens()[0]
    assert room.grant(grant_id).status == "active"


def test_a_rotated_token_revives_a_grant_that_the_former_one_ended(room: Room) -> None:
    """Google rotated for us; another process met the dead former token before ours was stored."""
    grant_id = room.active_grant()
    former = room.grant(grant_id)

    def other_process() -> None:
        room.fake.set_mood("invalid_grant")
        with pytest.raises(GrantDead):
            room.tokens().keep_alive(grant_id)
        room.fake.set_mood("rotate")

    room.fake.while_asked = once(other_process)
    assert room.tokens().access_token(grant_id)
    grant = room.grant(grant_id)
    assert (grant.status, grant.reason, grant.token_generation) == ("active", None, 2)
    assert former.token_generation == 1


def test_a_grant_that_keeps_changing_is_left_for_later(room: Room) -> None:
    grant_id = room.active_grant()
    busy = FakeGoogle.consent

    def reconnect() -> None:
        if room.fake.requests[-1][1].get("grant_type") == "refresh_token":
            _, _, opening = room.opened(grant_id=grant_id)
            room.consents.complete(busy(room.fake, opening.location), opening.browser)

    room.fake.while_asked = reconnect
    with pytest.raises(TryLater, match="keeps changing"):
        room.tokens().access_token(grant_id)
    assert asked(room) == 3


def test_a_remaining_life_in_a_refresh_is_noted(room: Room) -> None:
    grant_id = room.active_grant()
    room.fake.set_mood("testing")
    room.tokens().keep_alive(grant_id)
    ends_at = room.grant(grant_id).token_expires_at
    assert ends_at == room.clock() + timedelta(seconds=604_799)
    room.fake.set_mood(None)
    room.tokens().keep_alive(grant_id)
    assert room.grant(grant_id).token_expires_at == ends_at


@pytest.mark.parametrize(("mood", "error"), [("widen", ScopeWider), ("untick", ScopeMissing)])
def test_another_scope_at_a_refresh_is_refused_and_marks_nothing(
    room: Room, mood: str, error: type[Exception]
) -> None:
    grant_id = room.active_grant()
    room.fake.set_mood(mood)
    with pytest.raises(error):
        room.tokens().access_token(grant_id)
    assert (room.grant(grant_id).status, room.fake.calls("/revoke")) == ("active", 0)


def test_another_client_is_our_fault_and_asks_nothing(room: Room) -> None:
    grant_id = room.active_grant()
    with pytest.raises(OurFault) as caught:
        room.tokens(client_id="another-client").access_token(grant_id)
    assert caught.value.what == "client_id"
    assert (room.grant(grant_id).status, asked(room)) == ("active", 0)


def test_a_refused_client_marks_no_grant(room: Room) -> None:
    grant_id = room.active_grant()
    room.fake.set_mood("invalid_client")
    with pytest.raises(OurFault):
        room.tokens().access_token(grant_id)
    assert room.grant(grant_id).status == "active"


def test_a_pending_grant_has_no_token(room: Room) -> None:
    with pytest.raises(GrantNotUsable, match="pending"):
        room.tokens().access_token(room.opened()[0])


def test_an_unknown_grant_is_unknown(room: Room) -> None:
    with pytest.raises(GrantUnknown):
        room.tokens().access_token("no-such-grant")


def test_a_token_put_back_from_an_older_generation_does_not_open(room: Room) -> None:
    grant_id = room.active_grant()
    old = room.grant(grant_id).token
    assert old is not None
    room.finished(room.opened(grant_id=grant_id)[2])
    with room.data.transaction() as session:
        grant = room.grant(grant_id)
        grant.token = Sealed(old.ciphertext)
        session.merge(grant)
    with pytest.raises(SealBroken):
        room.tokens().access_token(grant_id)
    assert room.grant(grant_id).status == "active"


def test_a_destroyed_key_ends_the_use_of_a_token(room: Room) -> None:
    grant_id = room.active_grant()
    room.keyring.destroy([Owner("grant", grant_id)], CUSTOMER, room.clock())
    with pytest.raises(DataKeyGone):
        room.tokens().access_token(grant_id)
