"""How an answered consent ends: the grant is active with its token sealed, or nothing of the answer is kept."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.errors import DataKeyGone
from models.grant import Grant, GrantStatus
from models.keyring import Keyring, Sealer
from models.sealed import Secret
from models.session import Store
from oauth import places, protocol, store
from oauth.errors import ConsentUnfinished, StateRefused
from oauth.protocol import TokenAnswer

UNLINKED_LIFE = timedelta(days=7)
"""How long a grant without links is kept."""

CLOSED = (GrantStatus.REVOKING, GrantStatus.REVOKED)
WITHOUT_TOKEN = (GrantStatus.PENDING, GrantStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a consent ended: ``status`` is ``active``, or ``failed`` with its ``reason``.

    A reconnection that failed is ``failed`` here, while the grant keeps its own status and token.
    """

    grant_id: str
    customer_id: str
    status: str
    reason: str | None
    return_url: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An opening that Google answered in the right browser; its state is consumed."""

    grant_id: str
    customer_id: str
    return_url: str | None
    verifier: Secret

    def ended(self, status: str, reason: str | None) -> Completed:
        """How it ended."""
        return Completed(self.grant_id, self.customer_id, status, reason, self.return_url)

    def unfinished(self, reason: str) -> ConsentUnfinished:
        """That it did not end."""
        return ConsentUnfinished(self.grant_id, self.customer_id, self.return_url, reason)


class Outcomes:
    """What becomes of grants whose consent was answered."""

    def __init__(
        self, data: Store, keyring: Keyring, *, client_id: str, clock: Callable[[], datetime]
    ) -> None:
        self._data, self._keyring = data, keyring
        self._client_id, self._clock = client_id, clock

    def fail(self, answered: Answered, reason: str) -> Completed:
        """A grant that never had a token fails; one that has keeps it and its status."""
        with self._data.transaction() as session:
            grant = store.locked_grant(session, answered.grant_id)
            if grant is not None and grant.status in WITHOUT_TOKEN:
                grant.status, grant.reason = GrantStatus.FAILED, reason
        return answered.ended(GrantStatus.FAILED, reason)

    def activate(self, answered: Answered, answer: TokenAnswer, refresh_token: Secret) -> Completed:
        """Keep the token: the grant is active, and every address of it has done its work.

        A former token of the grant is replaced, and not revoked: that would end the new one too.

        Raises:
            StateRefused: the grant was revoked meanwhile; neither token nor key is left.
        """
        now = self._clock()
        sealer = self._grant_sealer(answered, now)
        floor, generation = self._keyring.floors.of(places.GRANT, answered.grant_id), 0
        with self._data.transaction() as session:
            grant = store.locked_grant(session, answered.grant_id)
            alive = grant is not None and grant.status not in CLOSED
            if grant is not None and alive:
                grant.token_generation = generation = max(grant.token_generation, floor) + 1
                self._keep(session, grant, sealer, answer, refresh_token, now)
                store.consume_consents(session, grant.grant_id, now)
        if not alive:
            self._keyring.destroy([places.grant_owner(answered.grant_id)], answered.customer_id, now)
            raise StateRefused
        self._keyring.floors.rise(places.GRANT, answered.grant_id, generation)
        return answered.ended(GrantStatus.ACTIVE, None)

    def _keep(
        self,
        session: Session,
        grant: Grant,
        sealer: Sealer,
        answer: TokenAnswer,
        refresh_token: Secret,
        now: datetime,
    ) -> None:
        place = places.grant_token(grant.customer_id, grant.grant_id, grant.token_generation)
        grant.token = sealer.seal(place, refresh_token.reveal().encode("ascii"))
        grant.token_expires_at = protocol.ends_at(now, answer)
        grant.client_id = self._client_id
        grant.refreshed_at = now
        grant.status, grant.reason = GrantStatus.ACTIVE, None
        grant.purge_at = None if store.has_links(session, grant.grant_id) else now + UNLINKED_LIFE

    def _grant_sealer(self, answered: Answered, now: datetime) -> Sealer:
        """The grant's data key, made where there is none yet; a destroyed one is never made anew."""
        owner = places.grant_owner(answered.grant_id)
        with suppress(DataKeyGone):
            return self._keyring.sealer(owner)
        try:
            return self._keyring.create(owner, answered.customer_id, now)
        except IntegrityError:  # another consent of the same grant made it in this moment
            return self._keyring.sealer(owner)
        except DataKeyGone:  # the grant was revoked
            raise StateRefused from None
