"""Accounts of individuals: invited by an operator, each with a password of their own.

One person is one account; there is no built-in one. The e-mail address is sealed under a key of the person's own and
found by a keyed hash. Signing in is in :mod:`ga_sync.accounts.sessions`.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.accounts import user_store
from ga_sync.accounts.errors import Conflict, Invalid, InvitationGone, NotFound
from ga_sync.accounts.keys import Principal
from ga_sync.accounts.names import check_customer
from ga_sync.accounts.passwords import Passwords, check_new
from ga_sync.accounts.views import View, moment
from models.api_key import ANY_CUSTOMER
from models.audit import append
from models.errors import DataKeyGone
from models.keyring import SYSTEM, Keyring, Owner
from models.session import Store
from models.user import User

ROLES = ("admin", "console")
USER, DISABLED = "user", "disabled_user"
INVITED_FOR = timedelta(hours=72)
SETUP_PATH = "/console/setup/"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


@dataclass(frozen=True, slots=True)
class Person:
    """One account. ``invited``: no password is set; ``disabled_at``: nobody may sign in with it.

    ``second_factor``: a code is asked for after the password.
    """

    user_id: str
    email: str
    role: str
    customer_id: str
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None
    invited: bool
    second_factor: bool

    @property
    def principal(self) -> Principal:
        """What this person may do, as the doors ask it of a key."""
        return Principal(self.user_id, self.role, self.customer_id)

    @property
    def actor(self) -> str:
        """For the audit log."""
        return f"user:{self.user_id}"

    def view(self) -> View:
        """As it is listed and exported."""
        return {
            "user_id": self.user_id,
            "email": self.email,
            "role": self.role,
            "customer_id": self.customer_id,
            "created_at": moment(self.created_at),
            "last_login_at": moment(self.last_login_at),
            "disabled_at": moment(self.disabled_at),
            "invited": self.invited,
            "second_factor": self.second_factor,
        }


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time address at which a person sets the password; the token is shown once and stored as SHA-256."""

    person: Person
    token: str
    expires_at: datetime

    def address(self, public_url: str) -> str:
        """Where the person goes."""
        return f"{public_url}{SETUP_PATH}{self.token}"


def check_email(email: str) -> str:
    """An address of at most 254 characters, as it was given; raises Invalid otherwise."""
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid("an e-mail address looks like name@example.com")
    return email


def token_hash(token: str) -> bytes:
    """What is stored of a random token."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def email_reference(keyring: Keyring, email: str) -> bytes:
    """The keyed hash by which an address is found, however its letters are cased."""
    return keyring.sealer(SYSTEM).blind("users|email", email.casefold())


def person_of(keyring: Keyring, row: User) -> Person:
    """An account as people see it. Raises DataKeyGone where it was destroyed."""
    email = keyring.sealer(Owner(USER, row.user_id)).open(row.place(), row.email).decode()
    facts = (row.role, row.customer_id, row.created_at, row.last_login_at, row.disabled_at)
    return Person(row.user_id, email, *facts, row.password_hash is None, row.factor_since is not None)


class Users:
    """Invites and disables people."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        passwords: Passwords,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        new_id: Callable[[], str],
    ) -> None:
        self._data, self._keyring, self._passwords = data, keyring, passwords
        self._clock, self._random, self._new_id = clock, random, new_id

    def add(self, email: str, role: str, customer_id: str, actor: str) -> Invitation:
        """A new account with its one-time address; a disabled account of the same address makes room.

        Raises:
            Invalid: the address, the role or the customer; an administrator is for every customer (``'*'``).
            Conflict: this address has an account.
        """
        _check(email, role, customer_id)
        user_id, now = self._new_id(), self._clock()
        self._make_room(email, now)
        sealer = self._keyring.create(Owner(USER, user_id), customer_id, now)
        row = User(user_id=user_id, customer_id=customer_id, role=role, created_at=now)
        row.email = sealer.seal(row.place(), email.encode())
        row.email_ref = email_reference(self._keyring, email)
        token = self._invite(row, now)
        with self._data.transaction() as session:
            if user_store.by_reference(session, row.email_ref) is not None:
                raise Conflict("this e-mail address has an account: invite it again, or disable it first")
            session.add(row)
            append(session, now, actor, "user.add", user_id, customer_id)
        return Invitation(person_of(self._keyring, row), token, now + INVITED_FOR)

    def _make_room(self, email: str, now: datetime) -> None:
        with self._data.reading() as session:
            row = user_store.by_reference(session, email_reference(self._keyring, email))
        if row is None:
            return
        if row.disabled_at is None:
            raise Conflict("this e-mail address has an account: invite it again, or disable it first")
        self._keyring.destroy([Owner(USER, row.user_id)], row.customer_id, now)
        with self._data.transaction() as session:
            user_store.remove(session, [row.user_id])

    def _invite(self, row: User, now: datetime) -> str:
        token = self._random(32).hex()
        row.setup_hash, row.setup_expires_at = token_hash(token), now + INVITED_FOR
        return token

    def invite_again(self, email: str, actor: str) -> Invitation:
        """A new one-time address; the former one, the password and every session end with it.

        Raises:
            NotFound: no such account, or it is disabled.
        """
        now = self._clock()
        with self._data.transaction() as session:
            row = self._row(session, email)
            if row.disabled_at is not None:
                raise NotFound("this account is disabled: add it anew")
            row.password_hash = None
            token = self._invite(row, now)
            user_store.end_all(session, row.user_id)
            append(session, now, actor, "user.invite", row.user_id, row.customer_id)
        return Invitation(person_of(self._keyring, row), token, now + INVITED_FOR)

    def _row(self, session: Session, email: str) -> User:
        row = user_store.by_reference(session, email_reference(self._keyring, email), lock=True)
        if row is None:
            raise NotFound("there is no such account; see `ga-sync user list`")
        return row

    def invited(self, token: str) -> Person:
        """Whose one-time address this is, for the page that asks for the password. Raises InvitationGone."""
        with self._data.reading() as session:
            return person_of(self._keyring, self._invitation(session, token))

    def _invitation(self, session: Session, token: str, *, lock: bool = False) -> User:
        row = user_store.by_setup(session, token_hash(token), lock=lock)
        if row is None or row.setup_expires_at is None or row.setup_expires_at <= self._clock():
            raise InvitationGone("this address was used or has expired: ask for a new one")
        return row

    def set_password(self, token: str, password: str) -> Person:
        """Set the password and use the address up; every session of the person ends.

        Raises:
            InvitationGone: used, expired or unknown.
            Invalid: the password is too short, too long or too plain; the address stays usable.
        """
        hashed = self._passwords.hash(check_new(password, self.invited(token).email))
        with self._data.transaction() as session:
            row = self._invitation(session, token, lock=True)
            row.password_hash, row.setup_hash, row.setup_expires_at = hashed, None, None
            user_store.end_all(session, row.user_id)
            append(
                session, self._clock(), f"user:{row.user_id}", "user.password", row.user_id, row.customer_id
            )
        return person_of(self._keyring, row)

    def disable(self, email: str, actor: str) -> Person:
        """Nobody signs in with this account any more, and its sessions end at once; a restored backup heeds it.

        Raises:
            NotFound: no such account.
        """
        now = self._clock()
        with self._data.reading() as session:
            row = self._row(session, email)
        self._keyring.destroy(
            [Owner(DISABLED, row.user_id)], row.customer_id, now
        )  # a tombstone; no such key
        with self._data.transaction() as session:
            row = self._row(session, email)
            user_store.disable(session, [row.user_id], now)
            append(session, now, actor, "user.disable", row.user_id, row.customer_id)
        return next(one for one in self.listed(row.customer_id) if one.user_id == row.user_id)

    def listed(self, customer_id: str | None = None) -> list[Person]:
        """The people of one customer, or all of them, oldest first."""
        with self._data.reading() as session:
            found = [self._or_none(row) for row in user_store.of_customer(session, customer_id)]
        return [person for person in found if person is not None]

    def _or_none(self, row: User) -> Person | None:
        try:
            return person_of(self._keyring, row)
        except DataKeyGone:  # destroyed in this moment
            return None


def _check(email: str, role: str, customer_id: str) -> None:
    check_email(email)
    if role not in ROLES:
        raise Invalid(f"role must be one of {', '.join(ROLES)}")
    if role == "admin" and customer_id != ANY_CUSTOMER:
        raise Invalid("an admin is for every customer: use --customer '*'")
    if customer_id != ANY_CUSTOMER:
        check_customer(customer_id)
