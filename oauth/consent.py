"""Consent: an address is given out, opened in a browser, and finished by Google's answer.

Between the two transactions of :meth:`Consents.complete` stands the one call to Google; the state is gone before it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from models.consent import Consent, ConsentState
from models.grant import Grant, GrantStatus
from models.keyring import SYSTEM, Keyring, Sealer
from models.sealed import Secret
from models.session import Store
from oauth import places, protocol, store
from oauth.errors import (
    ConsentExpired,
    ConsentRefused,
    ConsentUnknown,
    ConsentUsed,
    GrantClosed,
    GrantDead,
    GrantUnknown,
    StateRefused,
    TryLater,
)
from oauth.google import Google
from oauth.outcome import CLOSED, WITHOUT_TOKEN, Answered, Completed, Outcomes

ADDRESS_LIFE = timedelta(hours=24)
STATE_LIFE = timedelta(minutes=10)
_SECRET_BYTES = 32
_VERIFIER_BYTES = 64


@dataclass(frozen=True, slots=True)
class Begun:
    """A new address: its secret (shown once, stored hashed) and when it ends."""

    grant_id: str
    ticket: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentView:
    """What the guided page may say about an open address; ``status`` is the grant's."""

    customer_id: str
    grant_id: str
    expires_at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Opening:
    """Where the browser goes, and the opaque cookie that binds it, for ``max_age`` seconds."""

    location: str
    browser: str
    max_age: int

    def __repr__(self) -> str:
        return f"<opening, {self.max_age} s>"


def status_at(grant: Grant, now: datetime) -> tuple[str, str | None]:
    """Status and reason as they are to be shown: an address that nobody finished in time has failed."""
    if grant.status == GrantStatus.PENDING and grant.expires_at <= now:
        return GrantStatus.FAILED, "expired"
    return grant.status, grant.reason


class Consents:
    """Every consent of this service.

    ``random(n)`` gives n random bytes; ``new_id()`` a new id of at most 36 characters.
    """

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        google: Google,
        *,
        client_id: str,
        public_url: str,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        new_id: Callable[[], str],
        activated: Callable[[str, str], object] = lambda _grant_id, _customer_id: None,
    ) -> None:
        """Consents of ``data``; ``activated`` is told each grant (and its customer) that has got a new permission."""
        self._activated = activated
        self._data, self._keyring, self._google = data, keyring, google
        self._outcomes = Outcomes(data, keyring, client_id=client_id, clock=clock)
        self._client_id, self._public_url = client_id, public_url
        self._clock, self._random, self._new_id = clock, random, new_id

    def begin(self, customer_id: str, return_url: str | None = None, grant_id: str | None = None) -> Begun:
        """Give out an address for a new grant, or one that reconnects ``grant_id``.

        ``return_url`` is taken as it is: whether its origin is allowed is the caller's check.

        Raises:
            GrantUnknown: ``grant_id`` is not one of this customer's.
            GrantClosed: it is revoked or being revoked.
        """
        expires_at = self._clock() + ADDRESS_LIFE
        ticket = self._token()
        with self._data.transaction() as session:
            grant = self._grant_for(session, customer_id, grant_id, expires_at)
            session.add(
                Consent(
                    consent_id=self._new_id(),
                    grant_id=grant.grant_id,
                    customer_id=customer_id,
                    ticket_hash=protocol.fingerprint(ticket),
                    return_url=return_url,
                    expires_at=expires_at,
                )
            )
        return Begun(grant.grant_id, Secret(ticket), expires_at)

    def describe(self, ticket: str) -> ConsentView:
        """What an open address is about.

        Raises:
            ConsentUnknown, ConsentUsed, ConsentExpired: it is not open.
        """
        with self._data.reading() as session:
            consent, grant = self._open_address(session, ticket)
            status, _ = status_at(grant, self._clock())
            return ConsentView(consent.customer_id, consent.grant_id, consent.expires_at, status)

    def open(self, ticket: str) -> Opening:
        """Start Google's consent page in this browser; the former opening of the address is dead from here on.

        A failed grant is pending again: the customer tries once more.

        Raises:
            ConsentUnknown, ConsentUsed, ConsentExpired: the address is not open.
        """
        state, browser, verifier = self._token(), self._token(), Secret(self._token(_VERIFIER_BYTES))
        system = self._keyring.sealer(SYSTEM)
        now = self._clock()
        with self._data.transaction() as session:
            consent, grant = self._open_address(session, ticket, lock=True)
            until = min(now + STATE_LIFE, consent.expires_at)
            store.replace_state(session, _state(consent, state, browser, verifier, system, until))
            if grant.status == GrantStatus.FAILED:
                grant.status, grant.reason = GrantStatus.PENDING, None
        location = protocol.authorize_url(
            self._google.endpoints, self._client_id, self._public_url, Secret(state), verifier
        )
        return Opening(location, browser, int((until - now).total_seconds()))

    def complete(self, params: Mapping[str, str], browser: str | None) -> Completed:
        """Finish a consent with what Google sent to the callback and the cookie of the browser that brought it.

        Raises:
            StateRefused: nothing of ours waits for this answer in this browser; nothing is stored.
            ConsentUnfinished: Google refused the code or failed; the address can be opened again.
            OurFault: Google refuses our client; the address can be opened again.
        """
        answered = self._take(params.get("state", ""), browser)
        protocol.require_issuer(params, self._google.endpoints)
        if params.get("error") == "access_denied":
            return self._outcomes.fail(answered, "denied")
        code = protocol.read_code(params)
        if code is None:
            raise answered.unfinished(protocol.why_no_code(params))
        try:
            answer = self._google.exchange(code, answered.verifier, protocol.redirect_uri(self._public_url))
            refresh_token = protocol.require_refresh_token(answer)
        except ConsentRefused as refused:
            return self._outcomes.fail(answered, refused.reason)
        except GrantDead as dead:
            raise answered.unfinished(dead.reason) from None
        except TryLater:
            raise answered.unfinished("unavailable") from None
        completed = self._outcomes.activate(answered, answer, refresh_token)
        self._activated(completed.grant_id, completed.customer_id)
        return completed

    def expire_pending(self, now: datetime) -> Sequence[store.Expired]:
        """Fail every pending grant whose address has expired by ``now``: those that failed in this call."""
        with self._data.transaction() as session:
            return store.expire_pending(session, now, "expired")

    def _token(self, size: int = _SECRET_BYTES) -> str:
        return protocol.opaque(self._random(size))

    def _grant_for(
        self, session: Session, customer_id: str, grant_id: str | None, expires_at: datetime
    ) -> Grant:
        if grant_id is not None:
            return _reopened(store.locked_grant(session, grant_id), customer_id, expires_at)
        grant = Grant(
            grant_id=self._new_id(),
            customer_id=customer_id,
            status=GrantStatus.PENDING,
            created_at=self._clock(),
            expires_at=expires_at,
        )
        session.add(grant)
        return grant

    def _open_address(self, session: Session, ticket: str, *, lock: bool = False) -> tuple[Consent, Grant]:
        ticket_hash = protocol.fingerprint(ticket)
        consent = store.consent_by_ticket(session, ticket_hash)
        if consent is None:
            raise ConsentUnknown
        grant = (store.locked_grant if lock else store.grant)(session, consent.grant_id)
        if grant is None or grant.status in CLOSED:
            raise ConsentUnknown
        store.reread(session, consent)
        if consent.consumed_at is not None:
            raise ConsentUsed
        if consent.expires_at <= self._clock():
            raise ConsentExpired
        return consent, grant

    def _take(self, state: str, browser: str | None) -> Answered:
        """Consume the state, then check it: an attempt from a foreign browser ends it too."""
        state_hash = protocol.fingerprint(state)
        with self._data.transaction() as session:
            held = store.take_state(session, state_hash)
            consent = store.consent(session, held.consent_id) if held is not None else None
        if held is None or consent is None:
            raise StateRefused
        bound = protocol.same(held.browser_hash, browser)
        if not bound or held.expires_at <= self._clock() or consent.consumed_at is not None:
            raise StateRefused
        place = places.state_verifier(held.customer_id, state_hash)
        verifier = self._keyring.sealer(SYSTEM).open(place, held.verifier).decode("ascii")
        return Answered(consent.grant_id, consent.customer_id, consent.return_url, Secret(verifier))


def _reopened(grant: Grant | None, customer_id: str, expires_at: datetime) -> Grant:
    """A grant that is to be reconnected; one that lives keeps its status until the new consent is finished."""
    if grant is None or grant.customer_id != customer_id:
        raise GrantUnknown
    if grant.status in CLOSED:
        raise GrantClosed
    if grant.status in WITHOUT_TOKEN:
        grant.status, grant.reason, grant.expires_at = GrantStatus.PENDING, None, expires_at
    return grant


def _state(
    consent: Consent, state: str, browser: str, verifier: Secret, system: Sealer, until: datetime
) -> ConsentState:
    state_hash = protocol.fingerprint(state)
    place = places.state_verifier(consent.customer_id, state_hash)
    return ConsentState(
        state_hash=state_hash,
        consent_id=consent.consent_id,
        customer_id=consent.customer_id,
        browser_hash=protocol.fingerprint(browser),
        verifier=system.seal(place, verifier.reveal().encode("ascii")),
        expires_at=until,
    )
