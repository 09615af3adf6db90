"""Signing in, and who is signed in.

A session is 32 random bytes in a cookie, stored as SHA-256: 30 minutes idle, 12 hours in all. Signing in gives a new
one always; a password that is set and an account that is disabled end every one of the person. Where the account has a
second factor, the right password gives a cookie of another name instead: for five minutes, for one right code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.accounts import throttle, user_store
from ga_sync.accounts.attempts import Attempts
from ga_sync.accounts.errors import CodeWanted, NotSignedIn, SignInRefused
from ga_sync.accounts.factors import BEGUN_FOR
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.users import Person, email_reference, person_of, token_hash
from models.audit import append
from models.keyring import Keyring
from models.session import Store
from models.user import ConsoleSession, PendingSignIn, User

IDLE, LIFE = timedelta(minutes=30), timedelta(hours=12)
PENDING_FOR = timedelta(minutes=5)
_TOUCH_EVERY = timedelta(minutes=1)
_REFUSED = "the e-mail address or the password is wrong"
_OVER = "the five minutes for the code are over: sign in again"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: ``cookie`` is its value, for this browser alone; ``max_age`` in seconds."""

    person: Person
    cookie: str
    max_age: int


def session_cookie(public_url: str) -> str:
    """The cookie's name: with the ``__Host-`` prefix (RFC 6265bis §4.1.3.2) where the address is https.

    It goes out HttpOnly, SameSite=Lax, with path ``/``, and Secure on https; on loopback http browsers and clients
    differ about Secure, so it is left out there.
    """
    return "__Host-ga_sync_session" if public_url.startswith("https") else "ga_sync_session"


def pending_cookie(public_url: str) -> str:
    """The name of the cookie of a browser that owes the code; it goes out as :func:`session_cookie` does."""
    return session_cookie(public_url).removesuffix("session") + "code"


def lives(session: ConsoleSession, now: datetime) -> bool:
    """Whether a session was used in the last 30 minutes and begun in the last 12 hours."""
    return session.seen_at > now - IDLE and session.created_at > now - LIFE


class Sessions:
    """Admits people, and tells who is there."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        passwords: Passwords,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._data, self._keyring, self._passwords = data, keyring, passwords
        self._clock, self._random = clock, random
        self._attempts = Attempts(data, keyring, passwords, clock)

    def sign_in(self, email: str, password: str, network: str, former: str | None = None) -> SignedIn:
        """A new session.

        Args:
            email: as typed.
            password: as typed.
            network: the browser's network address, to slow down who guesses from it.
            former: the session cookie that the browser came with, whose session ends.

        Raises:
            SignInRefused: the address or the password is wrong: always the same words, after the same work.
            CodeWanted: both are right, and the account has a second factor; go on with :meth:`finish`.
            SlowDown: too many attempts for this address (known or not) or from this network.
        """
        account = email_reference(self._keyring, email)
        proved = self._attempts.password(account, password, network)
        renewed, token, now = self._renewed(proved, password), self._random(32).hex(), self._clock()
        with self._data.transaction() as session:
            row = session.get(User, proved.user_id, with_for_update=True)
            if row is None or row.password_hash != proved.password_hash:  # changed or disabled in this moment
                raise SignInRefused(_REFUSED)
            self._attempts.password_was_right(session, account, network)
            row.password_hash = renewed
            owes = row.factor_since is not None
            if owes:
                session.add(_pending(row, token, now + PENDING_FOR))
            else:
                self._begin(session, row, token, former)
        if owes:
            raise CodeWanted(token, int(PENDING_FOR.total_seconds()))
        return self._signed_in(row, token)

    def finish(self, pending: str | None, code: str, network: str, former: str | None = None) -> SignedIn:
        """A new session, for a browser that knew the password.

        Args:
            pending: the cookie that came with CodeWanted.
            code: as typed, of the app or a recovery code.
            network: as for :meth:`sign_in`.
            former: the same.

        Raises:
            NotSignedIn: the five minutes are over, or the password was never given in this browser.
            CodeRefused: the code is wrong or was used; try again.
            SlowDown: too many codes for this account or from this network.
        """
        hashed = token_hash(pending or "")
        proved = self._owing(hashed)
        claim, token = self._attempts.code(proved, code, network), self._random(32).hex()
        with self._data.transaction() as session:
            row = session.get(User, proved.user_id, with_for_update=True)
            if row is None or not user_store.take_owing(session, hashed):  # ended in this moment
                raise NotSignedIn(_OVER)
            self._attempts.use_up(session, row, claim, network)
            self._begin(session, row, token, former)
        return self._signed_in(row, token)

    def _signed_in(self, row: User, token: str) -> SignedIn:
        return SignedIn(person_of(self._keyring, row), token, int(LIFE.total_seconds()))

    def _owing(self, hashed: bytes) -> User:
        with self._data.reading() as session:
            row = user_store.owing(session, hashed, self._clock())
        if row is None:
            raise NotSignedIn(_OVER)
        return row

    def require_pending(self, pending: str | None) -> None:
        """Raises NotSignedIn unless this browser knew a password and owes the code."""
        self._owing(token_hash(pending or ""))

    def _renewed(self, row: User, password: str) -> str | None:
        """What to store: where a password was hashed more cheaply than today, it is hashed anew."""
        stored = row.password_hash
        return self._passwords.renewed(stored, password) if stored is not None else None

    def _begin(self, session: Session, row: User, token: str, former: str | None) -> None:
        """A session of its own, last in the caller's transaction."""
        now = self._clock()
        if former is not None:
            user_store.end(session, token_hash(former))
        row.last_login_at = now
        session.add(_entry(row, token, now))
        append(session, now, f"user:{row.user_id}", "session.begin", row.user_id, row.customer_id)

    def person(self, cookie: str | None) -> Person:
        """Who is signed in with this cookie; the idle time starts anew. Raises NotSignedIn."""
        now, hashed = self._clock(), token_hash(cookie or "")
        with self._data.reading() as session:
            found = user_store.signed_in(session, hashed)
        if found is None or not lives(found[0], now):
            raise NotSignedIn("sign in first")
        if found[0].seen_at <= now - _TOUCH_EVERY:
            with self._data.transaction() as session:
                user_store.seen(session, hashed, now)
        return person_of(self._keyring, found[1])

    def sign_out(self, cookie: str | None) -> None:
        """End this session; nothing happens where there is none."""
        with self._data.transaction() as session:
            user_store.end(session, token_hash(cookie or ""))

    def expire(self) -> None:
        """Delete the sessions and beginnings that ended by themselves, and attempts that are a day old."""
        now = self._clock()
        with self._data.transaction() as session:
            user_store.expire(session, now - IDLE, now - LIFE, now)
            user_store.forget_begun(session, now - BEGUN_FOR)
            throttle.expire(session, now)


def _entry(row: User, token: str, now: datetime) -> ConsoleSession:
    return ConsoleSession(
        session_hash=token_hash(token),
        user_id=row.user_id,
        customer_id=row.customer_id,
        created_at=now,
        seen_at=now,
    )


def _pending(row: User, token: str, expires_at: datetime) -> PendingSignIn:
    return PendingSignIn(
        pending_hash=token_hash(token),
        user_id=row.user_id,
        customer_id=row.customer_id,
        expires_at=expires_at,
    )
