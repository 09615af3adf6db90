"""Accounts of individuals: invited, signed in, slowed down, disabled."""

import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
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
from ga_sync.accounts.users import Invitation, Person, Users
from models.audit import first_break
from models.audit_event import AuditEvent
from models.errors import DataKeyGone
from models.keyring import Keyring, Owner
from models.session import Store
from models.user import User
from tests.clock import SettableClock
from tests.models.bench import Monotonic, kek
from tests.postgres import DatabaseUrls

ADA, SECRET = "Ada@example.com", "four words are enough"
HOME = "192.0.2.1"


def cheap(memory: int = 8) -> PasswordHasher:
    """Argon2id that costs nothing: what it costs in use is not under test."""
    return PasswordHasher(time_cost=1, memory_cost=memory, parallelism=1)


@dataclass
class House:
    """People over real stores."""

    data: Store
    keyring: Keyring
    clock: SettableClock
    hasher: PasswordHasher

    @property
    def users(self) -> Users:
        return Users(
            self.data, self.keyring, Passwords(self.hasher), **self._rim(), new_id=lambda: str(uuid.uuid4())
        )

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.data, self.keyring, Passwords(self.hasher), **self._rim())

    def _rim(self) -> dict[str, Any]:
        return {"clock": self.clock, "random": os.urandom}

    def add(self, email: str = ADA, role: str = "console", customer: str = "acme") -> Invitation:
        return self.users.add(email, role, customer, "test")

    def ready(self, email: str = ADA) -> Person:
        """An account with its password."""
        return self.users.set_password(self.add(email).token, SECRET)

    def row(self) -> User:
        with self.data.reading() as session:
            return session.scalars(select(User)).one()


@pytest.fixture
def house(migrated_urls: DatabaseUrls, clock: SettableClock) -> Iterator[House]:
    data, keys = Store(migrated_urls.data), Store(migrated_urls.keyring)
    keyring = Keyring(keys, kek(), os.urandom, Monotonic())
    keyring.initialise(clock())
    yield House(data, keyring, clock, cheap())
    data.close()
    keys.close()


def test_a_person_is_invited_sets_a_password_and_signs_in(house: House) -> None:
    invitation = house.add()
    assert invitation.address("https://ga.example") == f"https://ga.example/console/setup/{invitation.token}"
    assert house.users.invited(invitation.token).email == ADA
    person = house.users.set_password(invitation.token, SECRET)
    assert not person.invited
    signed = house.sessions.sign_in("ada@EXAMPLE.com", SECRET, HOME)
    assert signed.person.user_id == person.user_id
    found = house.sessions.person(signed.cookie)
    assert (found.email, found.role, found.customer_id) == (ADA, "console", "acme")
    assert (found.principal.role, found.principal.may_see("globex")) == ("console", False)
    assert found.actor == f"user:{person.user_id}"


def test_an_address_works_once_and_for_three_days(house: House) -> None:
    token = house.add().token
    with pytest.raises(Invalid, match="12 to 200"):
        house.users.set_password(token, "too short")
    house.users.set_password(token, SECRET)
    with pytest.raises(InvitationGone):
        house.users.set_password(token, SECRET)
    later = house.users.invite_again(ADA, "test").token
    house.clock.advance(timedelta(hours=72))
    for gone in (token, later, "", "\ud800"):
        with pytest.raises(InvitationGone):
            house.users.invited(gone)


def test_inviting_again_ends_the_password_and_every_session(house: House) -> None:
    house.ready()
    signed = house.sessions.sign_in(ADA, SECRET, HOME)
    house.users.invite_again(ADA, "test")
    with pytest.raises(NotSignedIn):
        house.sessions.person(signed.cookie)
    with pytest.raises(SignInRefused):
        house.sessions.sign_in(ADA, SECRET, HOME)


def test_one_person_has_one_account(house: House) -> None:
    house.add()
    with pytest.raises(Conflict):
        house.add(ADA.swapcase())
    house.users.disable(ADA, "test")
    again = house.add()
    assert [one.user_id for one in house.users.listed()] == [again.person.user_id]
    assert house.users.listed("globex") == []


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
def test_what_no_account_can_be_is_refused(house: House, email: str, role: str, customer: str) -> None:
    with pytest.raises(Invalid):
        house.add(email, role, customer)
    assert house.users.listed() == []


@pytest.mark.parametrize(
    "password", ["short", "x" * 201, "aaaaaaaaaaaa", "abababababab", "ada@example.com", "my ada@Example.com!"]
)
def test_a_plain_password_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_new(password, ADA)


def test_a_password_is_the_same_however_the_keyboard_composed_it(house: House) -> None:
    house.users.set_password(house.add().token, "u\u0308ber alle Berge")
    assert house.sessions.sign_in(ADA, "\u00fcber alle Berge", HOME).person.email == ADA


def test_a_disabled_account_is_out_at_once_and_stays_out(house: House) -> None:
    house.ready()
    signed = house.sessions.sign_in(ADA, SECRET, HOME)
    assert house.users.disable(ADA, "test").disabled_at == house.clock()
    house.users.disable(ADA, "test")
    with pytest.raises(NotSignedIn):
        house.sessions.person(signed.cookie)
    with pytest.raises(SignInRefused):
        house.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(NotFound, match="disabled"):
        house.users.invite_again(ADA, "test")


def test_unknown_accounts_are_said_to_be_so(house: House) -> None:
    for call in (house.users.disable, house.users.invite_again):
        with pytest.raises(NotFound):
            call("bob@example.com", "test")


def test_a_session_ends_after_half_an_hour_of_rest(house: House) -> None:
    house.ready()
    cookie = house.sessions.sign_in(ADA, SECRET, HOME).cookie
    for _ in range(3):
        house.clock.advance(timedelta(minutes=29))
        house.sessions.person(cookie)
    house.sessions.person(cookie)
    house.clock.advance(timedelta(minutes=30))
    with pytest.raises(NotSignedIn):
        house.sessions.person(cookie)


def test_a_session_ends_after_twelve_hours_in_any_case(house: House) -> None:
    house.ready()
    signed = house.sessions.sign_in(ADA, SECRET, HOME)
    assert signed.max_age == 12 * 3600
    for _ in range(12 * 60 // 20 - 1):
        house.clock.advance(timedelta(minutes=20))
        house.sessions.person(signed.cookie)
    house.clock.advance(timedelta(minutes=20))
    with pytest.raises(NotSignedIn):
        house.sessions.person(signed.cookie)


def test_signing_in_gives_a_new_session_and_ends_the_browsers_former_one(house: House) -> None:
    house.ready()
    first = house.sessions.sign_in(ADA, SECRET, HOME).cookie
    second = house.sessions.sign_in(ADA, SECRET, HOME, former=first).cookie
    assert first != second
    with pytest.raises(NotSignedIn):
        house.sessions.person(first)
    house.sessions.sign_out(second)
    house.sessions.sign_out(None)
    for gone in (second, None, "", "\ud800"):
        with pytest.raises(NotSignedIn):
            house.sessions.person(gone)


@pytest.mark.parametrize("email", [ADA, "nobody@example.com"])
def test_whoever_guesses_waits_whether_the_account_exists_or_not(house: House, email: str) -> None:
    house.ready()
    said: list[tuple[type[Exception], str, int]] = []
    for _ in range(8):
        with pytest.raises((SignInRefused, SlowDown)) as refused:
            house.sessions.sign_in(email, "wrong password", HOME)
        said.append((refused.type, str(refused.value), getattr(refused.value, "retry_after", 0)))
    wrong = (SignInRefused, "the e-mail address or the password is wrong", 0)
    wait = (SlowDown, "too many attempts to sign in: wait, then try again", 30)
    assert said == [wrong] * 5 + [wait] * 3
    house.clock.advance(timedelta(seconds=30))
    with pytest.raises(SignInRefused):
        house.sessions.sign_in(email, "wrong password", HOME)
    with pytest.raises(SlowDown):
        house.sessions.sign_in(email, "wrong password", HOME)


def test_who_knows_the_password_starts_anew_and_a_day_forgives(house: House) -> None:
    house.ready()
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                house.sessions.sign_in(ADA, "wrong password", HOME)
        house.sessions.sign_in(ADA, SECRET, HOME)
    for _ in range(4):
        with pytest.raises(SignInRefused):
            house.sessions.sign_in(ADA, "wrong password", HOME)
    house.clock.advance(timedelta(hours=24, seconds=1))
    for _ in range(4):
        with pytest.raises(SignInRefused):
            house.sessions.sign_in(ADA, "wrong password", HOME)


def test_one_network_is_slowed_down_over_many_addresses(house: House) -> None:
    for number in range(30):
        with pytest.raises(SignInRefused):
            house.sessions.sign_in(f"user{number}@example.com", "wrong password", HOME)
    with pytest.raises(SlowDown):
        house.sessions.sign_in("other@example.com", "wrong password", HOME)
    with pytest.raises(SignInRefused):
        house.sessions.sign_in("other@example.com", "wrong password", "192.0.2.2")


def test_attempts_at_once_are_all_counted(house: House) -> None:
    house.ready()
    refused: list[type[Exception]] = []

    def guess() -> None:
        try:
            house.sessions.sign_in(ADA, "wrong password", HOME)
        except (SignInRefused, SlowDown) as error:
            refused.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused.count(SignInRefused) <= throttle.ACCOUNT_FREE
    assert len(refused) == 12


def test_an_account_that_changes_while_the_password_is_compared_lets_nobody_in(house: House) -> None:
    person = house.ready()

    class Meanwhile(Passwords):
        """Somebody disables the account during the comparison."""

        def matches(self, stored: str | None, password: str) -> bool:
            same = super().matches(stored, password)
            house.users.disable(ADA, "test")
            return same

    sessions = Sessions(house.data, house.keyring, Meanwhile(cheap()), clock=house.clock, random=os.urandom)
    with pytest.raises(SignInRefused):
        sessions.sign_in(ADA, SECRET, HOME)
    assert person.user_id == house.row().user_id


def test_a_stored_hash_that_is_none_lets_nobody_in() -> None:
    passwords = Passwords(cheap())
    assert not passwords.matches("no hash", SECRET)
    assert not passwords.matches(None, SECRET)
    assert not passwords.matches(passwords.hash(SECRET), SECRET + "!")
    assert passwords.matches(passwords.hash(SECRET), SECRET)


def test_a_password_that_was_hashed_too_cheaply_is_hashed_anew_at_the_next_sign_in(house: House) -> None:
    house.ready()
    before = house.row().password_hash
    house.hasher = cheap(memory=16)
    house.sessions.sign_in(ADA, SECRET, HOME)
    after = house.row().password_hash
    assert before is not None
    assert after is not None
    assert "m=16," in after
    house.sessions.sign_in(ADA, SECRET, HOME)
    assert house.row().password_hash == after


def test_an_address_stands_nowhere_in_clear_and_its_key_dies_with_the_account(house: House) -> None:
    house.ready()
    with house.data.reading() as session:
        rows = [tuple(row) for row in session.execute(text("SELECT * FROM users"))]
        events = session.scalars(select(AuditEvent)).all()
        assert first_break(session) is None
        assert all(ADA.casefold() not in repr(vars(event)).casefold() for event in events)
    assert ADA.casefold() not in repr(rows).casefold()
    house.users.disable(ADA, "test")
    old = house.row()
    house.add()
    with pytest.raises(DataKeyGone):
        house.keyring.sealer(Owner("user", old.user_id))


def test_what_ended_by_itself_is_deleted(house: House) -> None:
    house.ready()
    house.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(SignInRefused):
        house.sessions.sign_in("bob@example.com", SECRET, HOME)
    house.clock.advance(timedelta(days=1, seconds=1))
    house.sessions.expire()
    with house.data.reading() as session:
        for table in ("console_sessions", "throttles"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


def test_the_cookie_is_bound_to_the_host_where_the_address_is_https() -> None:
    assert session_cookie("https://ga.example").startswith("__Host-")
    assert not session_cookie("http://127.0.0.1:8000").startswith("__")
