"""Consent on both databases: given out, opened, finished, refused."""

import os
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.consent import Consent, ConsentState
from models.errors import DataKeyGone, SealBroken
from models.grant import GrantStatus
from models.keyring import Keyring, Owner, Sealer
from models.link import Link
from models.sealed import Place, Sealed
from oauth.consent import status_at
from oauth.errors import (
    ConsentExpired,
    ConsentUnfinished,
    ConsentUnknown,
    ConsentUsed,
    GrantClosed,
    GrantUnknown,
    OurFault,
    StateRefused,
)
from oauth.protocol import Endpoints
from tests.oauth.conftest import CUSTOMER, KEK, RETURN_URL, Room
from tests.oauth.fake_google import CLIENT_ID

DAY = timedelta(days=1)


def stored_token(room: Room, grant_id: str) -> str:
    grant = room.grant(grant_id)
    assert grant.token is not None
    place = Place(grant.customer_id, "grants", "token", grant_id, grant.token_generation)
    return room.keyring.sealer(Owner("grant", grant_id)).open(place, grant.token).decode()


def states(room: Room) -> int:
    with room.data.reading() as session:
        return session.scalar(select(func.count()).select_from(ConsentState)) or 0


def link(room: Room, grant_id: str, status: str = "active") -> None:
    with room.data.transaction() as session:
        session.add(
            Link(
                link_id="link",
                customer_id=CUSTOMER,
                grant_id=grant_id,
                time_zone="UTC",
                service_level="standard",
                status=status,
                retention_days=90,
                created_at=room.clock(),
                first_day=room.clock().date(),
            )
        )


def test_a_new_address_makes_a_pending_grant_for_a_day(room: Room) -> None:
    begun = room.consents.begin(CUSTOMER)
    grant = room.grant(begun.grant_id)
    assert (grant.status, grant.customer_id, grant.token) == ("pending", CUSTOMER, None)
    assert begun.expires_at == grant.expires_at == room.clock() + DAY


def test_the_addresss_secret_is_stored_hashed(room: Room) -> None:
    begun = room.consents.begin(CUSTOMER)
    assert len(begun.ticket.reveal()) == 43
    with room.data.reading() as session:
        [consent] = session.scalars(select(Consent))
        assert begun.ticket.reveal().encode() not in consent.ticket_hash
        assert len(consent.ticket_hash) == 32


def test_the_guided_page_is_told_whom_it_is_for(room: Room) -> None:
    begun = room.consents.begin(CUSTOMER)
    view = room.consents.describe(begun.ticket.reveal())
    assert (view.customer_id, view.grant_id, view.status) == (CUSTOMER, begun.grant_id, "pending")
    assert view.expires_at == begun.expires_at


def test_a_finished_consent_makes_the_grant_active(room: Room) -> None:
    grant_id, _, opening = room.opened()
    completed = room.finished(opening)
    grant = room.grant(grant_id)
    assert (completed.grant_id, completed.customer_id) == (grant_id, CUSTOMER)
    assert (completed.status, completed.reason, completed.return_url) == ("active", None, RETURN_URL)
    assert (grant.status, grant.reason, grant.client_id) == ("active", None, CLIENT_ID)
    assert grant.token_generation == 1
    assert stored_token(room, grant_id) in room.fake.live_tokens()


def test_a_token_opens_only_in_its_own_row_and_generation(room: Room) -> None:
    grant_id, other_id = room.active_grant(), room.active_grant()
    token = room.grant(grant_id).token
    assert token is not None
    for place, owner in [
        (Place(CUSTOMER, "grants", "token", grant_id, 2), grant_id),
        (Place(CUSTOMER, "grants", "token", other_id, 1), other_id),
        (Place("globex", "grants", "token", grant_id, 1), grant_id),
    ]:
        with pytest.raises(SealBroken):
            room.keyring.sealer(Owner("grant", owner)).open(place, token)


def test_a_grant_without_links_is_kept_for_seven_days(room: Room) -> None:
    grant_id = room.active_grant()
    assert room.grant(grant_id).purge_at == room.clock() + 7 * DAY


@pytest.mark.parametrize(
    ("status", "kept_for_good"), [("active", True), ("broken", True), ("removed", False)]
)
def test_a_reconnected_grant_with_links_is_kept(room: Room, status: str, *, kept_for_good: bool) -> None:
    grant_id = room.active_grant()
    link(room, grant_id, status)
    room.finished(room.opened(grant_id=grant_id)[2])
    assert (room.grant(grant_id).purge_at is None) == kept_for_good


def test_a_permission_with_an_end_shows_it(room: Room) -> None:
    room.fake.set_mood("testing")
    grant_id = room.active_grant()
    assert room.grant(grant_id).token_expires_at == room.clock() + timedelta(seconds=604_799)


def test_an_absent_scope_in_the_answer_means_as_asked(room: Room) -> None:
    room.fake.set_mood("no_scope")
    assert room.grant(room.active_grant()).status == "active"


def test_a_finished_consent_consumes_the_address(room: Room) -> None:
    _, ticket, opening = room.opened()
    room.finished(opening)
    for call in (room.consents.describe, room.consents.open):
        with pytest.raises(ConsentUsed):
            call(ticket)


def test_a_finished_consent_consumes_every_address_of_its_grant(room: Room) -> None:
    grant_id, _, first = room.opened()
    _, ticket, second = room.opened(grant_id=grant_id)
    room.finished(first)
    with pytest.raises(ConsentUsed):
        room.consents.open(ticket)
    with pytest.raises(StateRefused):
        room.finished(second)


def test_an_unknown_address_is_unknown(room: Room) -> None:
    with pytest.raises(ConsentUnknown):
        room.consents.open("no-such-ticket")


def test_an_expired_address_says_so(room: Room) -> None:
    _, ticket, opening = room.opened()
    room.clock.advance(DAY)
    with pytest.raises(ConsentExpired):
        room.consents.open(ticket)
    with pytest.raises(StateRefused):
        room.finished(opening)


def test_an_opening_near_the_end_does_not_outlive_the_address(room: Room) -> None:
    _, ticket, opening = room.opened()
    assert opening.max_age == 600
    room.clock.advance(DAY - timedelta(minutes=3))
    assert room.consents.open(ticket).max_age == 180


def test_each_opening_is_fresh_and_kills_the_former(room: Room) -> None:
    _, ticket, first = room.opened()
    second = room.consents.open(ticket)
    assert first.location != second.location
    assert first.browser != second.browser
    assert states(room) == 1
    with pytest.raises(StateRefused):
        room.finished(first)
    assert room.finished(second).status == "active"


def test_an_opening_prints_no_secret(room: Room) -> None:
    _, _, opening = room.opened()
    assert repr(opening) == "<opening, 600 s>"


def test_a_state_is_answered_once(room: Room) -> None:
    _, _, opening = room.opened()
    params = room.fake.consent(opening.location)
    room.consents.complete(params, opening.browser)
    asked = room.fake.calls("/token")
    with pytest.raises(StateRefused):
        room.consents.complete(params, opening.browser)
    assert room.fake.calls("/token") == asked


def test_a_state_ends_after_ten_minutes(room: Room) -> None:
    _, _, opening = room.opened()
    room.clock.advance(timedelta(minutes=10))
    with pytest.raises(StateRefused):
        room.finished(opening)


@pytest.mark.parametrize("browser", [None, "", "another"])
def test_a_foreign_browser_is_refused_and_stores_nothing(room: Room, browser: str | None) -> None:
    grant_id, _, opening = room.opened()
    params = room.fake.consent(opening.location)
    with pytest.raises(StateRefused):
        room.consents.complete(params, browser)
    assert room.fake.calls("/token") == 0
    assert (room.grant(grant_id).status, states(room)) == ("pending", 0)


@pytest.mark.parametrize(
    "params", [{}, {"state": ""}, {"state": "unknown", "code": "c"}, {"state": "\ud800"}]
)
def test_an_unknown_state_is_refused(room: Room, params: dict[str, str]) -> None:
    with pytest.raises(StateRefused):
        room.consents.complete(params, "cookie")


def test_every_refusal_of_a_state_has_the_same_words(room: Room) -> None:
    _, _, opening = room.opened()
    for params, browser in [({"state": "x"}, opening.browser), (room.fake.consent(opening.location), "x")]:
        with pytest.raises(StateRefused) as caught:
            room.consents.complete(params, browser)
        assert str(caught.value) == str(StateRefused())


def test_the_state_is_gone_before_google_is_asked(room: Room) -> None:
    _, _, opening = room.opened()
    seen: list[int] = []
    room.fake.while_asked = lambda: seen.append(states(room))
    room.finished(opening)
    assert seen == [0]


def test_an_answer_of_another_issuer_is_refused(room: Room) -> None:
    _, _, opening = room.opened()
    params = {**room.fake.consent(opening.location), "iss": "https://evil.example"}
    with pytest.raises(StateRefused):
        room.consents_over(room.keyring, room.google_at(Endpoints())).complete(params, opening.browser)
    assert room.fake.calls("/token") == 0


def test_a_denied_consent_fails_the_grant(room: Room) -> None:
    grant_id, _, opening = room.opened()
    completed = room.consents.complete(room.fake.deny(opening.location), opening.browser)
    grant = room.grant(grant_id)
    assert (completed.status, completed.reason) == ("failed", "denied")
    assert (grant.status, grant.reason, grant.token) == ("failed", "denied", None)


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("untick", "scope_missing"),
        ("widen", "scope_wider"),
        ("differ", "scope_wider"),
        ("no_refresh_token", "no_refresh_token"),
    ],
)
def test_a_wrong_permission_stores_nothing_and_revokes_nothing(room: Room, mood: str, reason: str) -> None:
    grant_id, _, opening = room.opened()
    room.fake.set_mood(mood)
    completed = room.finished(opening)
    grant = room.grant(grant_id)
    assert (completed.status, completed.reason) == (grant.status, grant.reason) == ("failed", reason)
    assert (grant.token, room.fake.calls("/revoke")) == (None, 0)
    with pytest.raises(DataKeyGone):
        room.keyring.sealer(Owner("grant", grant_id))


def test_a_failed_grants_address_may_be_tried_again(room: Room) -> None:
    grant_id, ticket, opening = room.opened()
    room.consents.complete(room.fake.deny(opening.location), opening.browser)
    assert room.consents.describe(ticket).status == "failed"
    again = room.consents.open(ticket)
    assert (room.grant(grant_id).status, room.grant(grant_id).reason) == ("pending", None)
    assert room.finished(again).status == "active"


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("html_503", "unavailable"),
        ("timeout", "unavailable"),
        ("garbage", "unavailable"),
        ("invalid_grant", "invalid_grant"),
        ("admin_policy_enforced", "admin_policy_enforced"),
    ],
)
def test_a_refused_code_or_an_outage_leaves_the_grant_pending(room: Room, mood: str, reason: str) -> None:
    grant_id, ticket, opening = room.opened()
    room.fake.set_mood(mood)
    with pytest.raises(ConsentUnfinished) as caught:
        room.finished(opening)
    assert (caught.value.grant_id, caught.value.return_url) == (grant_id, RETURN_URL)
    assert (caught.value.customer_id, caught.value.reason) == (CUSTOMER, reason)
    assert room.grant(grant_id).status == "pending"
    room.fake.set_mood(None)
    assert room.finished(room.consents.open(ticket)).status == "active"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": "server_error"}, "no_code"),
        ({"error": "admin_policy_enforced"}, "admin_policy_enforced"),
        ({}, "no_code"),
        ({"code": "two words"}, "no_code"),
    ],
)
def test_a_callback_without_a_code_leaves_the_grant_pending(
    room: Room, answer: dict[str, str], reason: str
) -> None:
    grant_id, _, opening = room.opened()
    state = room.fake.deny(opening.location)["state"]
    with pytest.raises(ConsentUnfinished) as caught:
        room.consents.complete({"state": state, **answer}, opening.browser)
    assert caught.value.reason == reason
    assert room.grant(grant_id).status == "pending"


@pytest.mark.parametrize("mood", ["invalid_client", "redirect_uri_mismatch"])
def test_our_fault_is_not_the_customers(room: Room, mood: str) -> None:
    grant_id, _, opening = room.opened()
    room.fake.set_mood(mood)
    with pytest.raises(OurFault):
        room.finished(opening)
    assert room.grant(grant_id).status == "pending"


def test_a_reconnection_replaces_the_token_and_revokes_nothing(room: Room) -> None:
    grant_id = room.active_grant()
    former = stored_token(room, grant_id)
    room.finished(room.opened(grant_id=grant_id)[2])
    assert stored_token(room, grant_id) != former
    assert former in room.fake.live_tokens()
    assert room.grant(grant_id).token_generation == 2
    assert room.fake.calls("/revoke") == 0


def test_a_dead_grant_lives_again_by_reconnection(room: Room) -> None:
    grant_id = room.active_grant()
    with room.data.transaction() as session:
        grant = room.grant(grant_id)
        grant.status, grant.reason = GrantStatus.RECONSENT_REQUIRED, "invalid_grant"
        session.merge(grant)
    _, _, opening = room.opened(grant_id=grant_id)
    assert room.grant(grant_id).status == "reconsent_required"
    room.finished(opening)
    assert (room.grant(grant_id).status, room.grant(grant_id).reason) == ("active", None)


def test_a_reconnection_that_fails_keeps_status_and_token(room: Room) -> None:
    grant_id = room.active_grant()
    former = stored_token(room, grant_id)
    _, _, opening = room.opened(grant_id=grant_id)
    room.fake.set_mood("untick")
    completed = room.finished(opening)
    assert (completed.status, completed.reason) == ("failed", "scope_missing")
    assert (room.grant(grant_id).status, room.grant(grant_id).reason) == ("active", None)
    assert stored_token(room, grant_id) == former


def test_a_failed_grant_may_be_given_a_new_address(room: Room) -> None:
    grant_id, _, opening = room.opened()
    room.consents.complete(room.fake.deny(opening.location), opening.browser)
    room.clock.advance(2 * DAY)
    begun = room.consents.begin(CUSTOMER, grant_id=grant_id)
    assert (room.grant(grant_id).status, room.grant(grant_id).expires_at) == ("pending", begun.expires_at)


@pytest.mark.parametrize("customer_id", ["globex", "acm"])
def test_another_customers_grant_is_unknown(room: Room, customer_id: str) -> None:
    grant_id = room.active_grant()
    with pytest.raises(GrantUnknown):
        room.consents.begin(customer_id, grant_id=grant_id)
    with pytest.raises(GrantUnknown):
        room.consents.begin(customer_id, grant_id="no-such-grant")


def test_a_revoked_grant_is_not_reconnected(room: Room) -> None:
    grant_id = room.active_grant()
    room.bury(grant_id)
    with pytest.raises(GrantClosed):
        room.consents.begin(CUSTOMER, grant_id=grant_id)


def test_a_revocation_ends_every_open_address(room: Room) -> None:
    grant_id, ticket, opening = room.opened()
    room.bury(grant_id)
    with pytest.raises(ConsentUnknown):
        room.consents.open(ticket)
    with pytest.raises(StateRefused):
        room.finished(opening)


def test_an_address_of_a_closed_grant_is_unknown(room: Room) -> None:
    grant_id, ticket, _ = room.opened()
    with room.data.transaction() as session:
        grant = room.grant(grant_id)
        grant.status = GrantStatus.REVOKING
        session.merge(grant)
    with pytest.raises(ConsentUnknown):
        room.consents.describe(ticket)


def test_a_revocation_while_google_answers_leaves_neither_token_nor_key(room: Room) -> None:
    grant_id, _, opening = room.opened()
    room.fake.while_asked = lambda: room.bury(grant_id)
    with pytest.raises(StateRefused):
        room.finished(opening)
    assert (room.grant(grant_id).status, room.grant(grant_id).token) == ("revoking", None)
    with pytest.raises(DataKeyGone):
        room.keyring.sealer(Owner("grant", grant_id))


def test_a_denial_while_the_grant_is_revoked_changes_nothing(room: Room) -> None:
    grant_id, _, opening = room.opened()
    room.fake.while_asked = lambda: room.bury(grant_id)
    room.fake.set_mood("untick")
    assert room.finished(opening).reason == "scope_missing"
    assert room.grant(grant_id).status == "revoking"


def test_a_destroyed_key_is_never_made_anew(room: Room) -> None:
    grant_id, _, opening = room.opened()
    room.keyring.destroy([Owner("grant", grant_id)], CUSTOMER, room.clock())
    with pytest.raises(StateRefused):
        room.finished(opening)
    with pytest.raises(DataKeyGone):
        room.keyring.sealer(Owner("grant", grant_id))


class LateKeyring(Keyring):
    """A keyring that looks for a key a moment before another process makes it."""

    def __init__(self, room: Room, grant_id: str) -> None:
        super().__init__(room.keys, KEK, os.urandom, room.monotonic)
        self._room, self._owner = room, Owner("grant", grant_id)

    def create(self, owner: Owner, customer_id: str, now: datetime) -> Sealer:
        self._room.keyring.create(self._owner, CUSTOMER, self._room.clock())
        return super().create(owner, customer_id, now)


def test_two_consents_of_one_grant_share_the_key_that_came_first(room: Room) -> None:
    grant_id, _, opening = room.opened()
    late = LateKeyring(room, grant_id)
    room.consents_over(late, room.google).complete(room.fake.consent(opening.location), opening.browser)
    assert stored_token(room, grant_id) in room.fake.live_tokens()


def test_pending_grants_expire_with_their_address(room: Room) -> None:
    grant_id, _, _ = room.opened()
    room.clock.advance(timedelta(hours=1))
    later = room.consents.begin("globex").grant_id
    room.clock.advance(timedelta(hours=23))
    [expired] = room.consents.expire_pending(room.clock())
    assert (expired.grant_id, expired.customer_id) == (grant_id, CUSTOMER)
    assert (room.grant(grant_id).status, room.grant(grant_id).reason) == ("failed", "expired")
    assert (room.grant(later).status, states(room)) == ("pending", 0)
    assert room.consents.expire_pending(room.clock()) == []


def test_an_expired_grant_is_shown_as_failed_before_it_is_marked(room: Room) -> None:
    grant = room.grant(room.opened()[0])
    assert status_at(grant, room.clock()) == ("pending", None)
    assert status_at(grant, grant.expires_at) == ("failed", "expired")


def test_an_active_grant_does_not_expire(room: Room) -> None:
    grant_id = room.active_grant()
    room.clock.advance(2 * DAY)
    assert room.consents.expire_pending(room.clock()) == []
    assert status_at(room.grant(grant_id), room.clock()) == ("active", None)


def test_a_verifier_moved_from_another_opening_does_not_open(room: Room) -> None:
    _, _, opening = room.opened()
    room.opened("globex")
    with room.data.transaction() as session:
        first, second = session.scalars(select(ConsentState))
        first.verifier, second.verifier = (
            Sealed(second.verifier.ciphertext),
            Sealed(first.verifier.ciphertext),
        )
    with pytest.raises(SealBroken):
        room.finished(opening)
