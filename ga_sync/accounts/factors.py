"""A second factor of one's own: turned on with a right code, off with password and code, reset by somebody else.

Between beginning and the first right code nothing changes. Turned on, it is asked at each sign-in, after the password.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.accounts import codes, user_store
from ga_sync.accounts.attempts import Attempts, recovery_reference
from ga_sync.accounts.errors import Conflict, NotFound, SignInRefused
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.users import USER, Person, email_reference, person_of, token_hash
from models.audit import append
from models.keyring import Keyring, Owner
from models.sealed import Secret
from models.session import Store
from models.user import RecoveryCode, User

BEGUN_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authenticator app needs, shown once: the secret in base32, and the address that a QR code holds."""

    secret: Secret
    address: Secret


@dataclass(frozen=True, slots=True)
class Factor:
    """A person's second factor: on ``since``, or off (None); ``codes_left`` of ten recovery codes."""

    since: datetime | None
    codes_left: int


class Factors:
    """Turns second factors on and off."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        passwords: Passwords,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._data, self._keyring, self._clock, self._random = data, keyring, clock, random
        self._attempts = Attempts(data, keyring, passwords, clock)

    def of(self, person: Person) -> Factor:
        """How it stands."""
        with self._data.reading() as session:
            row = session.get_one(User, person.user_id)
            return Factor(row.factor_since, user_store.recovery_codes_left(session, person.user_id))

    def begin(self, person: Person, password: str, network: str) -> Enrolment:
        """A new secret, to be confirmed within 15 minutes; one that was begun before is void.

        Raises:
            SignInRefused: the password is wrong.
            SlowDown: too many attempts.
            Conflict: it is on already.
        """
        proved = self._proved(person, password, network)
        secret = codes.new_secret(self._random)
        sealer = self._keyring.sealer(Owner(USER, person.user_id))
        with self._data.transaction() as session:
            row = _locked(session, proved)
            if row.factor_since is not None:
                raise Conflict("the second factor is on already")
            row.factor_generation += 1
            row.factor_secret = sealer.seal(row.factor_place(), secret.reveal().encode())
            row.factor_begun_at, row.factor_step = self._clock(), None
        return Enrolment(secret, codes.app_address(secret, person.email))

    def confirm(self, person: Person, code: str, network: str, cookie: str) -> list[str]:
        """Turn it on with the first right code: the recovery codes, for the only time.

        Every session of the person ends but the one of ``cookie``, for they began without it.

        Raises:
            CodeRefused: wrong; what was begun can still be confirmed.
            SlowDown: too many attempts.
            Conflict: nothing was begun in the last 15 minutes, or it is on already.
        """
        with self._data.reading() as session:
            begun = session.get_one(User, person.user_id)
        self._require_begun(begun)
        claim = self._attempts.code(begun, code, network)
        texts, sealer = codes.recovery_codes(self._random), self._keyring.sealer(Owner(USER, person.user_id))
        with self._data.transaction() as session:
            row = _locked(session, begun)
            self._require_begun(row)
            self._attempts.use_up(session, row, claim, network)
            row.factor_since, row.factor_begun_at = self._clock(), None
            user_store.end_others(session, row.user_id, token_hash(cookie))
            for text in texts:
                reference = recovery_reference(sealer, text)
                session.add(
                    RecoveryCode(code_ref=reference, user_id=row.user_id, customer_id=row.customer_id)
                )
            self._note(session, row, person.actor, "factor.on")
        return texts

    def _proved(self, person: Person, password: str, network: str) -> User:
        """The person's account, after the password. What it counted goes at once: a code has a count of its own."""
        account = email_reference(self._keyring, person.email)
        proved = self._attempts.password(account, password, network)
        with self._data.transaction() as session:
            self._attempts.password_was_right(session, account, network)
        return proved

    def _require_begun(self, row: User) -> None:
        if row.factor_since is not None:
            raise Conflict("the second factor is on already")
        if row.factor_begun_at is None or row.factor_begun_at <= self._clock() - BEGUN_FOR:
            raise Conflict("this was begun too long ago: begin again")

    def turn_off(self, person: Person, password: str, code: str, network: str) -> None:
        """Ask for the password alone from now on; secret and recovery codes are deleted.

        Raises:
            SignInRefused, CodeRefused: the password or the code is wrong.
            SlowDown: too many attempts.
            Conflict: it is off already.
        """
        proved = self._proved(person, password, network)
        if proved.factor_since is None:
            raise Conflict("the second factor is off already")
        claim = self._attempts.code(proved, code, network)
        with self._data.transaction() as session:
            row = _locked(session, proved)
            self._attempts.use_up(session, row, claim, network)
            user_store.turn_factors_off(session, [row.user_id])
            self._note(session, row, person.actor, "factor.off")

    def reset(self, email: str, actor: str) -> Person:
        """Turn off the second factor of somebody who lost the app and the codes; every session of theirs ends.

        Raises:
            NotFound: no such account, or it has no second factor.
            Conflict: the account is the actor's own.
        """
        with self._data.transaction() as session:
            row = user_store.by_reference(session, email_reference(self._keyring, email), lock=True)
            if row is None or row.factor_since is None:
                raise NotFound("there is no account of this address with a second factor")
            if actor == f"user:{row.user_id}":
                raise Conflict("turn your own second factor off on its page, with password and code")
            user_store.turn_factors_off(session, [row.user_id])
            user_store.end_all(session, row.user_id)
            self._note(session, row, actor, "factor.reset")
        return person_of(self._keyring, row)

    def _note(self, session: Session, row: User, actor: str, verb: str) -> None:
        append(session, self._clock(), actor, verb, row.user_id, row.customer_id)


def _locked(session: Session, proved: User) -> User:
    """The account's row, until the transaction ends. Raises SignInRefused where it changed since it was read."""
    row = session.get(User, proved.user_id, with_for_update=True)
    if row is None or row.password_hash != proved.password_hash:
        raise SignInRefused("the account was changed in this moment: sign in again")
    return row
