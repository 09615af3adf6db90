"""Revocation: the token is destroyed here at once; Google is told until it answers, or 72 hours have passed.

``POST /revoke`` ends the whole permission of that Google user for this service's Cloud project, so other grants of the
same user die with it (https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from models.errors import DataKeyGone, SealBroken
from models.grant import Grant, GrantStatus
from models.keyring import OUTBOX, Keyring
from models.revocation import Revocation
from models.sealed import Secret
from models.session import Store
from oauth import places, protocol, store
from oauth.errors import TryLater
from oauth.google import Google

DEADLINE = timedelta(hours=72)


class Revocations:
    """The outbox of revocations."""

    def __init__(
        self, data: Store, keyring: Keyring, google: Google, *, clock: Callable[[], datetime]
    ) -> None:
        self._data, self._keyring, self._google, self._clock = data, keyring, google, clock

    def bury(self, session: Session, grant: Grant, now: datetime) -> None:
        """Take the grant's token, addresses and openings away, in the caller's transaction; again = nothing.

        The grant is ``revoking`` from here on. ``google`` becomes ``pending`` where there is a token to be told of,
        ``already_dead`` where there was none. Where it no longer opens (its key is destroyed: the row is of a restored
        backup), it is what Google said as the keyring knows it, or ``unconfirmed``.
        The caller destroys the grant's data key after its transaction, and then calls :meth:`attempt`.

        Raises:
            KekUnusable: keys cannot be unwrapped now; nothing was changed.
        """
        store.locked_grant(session, grant.grant_id)
        if grant.status in (GrantStatus.REVOKING, GrantStatus.REVOKED):
            return
        grant.google = self._outboxed(session, grant, now)
        grant.token, grant.token_expires_at = None, None
        grant.status, grant.purge_at = GrantStatus.REVOKING, None
        store.delete_consents(session, grant.grant_id)

    def attempt(self, grant_id: str) -> datetime | None:
        """Tell Google once; when to try again, or None where it is settled (or nothing is to be told).

        Settled means: the grant is ``revoked``, its ``google`` says how far, the token is in no row any more. After the
        deadline Google is not asked any more. Safe to repeat after a crash at any point.

        Raises:
            KekUnusable: the outbox's key cannot be unwrapped now.
        """
        with self._data.reading() as session:
            row = store.revocation(session, grant_id)
        if row is None:
            self._settle(grant_id, None)
            return None
        if known := self._keyring.outcomes.of(
            grant_id
        ):  # a restored backup's token; Google has answered long ago
            self._settle(grant_id, known)
            return None
        now = self._clock()
        token = self._opened(row)
        if token is None or now >= row.deadline:
            self._settle(grant_id, "unconfirmed")
            return None
        try:
            outcome = self._google.revoke(token)
        except TryLater:
            with self._data.transaction() as session:
                store.count_attempt(session, grant_id)
            return min(self._clock() + protocol.backoff(row.attempts), row.deadline)
        self._settle(grant_id, self._keyring.outcomes.keep(grant_id, outcome))
        return None

    def _outboxed(self, session: Session, grant: Grant, now: datetime) -> str:
        if grant.token is None:
            return "already_dead"
        try:
            owner = places.grant_owner(grant.grant_id)
            place = places.grant_token(grant.customer_id, grant.grant_id, grant.token_generation)
            plain = self._keyring.sealer(owner).open(place, grant.token)
        except (DataKeyGone, SealBroken):
            return self._keyring.outcomes.of(grant.grant_id) or "unconfirmed"
        session.add(self._row(grant, plain, now + DEADLINE))
        return "pending"

    def _row(self, grant: Grant, plain: bytes, deadline: datetime) -> Revocation:
        place = places.outbox_token(grant.customer_id, grant.grant_id)
        return Revocation(
            grant_id=grant.grant_id,
            customer_id=grant.customer_id,
            token=self._keyring.sealer(OUTBOX).seal(place, plain),
            deadline=deadline,
            attempts=0,
        )

    def _opened(self, row: Revocation) -> Secret | None:
        place = places.outbox_token(row.customer_id, row.grant_id)
        try:
            return Secret(self._keyring.sealer(OUTBOX).open(place, row.token).decode("ascii"))
        except (DataKeyGone, SealBroken):
            return None

    def _settle(self, grant_id: str, google: str | None) -> None:
        """The deleted ciphertext must be in no file either: its key, the outbox's, lives on."""
        with self._data.transaction() as session:
            store.settle_revocation(session, grant_id, google)
        self._data.checkpoint()
