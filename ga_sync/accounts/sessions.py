"""Signing in, and who is signed in.

A session is 32 random bytes in a cookie, stored as SHA-256: 30 minutes idle, 12 hours in all. Signing in gives a new
one always; a password that is set and an account that is disabled end every one of the person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ga_sync.accounts import throttle, user_store
from ga_sync.accounts.errors import NotSignedIn, SignInRefused
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.users import Person, email_reference, person_of, token_hash
from models.audit import append
from models.keyring import SYSTEM, Keyring
from models.session import Store
from models.user import ConsoleSession, User

IDLE, LIFE = timedelta(minutes=30), timedelta(hours=12)
_TOUCH_EVERY = timedelta(minutes=1)
_REFUSED = "the e-mail address or the password is wrong"


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

    def sign_in(self, email: str, password: str, network: str, former: str | None = None) -> SignedIn:
        """A new session.

        Args:
            email: as typed.
            password: as typed.
            network: the browser's network address, to slow down who guesses from it.
            former: the session cookie that the browser came with, whose session ends.

        Raises:
            SignInRefused: the address or the password is wrong: always the same words, after the same work.
            SlowDown: too many attempts for this address (known or not) or from this network.
        """
        account = email_reference(self._keyring, email)
        source = self._keyring.sealer(SYSTEM).blind("throttles|network", network)
        counted = [(account, throttle.ACCOUNT_FREE), (source, throttle.NETWORK_FREE)]
        with self._data.transaction() as session:
            throttle.attempt(session, counted, self._clock())
        with self._data.reading() as session:
            row = user_store.by_reference(session, account)
        stored = row.password_hash if row is not None and row.disabled_at is None else None
        if not self._passwords.matches(stored, password) or row is None:
            raise SignInRefused(_REFUSED)
        return self._begin(row, self._renewed(row, password), (account, source), former)

    def _renewed(self, row: User, password: str) -> str | None:
        """What to store: where a password was hashed more cheaply than today, it is hashed anew."""
        stored = row.password_hash
        return self._passwords.renewed(stored, password) if stored is not None else None

    def _begin(
        self, proved: User, renewed: str | None, counted: tuple[bytes, bytes], former: str | None
    ) -> SignedIn:
        token, now = self._random(32).hex(), self._clock()
        with self._data.transaction() as session:
            row = session.get(User, proved.user_id, with_for_update=True)
            if row is None or row.password_hash != proved.password_hash:  # changed or disabled in this moment
                raise SignInRefused(_REFUSED)
            throttle.absolve(session, *counted, now)
            if former is not None:
                user_store.end(session, token_hash(former))
            row.last_login_at, row.password_hash = now, renewed
            session.add(_entry(row, token, now))
            append(session, now, f"user:{row.user_id}", "session.begin", row.user_id, row.customer_id)
        return SignedIn(person_of(self._keyring, row), token, int(LIFE.total_seconds()))

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
        """Delete the sessions that ended by themselves, and attempts that are a day old."""
        now = self._clock()
        with self._data.transaction() as session:
            user_store.expire(session, now - IDLE, now - LIFE)
            throttle.expire(session, now)


def _entry(row: User, token: str, now: datetime) -> ConsoleSession:
    return ConsoleSession(
        session_hash=token_hash(token),
        user_id=row.user_id,
        customer_id=row.customer_id,
        created_at=now,
        seen_at=now,
    )
