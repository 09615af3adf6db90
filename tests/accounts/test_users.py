"""Accounts of individuals: invited, signed in, slowed down, disabled."""

import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from ga_sync.accounts import throttle
from ga_sync.accounts.errors import (
    Conflict,
    Invalid,
    InvitationGone,
    NotFound,
    NotSignedIn,
    SignInRefused,
    SlowDown,
)
from ga_sync.accounts.passwords import Passwords, check_new
from ga_sync.accounts.sessions import Sessions, session_cookie
from models.audit import first_break
from models.audit_event import AuditEvent
from models.errors import DataKeyGone
from models.keyring import Owner
from tests.accounts.people import ADA, HOME, SECRET, People, cheap


def test_a_person_is_invited_sets_a_password_and_signs_in(people: People) -> None:
    invitation = people.add()
    assert invitation.address("https://ga.example") == f"https://ga.example/console/setup/{invitation.token}"
    assert people.users.invited(invitation.token).email == ADA
    person = people.users.set_password(invitation.token, SECRET)
    assert not person.invited
    signed = people.sessions.sign_in("ada@EXAMPLE.com", SECRET, HOME)
    assert signed.person.user_id == person.user_id
    found = people.sessions.person(signed.cookie)
    assert (found.email, found.role, found.customer_id) == (ADA, "console", "acme")
    assert (found.principal.role, found.principal.may_see("globex")) == ("console", False)
    assert found.actor == f"user:{person.user_id}"


def test_an_address_works_once_and_for_three_days(people: People) -> None:
    token = people.add().token
    with pytest.raises(Invalid, match="12 to 200"):
        people.users.set_password(token, "too short")
    people.users.set_password(token, SECRET)
    with pytest.raises(InvitationGone):
        people.users.set_password(token, SECRET)
    later = people.users.invite_again(ADA, "test").token
    people.clock.advance(timedelta(hours=72))
    for gone in (token, later, "", "\ud800"):
        with pytest.raises(InvitationGone):
            people.users.invited(gone)


def test_inviting_again_ends_the_password_and_every_session(people: People) -> None:
    people.ready()
    signed = people.sessions.sign_in(ADA, SECRET, HOME)
    people.users.invite_again(ADA, "test")
    with pytest.raises(NotSignedIn):
        people.sessions.person(signed.cookie)
    with pytest.raises(SignInRefused):
        people.sessions.sign_in(ADA, SECRET, HOME)


def test_one_person_has_one_account(people: People) -> None:
    people.add()
    with pytest.raises(Conflict):
        people.add(ADA.swapcase())
    people.users.disable(ADA, "test")
    again = people.add()
    assert [one.user_id for one in people.users.listed()] == [again.person.user_id]
    assert people.users.listed("globex") == []


@pytest.mark.parametrize(
    ("email", "role", "customer"),
    [
        ("ada", "console", "acme"),
        ("a da@example.com", "console", "acme"),
        ("ada@example.com\u202e", "console", "acme"),
        (f"{'a' * 65}@example.com", "console", "acme"),
        (ADA, "store", "acme"),
        (ADA, "admin", "acme"),
        (ADA, "console", "no customer"),
    ],
)
def test_what_no_account_can_be_is_refused(people: People, email: str, role: str, customer: str) -> None:
    with pytest.raises(Invalid):
        people.add(email, role, customer)
    assert people.users.listed() == []


@pytest.mark.parametrize(
    "password", ["short", "x" * 201, "aaaaaaaaaaaa", "abababababab", "ada@example.com", "my ada@Example.com!"]
)
def test_a_plain_password_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_new(password, ADA)


def test_a_password_is_the_same_however_the_keyboard_composed_it(people: People) -> None:
    people.users.set_password(people.add().token, "u\u0308ber alle Berge")
    assert people.sessions.sign_in(ADA, "\u00fcber alle Berge", HOME).person.email == ADA


def test_a_disabled_account_is_out_at_once_and_stays_out(people: People) -> None:
    people.ready()
    signed = people.sessions.sign_in(ADA, SECRET, HOME)
    assert people.users.disable(ADA, "test").disabled_at == people.clock()
    people.users.disable(ADA, "test")
    with pytest.raises(NotSignedIn):
        people.sessions.person(signed.cookie)
    with pytest.raises(SignInRefused):
        people.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(NotFound, match="disabled"):
        people.users.invite_again(ADA, "test")


def test_unknown_accounts_are_said_to_be_so(people: People) -> None:
    for call in (people.users.disable, people.users.invite_again):
        with pytest.raises(NotFound):
            call("bob@example.com", "test")


def test_a_session_ends_after_half_an_hour_of_rest(people: People) -> None:
    people.ready()
    cookie = people.sessions.sign_in(ADA, SECRET, HOME).cookie
    for _ in range(3):
        people.clock.advance(timedelta(minutes=29))
        people.sessions.person(cookie)
    people.sessions.person(cookie)
    people.clock.advance(timedelta(minutes=30))
    with pytest.raises(NotSignedIn):
        people.sessions.person(cookie)


def test_a_session_ends_after_twelve_hours_in_any_case(people: People) -> None:
    people.ready()
    signed = people.sessions.sign_in(ADA, SECRET, HOME)
    assert signed.max_age == 12 * 3600
    for _ in range(12 * 60 // 20 - 1):
        people.clock.advance(timedelta(minutes=20))
        people.sessions.person(signed.cookie)
    people.clock.advance(timedelta(minutes=20))
    with pytest.raises(NotSignedIn):
        people.sessions.person(signed.cookie)


def test_signing_in_gives_a_new_session_and_ends_the_browsers_former_one(people: People) -> None:
    people.ready()
    first = people.sessions.sign_in(ADA, SECRET, HOME).cookie
    second = people.sessions.sign_in(ADA, SECRET, HOME, former=first).cookie
    assert first != second
    with pytest.raises(NotSignedIn):
        people.sessions.person(first)
    people.sessions.sign_out(second)
    people.sessions.sign_out(None)
    for gone in (second, None, "", "\ud800"):
        with pytest.raises(NotSignedIn):
            people.sessions.person(gone)


@pytest.mark.parametrize("email", [ADA, "nobody@example.com"])
def test_whoever_guesses_waits_whether_the_account_exists_or_not(people: People, email: str) -> None:
    people.ready()
    said: list[tuple[type[Exception], str, int]] = []
    for _ in range(8):
        with pytest.raises((SignInRefused, SlowDown)) as refused:
            people.sessions.sign_in(email, "wrong password", HOME)
        said.append((refused.type, str(refused.value), getattr(refused.value, "retry_after", 0)))
    wrong = (SignInRefused, "the e-mail address or the password is wrong", 0)
    wait = (SlowDown, "too many attempts to sign in: wait, then try again", 30)
    assert said == [wrong] * 5 + [wait] * 3
    people.clock.advance(timedelta(seconds=30))
    with pytest.raises(SignInRefused):
        people.sessions.sign_in(email, "wrong password", HOME)
    with pytest.raises(SlowDown):
        people.sessions.sign_in(email, "wrong password", HOME)


def test_who_knows_the_password_starts_anew_and_a_day_forgives(people: People) -> None:
    people.ready()
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                people.sessions.sign_in(ADA, "wrong password", HOME)
        people.sessions.sign_in(ADA, SECRET, HOME)
    for _ in range(4):
        with pytest.raises(SignInRefused):
            people.sessions.sign_in(ADA, "wrong password", HOME)
    people.clock.advance(timedelta(hours=24, seconds=1))
    for _ in range(4):
        with pytest.raises(SignInRefused):
            people.sessions.sign_in(ADA, "wrong password", HOME)


def test_one_network_is_slowed_down_over_many_addresses(people: People) -> None:
    for number in range(30):
        with pytest.raises(SignInRefused):
            people.sessions.sign_in(f"user{number}@example.com", "wrong password", HOME)
    with pytest.raises(SlowDown):
        people.sessions.sign_in("other@example.com", "wrong password", HOME)
    with pytest.raises(SignInRefused):
        people.sessions.sign_in("other@example.com", "wrong password", "192.0.2.2")


def test_attempts_at_once_are_all_counted(people: People) -> None:
    people.ready()
    refused: list[type[Exception]] = []

    def guess() -> None:
        try:
            people.sessions.sign_in(ADA, "wrong password", HOME)
        except (SignInRefused, SlowDown) as error:
            refused.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused.count(SignInRefused) <= throttle.ACCOUNT_FREE
    assert len(refused) == 12


def test_an_account_that_changes_while_the_password_is_compared_lets_nobody_in(people: People) -> None:
    person = people.ready()

    class Meanwhile(Passwords):
        """Somebody disables the account during the comparison."""

        def matches(self, stored: str | None, password: str) -> bool:
            same = super().matches(stored, password)
            people.users.disable(ADA, "test")
            return same

    sessions = Sessions(
        people.data, people.keyring, Meanwhile(cheap()), clock=people.clock, random=os.urandom
    )
    with pytest.raises(SignInRefused):
        sessions.sign_in(ADA, SECRET, HOME)
    assert person.user_id == people.row().user_id


def test_a_stored_hash_that_is_none_lets_nobody_in() -> None:
    passwords = Passwords(cheap())
    assert not passwords.matches("no hash", SECRET)
    assert not passwords.matches(None, SECRET)
    assert not passwords.matches(passwords.hash(SECRET), SECRET + "!")
    assert passwords.matches(passwords.hash(SECRET), SECRET)


def test_a_password_that_was_hashed_too_cheaply_is_hashed_anew_at_the_next_sign_in(people: People) -> None:
    people.ready()
    before = people.row().password_hash
    people.hasher = cheap(memory=16)
    people.sessions.sign_in(ADA, SECRET, HOME)
    after = people.row().password_hash
    assert before is not None
    assert after is not None
    assert "m=16," in after
    people.sessions.sign_in(ADA, SECRET, HOME)
    assert people.row().password_hash == after


def test_an_address_stands_nowhere_in_clear_and_its_key_dies_with_the_account(people: People) -> None:
    people.ready()
    with people.data.reading() as session:
        rows = [tuple(row) for row in session.execute(text("SELECT * FROM users"))]
        events = session.scalars(select(AuditEvent)).all()
        assert first_break(session) is None
        assert all(ADA.casefold() not in repr(vars(event)).casefold() for event in events)
    assert ADA.casefold() not in repr(rows).casefold()
    people.users.disable(ADA, "test")
    old = people.row()
    people.add()
    with pytest.raises(DataKeyGone):
        people.keyring.sealer(Owner("user", old.user_id))


def test_what_ended_by_itself_is_deleted(people: People) -> None:
    people.ready()
    people.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(SignInRefused):
        people.sessions.sign_in("bob@example.com", SECRET, HOME)
    people.clock.advance(timedelta(days=1, seconds=1))
    people.sessions.expire()
    with people.data.reading() as session:
        for table in ("console_sessions", "throttles"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


def test_the_cookie_is_bound_to_the_host_where_the_address_is_https() -> None:
    assert session_cookie("https://ga.example").startswith("__Host-")
    assert not session_cookie("http://127.0.0.1:8000").startswith("__")
