"""A second factor: turned on, asked for, used once, slowed down, turned off, reset."""

import os
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select, text, update

from ga_sync.accounts.errors import (
    CodeRefused,
    CodeWanted,
    Conflict,
    NotFound,
    NotSignedIn,
    SignInRefused,
    SlowDown,
)
from ga_sync.accounts.factors import Factors
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.sessions import Sessions, pending_cookie
from ga_sync.accounts.users import Person
from models.audit import first_break
from models.audit_event import AuditEvent
from models.errors import DataKeyGone, SealBroken
from models.keyring import Owner
from models.user import User
from tests.accounts.people import ADA, HOME, SECRET, People, cheap

STEP = timedelta(seconds=30)


class App:
    """An authenticator app on somebody's phone, which shows each code once."""

    def __init__(self, people: People, secret: str) -> None:
        self._people, self._app = people, pyotp.TOTP(secret)

    def shows(self, drift: int = 0) -> str:
        return self._app.at(self._people.clock(), counter_offset=drift)

    def next(self) -> str:
        """The next step's code, after it has begun."""
        self._people.clock.advance(STEP)
        return self.shows()


def begun(people: People, person: Person) -> App:
    return App(people, people.factors.begin(person, SECRET, HOME).secret.reveal())


def turned_on(people: People, email: str = ADA) -> tuple[Person, App, list[str]]:
    """Somebody with a second factor, the app, and the recovery codes."""
    person = people.ready(email)
    app = begun(people, person)
    codes = people.factors.confirm(person, app.shows(), HOME, "")
    return person, app, codes


def owing(people: People, email: str = ADA, sessions: Sessions | None = None) -> str:
    """The cookie of a browser that knew the password."""
    with pytest.raises(CodeWanted) as wanted:
        (sessions or people.sessions).sign_in(email, SECRET, HOME)
    assert wanted.value.max_age == 300
    assert wanted.value.cookie not in str(wanted.value)
    return wanted.value.cookie


def test_the_password_alone_gives_no_session_and_the_code_does(people: People) -> None:
    person, app, _ = turned_on(people)
    pending = owing(people)
    with pytest.raises(NotSignedIn):
        people.sessions.person(pending)
    people.sessions.require_pending(pending)
    signed = people.sessions.finish(pending, f" {app.next()[:3]} {app.shows()[3:]}", HOME)
    assert people.sessions.person(signed.cookie).user_id == person.user_id
    assert signed.person.second_factor
    with pytest.raises(NotSignedIn):
        people.sessions.finish(pending, app.next(), HOME)


def test_nothing_changes_before_the_first_right_code(people: People) -> None:
    person = people.ready()
    app = begun(people, person)
    assert people.factors.of(person).since is None
    people.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(CodeRefused):
        people.factors.confirm(person, "000000", HOME, "")
    people.sessions.sign_in(ADA, SECRET, HOME)
    codes = people.factors.confirm(person, app.shows(), HOME, "")
    found = people.factors.of(person)
    assert (found.since, found.codes_left, len(set(codes))) == (people.clock(), 10, 10)
    owing(people)


def test_beginning_asks_for_the_password_again(people: People) -> None:
    person = people.ready()
    with pytest.raises(SignInRefused):
        people.factors.begin(person, SECRET + "!", HOME)
    assert people.row().factor_secret is None


def test_what_was_begun_is_good_for_a_quarter_of_an_hour_and_then_deleted(people: People) -> None:
    person = people.ready()
    with pytest.raises(Conflict, match="begin again"):
        people.factors.confirm(person, "000000", HOME, "")
    app = begun(people, person)
    people.clock.advance(timedelta(minutes=15))
    with pytest.raises(Conflict, match="begin again"):
        people.factors.confirm(person, app.shows(), HOME, "")
    people.sessions.expire()
    assert (people.row().factor_secret, people.row().factor_begun_at) == (None, None)


def test_beginning_again_voids_the_former_secret(people: People) -> None:
    person = people.ready()
    former = begun(people, person)
    app = begun(people, person)
    with pytest.raises(CodeRefused):
        people.factors.confirm(person, former.shows(), HOME, "")
    people.factors.confirm(person, app.shows(), HOME, "")
    for again in (
        lambda: people.factors.begin(person, SECRET, HOME),
        lambda: people.factors.confirm(person, app.next(), HOME, ""),
    ):
        with pytest.raises(Conflict, match="on already"):
            again()


def test_turning_it_on_ends_the_sessions_that_began_without_it(people: People) -> None:
    person = people.ready()
    here, elsewhere = (people.sessions.sign_in(ADA, SECRET, HOME).cookie for _ in range(2))
    people.factors.confirm(person, begun(people, person).shows(), HOME, here)
    assert people.sessions.person(here).second_factor
    with pytest.raises(NotSignedIn):
        people.sessions.person(elsewhere)


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_phone_may_be_one_step_off(people: People, drift: int) -> None:
    _, app, _ = turned_on(people)
    people.clock.advance(10 * STEP)
    people.sessions.finish(owing(people), app.shows(drift), HOME)


def test_a_code_is_taken_once_and_none_before_it_is_taken_after(people: People) -> None:
    _, app, _ = turned_on(people)
    with pytest.raises(CodeRefused):  # the one that turned it on
        people.sessions.finish(owing(people), app.shows(), HOME)
    code = app.next()
    people.sessions.finish(owing(people), code, HOME)
    for used in (code, app.shows(-1)):
        with pytest.raises(CodeRefused):
            people.sessions.finish(owing(people), used, HOME)
    people.sessions.finish(owing(people), app.shows(1), HOME)


def test_two_browsers_with_the_same_code_at_once_are_one_session(people: People) -> None:
    """Both have read the account before either uses the code up."""
    _, app, _ = turned_on(people)
    first, second, code = owing(people), owing(people), app.next()
    claim = people.attempts.code(people.row(), code, HOME)
    people.sessions.finish(first, code, HOME)
    with pytest.raises(CodeRefused), people.data.transaction() as session:
        people.attempts.use_up(session, session.scalars(select(User).with_for_update()).one(), claim, HOME)
    with pytest.raises(CodeRefused):
        people.sessions.finish(second, code, HOME)


def test_each_recovery_code_is_good_once(people: People) -> None:
    person, _, codes = turned_on(people)
    people.sessions.finish(owing(people), codes[0].upper().replace("-", " "), HOME)
    assert people.factors.of(person).codes_left == 9
    with pytest.raises(CodeRefused):
        people.sessions.finish(owing(people), codes[0], HOME)
    people.sessions.finish(owing(people), codes[9], HOME)


def test_a_recovery_code_is_of_one_person(people: People) -> None:
    _, _, codes = turned_on(people)
    turned_on(people, "bob@example.com")
    with pytest.raises(CodeRefused):
        people.sessions.finish(owing(people, "bob@example.com"), codes[0], HOME)
    people.sessions.finish(owing(people), codes[0], HOME)


def test_the_five_minutes_end(people: People) -> None:
    _, app, _ = turned_on(people)
    pending = owing(people)
    people.clock.advance(timedelta(minutes=5))
    for late in (
        lambda: people.sessions.require_pending(pending),
        lambda: people.sessions.finish(pending, app.shows(), HOME),
    ):
        with pytest.raises(NotSignedIn):
            late()
    people.sessions.expire()
    with people.data.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM pending_sign_ins")) == 0


@pytest.mark.parametrize("cookie", [None, "", "\ud800", "0" * 64])
def test_a_browser_that_gave_no_password_cannot_give_a_code(people: People, cookie: str | None) -> None:
    _, app, _ = turned_on(people)
    owing(people)
    with pytest.raises(NotSignedIn):
        people.sessions.finish(cookie, app.next(), HOME)


def test_whoever_guesses_codes_waits_and_the_password_does_not_help(people: People) -> None:
    _, app, _ = turned_on(people)
    for _ in range(5):
        with pytest.raises(CodeRefused) as refused:
            people.sessions.finish(owing(people), "000000", HOME)
        assert str(refused.value) == "the code is wrong, or was used already"
    for code in ("000000", app.shows(1)):
        with pytest.raises(SlowDown) as wait:
            people.sessions.finish(owing(people), code, "192.0.2.2")
        assert wait.value.retry_after == 30
    people.sessions.finish(owing(people), app.next(), HOME)


def test_recovery_codes_are_slowed_down_with_the_others(people: People) -> None:
    _, _, codes = turned_on(people)
    for guess in ("000000", "aaaa-aaaa-aaaa-aaaa", "", "x" * 4000, "\ud800"):
        with pytest.raises(CodeRefused):
            people.sessions.finish(owing(people), guess, HOME)
    with pytest.raises(SlowDown):
        people.sessions.finish(owing(people), codes[0], HOME)


def test_one_network_is_slowed_down_over_the_codes_of_many_accounts(people: People) -> None:
    emails = [f"user{number}@example.com" for number in range(6)]
    for email in emails:
        turned_on(people, email)
        for _ in range(5):
            with pytest.raises(CodeRefused):
                people.sessions.finish(owing(people, email), "000000", "192.0.2.9")
    turned_on(people)
    with pytest.raises(SlowDown):
        people.sessions.finish(owing(people), "000000", "192.0.2.9")


def test_a_wrong_password_is_answered_alike_with_and_without_a_second_factor(people: People) -> None:
    """The same words after the same work: nobody looks for a second factor before the password was right."""
    turned_on(people)
    people.ready("bob@example.com")
    worked: list[str | None] = []

    class Counting(Passwords):
        def matches(self, stored: str | None, password: str) -> bool:
            worked.append(password)
            return super().matches(stored, password)

    sessions = Sessions(people.data, people.keyring, Counting(cheap()), clock=people.clock, random=os.urandom)
    said = []
    for email in (ADA, "bob@example.com", "nobody@example.com"):
        with pytest.raises(SignInRefused) as refused:
            sessions.sign_in(email, "wrong password", HOME)
        said.append((refused.type, str(refused.value)))
    assert len(set(said)) == 1
    assert worked == ["wrong password"] * 3


def test_it_is_turned_off_with_password_and_code_together(people: People) -> None:
    person, app, codes = turned_on(people)
    with pytest.raises(SignInRefused):
        people.factors.turn_off(person, SECRET + "!", app.next(), HOME)
    with pytest.raises(CodeRefused):
        people.factors.turn_off(person, SECRET, "000000", HOME)
    pending = owing(people)
    people.factors.turn_off(person, SECRET, app.shows(), HOME)
    assert people.row().factor_secret is None
    assert people.factors.of(person).codes_left == 0
    people.sessions.sign_in(ADA, SECRET, HOME)
    with pytest.raises(NotSignedIn):
        people.sessions.finish(pending, codes[0], HOME)
    with pytest.raises(Conflict, match="off already"):
        people.factors.turn_off(person, SECRET, codes[0], HOME)
    again = begun(people, person)
    people.factors.confirm(person, again.shows(), HOME, "")


def test_somebody_else_resets_it_and_every_session_ends(people: People) -> None:
    person, app, _ = turned_on(people)
    signed, pending = people.sessions.finish(owing(people), app.next(), HOME), owing(people)
    with pytest.raises(Conflict, match="your own"):
        people.factors.reset(ADA, person.actor)
    assert not people.factors.reset(ADA.upper(), "operator").second_factor
    for over in (
        lambda: people.sessions.person(signed.cookie),
        lambda: people.sessions.finish(pending, app.next(), HOME),
    ):
        with pytest.raises(NotSignedIn):
            over()
    people.sessions.sign_in(ADA, SECRET, HOME)
    for email in (ADA, "nobody@example.com"):
        with pytest.raises(NotFound):
            people.factors.reset(email, "operator")


def test_an_account_that_is_reset_while_a_code_comes_takes_none(people: People) -> None:
    person, app, _ = turned_on(people)
    row = people.row()
    claim = people.attempts.code(row, app.next(), HOME)
    people.factors.reset(ADA, "operator")
    with pytest.raises(CodeRefused):
        people.attempts.code(people.row(), app.next(), HOME)
    begun(people, person)
    with pytest.raises(CodeRefused), people.data.transaction() as session:
        people.attempts.use_up(session, session.scalars(select(User).with_for_update()).one(), claim, HOME)


def test_a_new_password_leaves_it_on_and_ends_who_owes_a_code(people: People) -> None:
    _, app, _ = turned_on(people)
    pending = owing(people)
    token = people.users.invite_again(ADA, "operator").token
    with pytest.raises(NotSignedIn):
        people.sessions.finish(pending, app.next(), HOME)
    people.users.set_password(token, SECRET)
    people.sessions.finish(owing(people), app.next(), HOME)


def test_an_account_that_is_disabled_between_password_and_code_lets_nobody_in(people: People) -> None:
    _, app, _ = turned_on(people)
    pending = owing(people)
    people.users.disable(ADA, "operator")
    with pytest.raises(NotSignedIn):
        people.sessions.finish(pending, app.next(), HOME)
    row = people.row()
    assert (row.factor_secret, row.factor_since) == (None, None)


def test_an_account_that_is_disabled_while_the_code_is_compared_lets_nobody_in(people: People) -> None:
    _, app, _ = turned_on(people)
    pending, code = owing(people), app.next()

    def meanwhile(count: int) -> bytes:
        people.users.disable(ADA, "operator")
        return bytes(count)

    sessions = Sessions(people.data, people.keyring, Passwords(cheap()), clock=people.clock, random=meanwhile)
    with pytest.raises(NotSignedIn):
        sessions.finish(pending, code, HOME)


def test_a_password_that_changes_in_this_moment_turns_nothing_on(people: People) -> None:
    person = people.ready()

    def meanwhile(count: int) -> bytes:
        people.users.invite_again(ADA, "operator")
        return bytes(count)

    factors = Factors(people.data, people.keyring, Passwords(cheap()), clock=people.clock, random=meanwhile)
    with pytest.raises(SignInRefused, match="in this moment"):
        factors.begin(person, SECRET, HOME)
    assert people.row().factor_secret is None


def test_the_secret_and_the_codes_stand_nowhere_in_clear_and_leave_with_the_account(people: People) -> None:
    person = people.ready()
    begin = people.factors.begin(person, SECRET, HOME)
    app = App(people, begin.secret.reveal())
    codes = people.factors.confirm(person, app.shows(), HOME, "")
    pending = owing(people)
    with people.data.reading() as session:
        tables = ("users", "recovery_codes", "pending_sign_ins", "throttles", "audit_events")
        told = repr([[tuple(row) for row in session.execute(text(f"SELECT * FROM {one}"))] for one in tables])
    for secret in (begin.secret.reveal(), app.shows(), pending, *codes, codes[0].replace("-", "")):
        assert secret not in told
    assert begin.secret.reveal() not in repr(begin)
    old = people.row()
    people.users.disable(ADA, "operator")
    people.add()
    with pytest.raises(DataKeyGone):
        people.keyring.sealer(Owner("user", old.user_id))
    with people.data.reading() as session:
        for table in ("recovery_codes", "pending_sign_ins"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


def test_a_secret_opens_in_its_own_account_and_generation_alone(people: People) -> None:
    person, app, _ = turned_on(people)
    former = people.row().factor_secret
    people.factors.turn_off(person, SECRET, app.next(), HOME)
    app = begun(people, person)
    people.factors.confirm(person, app.shows(), HOME, "")
    with people.data.transaction() as session:
        session.execute(update(User).values(factor_secret=former))
    with pytest.raises(SealBroken):
        people.sessions.finish(owing(people), app.next(), HOME)


def test_the_audit_log_tells_of_it_without_personal_values(people: People) -> None:
    person, app, codes = turned_on(people)
    people.factors.turn_off(person, SECRET, app.next(), HOME)
    people.factors.confirm(person, begun(people, person).shows(), HOME, "")
    people.factors.reset(ADA, "operator")
    with people.data.reading() as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.number)).all()
        assert first_break(session) is None
    told = [(one.actor, one.verb, one.object) for one in events if one.verb.startswith("factor.")]
    mine, them = f"user:{person.user_id}", person.user_id
    assert told == [
        (mine, "factor.on", them),
        (mine, "factor.off", them),
        (mine, "factor.on", them),
        ("operator", "factor.reset", them),
    ]
    assert not any(value in repr([vars(one) for one in events]) for value in (ADA, *codes))


def test_the_cookie_of_a_sign_in_is_not_the_sessions() -> None:
    assert pending_cookie("https://ga.example") == "__Host-ga_sync_code"
    assert pending_cookie("http://127.0.0.1:8000") == "ga_sync_code"
