"""Looking at passwords and codes: every attempt is counted before, for the account and for the network."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from ga_sync.accounts import codes, throttle, user_store
from ga_sync.accounts.errors import CodeRefused, SignInRefused
from ga_sync.accounts.passwords import Passwords
from ga_sync.accounts.users import USER
from models.keyring import SYSTEM, Keyring, Owner, Sealer
from models.sealed import Secret
from models.session import Store
from models.user import User

_REFUSED = "the e-mail address or the password is wrong"
_WRONG = "the code is wrong, or was used already"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a code proves, to be used up: the step of an app (of one secret), or a recovery code's hash."""

    generation: int
    step: int | None
    recovery: bytes | None


def recovery_reference(sealer: Sealer, code: str) -> bytes:
    """What is stored of a recovery code: a hash under the person's own key, which leaves with the account."""
    return sealer.blind("recovery_codes|code", codes.plain(code))


class Attempts:
    """Counts, then compares. What was right is absolved in the transaction that makes use of it."""

    def __init__(
        self, data: Store, keyring: Keyring, passwords: Passwords, clock: Callable[[], datetime]
    ) -> None:
        self._data, self._keyring, self._passwords, self._clock = data, keyring, passwords, clock

    def password(self, account: bytes, password: str, network: str) -> User:
        """The account of this reference, whose password it is.

        Raises:
            SignInRefused: the address or the password is wrong: always the same words, after the same work.
            SlowDown: too many attempts for this address (known or not) or from this network.
        """
        self._count(account, network)
        with self._data.reading() as session:
            row = user_store.by_reference(session, account)
        stored = row.password_hash if row is not None and row.disabled_at is None else None
        if not self._passwords.matches(stored, password) or row is None:
            raise SignInRefused(_REFUSED)
        return row

    def password_was_right(self, session: Session, account: bytes, network: str) -> None:
        """The account starts anew, in the caller's transaction."""
        throttle.absolve(session, account, self._source(network), self._clock())

    def code(self, row: User, code: str, network: str) -> Claim:
        """What a code proves for this account.

        Raises:
            CodeRefused: nothing.
            SlowDown: too many codes for this account or from this network.
        """
        self._count(self._codes_of(row), network)
        sealer, given = self._keyring.sealer(Owner(USER, row.user_id)), codes.plain(code)
        if row.factor_secret is None:
            raise CodeRefused(_WRONG)
        if codes.is_recovery(given):
            return Claim(row.factor_generation, None, recovery_reference(sealer, given))
        secret = Secret(sealer.open(row.factor_place(), row.factor_secret).decode())
        step = codes.step_of(secret, given, self._clock())
        if step is None:
            raise CodeRefused(_WRONG)
        return Claim(row.factor_generation, step, None)

    def use_up(self, session: Session, row: User, claim: Claim, network: str) -> None:
        """Let a code count, once, in the transaction that holds the account's row locked.

        Raises:
            CodeRefused: it was used, or belongs to a secret of before; nothing of the transaction may stay.
        """
        if claim.generation != row.factor_generation or not _is_new(session, row, claim):
            raise CodeRefused(_WRONG)
        throttle.absolve(session, self._codes_of(row), self._source(network), self._clock())

    def _count(self, account: bytes, network: str) -> None:
        counted = [(account, throttle.ACCOUNT_FREE), (self._source(network), throttle.NETWORK_FREE)]
        with self._data.transaction() as session:
            throttle.attempt(session, counted, self._clock())

    def _source(self, network: str) -> bytes:
        return self._keyring.sealer(SYSTEM).blind("throttles|network", network)

    def _codes_of(self, row: User) -> bytes:
        """Codes are counted apart: who knows the password cannot start them anew with it."""
        return self._keyring.sealer(SYSTEM).blind("throttles|code", row.user_id)


def _is_new(session: Session, row: User, claim: Claim) -> bool:
    """Use the code up; False where it was. No step comes twice, and none after a later one (RFC 6238 §5.2)."""
    if claim.recovery is not None:
        return user_store.take_recovery_code(session, row.user_id, claim.recovery)
    assert claim.step is not None, "a claim is a step or a recovery code"
    if row.factor_step is not None and claim.step <= row.factor_step:
        return False
    row.factor_step = claim.step
    return True
