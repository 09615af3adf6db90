"""Every SQL statement of this package. Nothing here commits, decides, or opens what is sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from models.consent import Consent, ConsentState
from models.grant import Grant, GrantStatus
from models.link import Link, LinkStatus
from models.revocation import Revocation
from models.sealed import Sealed

_TOKEN_BEARING = (GrantStatus.ACTIVE, GrantStatus.RECONSENT_REQUIRED)


@dataclass(frozen=True, slots=True)
class Expired:
    """A grant whose address nobody finished in time."""

    grant_id: str
    customer_id: str


def grant(session: Session, grant_id: str) -> Grant | None:
    """A grant as it is."""
    return session.get(Grant, grant_id)


def locked_grant(session: Session, grant_id: str) -> Grant | None:
    """A grant that nobody else changes until this transaction ends, with what this one changed so far.

    Whoever needs a grant and its addresses locks the grant first: two transactions then never wait in a circle.
    """
    session.flush()
    return session.get(Grant, grant_id, with_for_update=True, populate_existing=True)


def token_generations(session: Session) -> dict[str, int]:
    """How often the token of each grant was written."""
    return {
        row.grant_id: row.token_generation
        for row in session.execute(select(Grant.grant_id, Grant.token_generation))
    }


def has_links(session: Session, grant_id: str) -> bool:
    """Whether any link that is not removed rests on the grant."""
    standing = exists().where(Link.grant_id == grant_id, Link.status != LinkStatus.REMOVED)
    return bool(session.scalar(select(standing)))


def consent(session: Session, consent_id: str) -> Consent | None:
    """One address, by its row."""
    return session.get(Consent, consent_id)


def consent_by_ticket(session: Session, ticket_hash: bytes) -> Consent | None:
    """One address, by the fingerprint of its secret."""
    return session.scalars(select(Consent).where(Consent.ticket_hash == ticket_hash)).first()


def reread(session: Session, consent: Consent) -> None:
    """See what another transaction did to the address before this one had its grant to itself."""
    session.refresh(consent)


def consume_consents(session: Session, grant_id: str, now: datetime) -> None:
    """Every address of the grant has done its work, and no opening of one may be answered any more."""
    _delete_states(session, grant_id)
    session.execute(
        update(Consent)
        .where(Consent.grant_id == grant_id, Consent.consumed_at.is_(None))
        .values(consumed_at=now)
        .execution_options(synchronize_session=False)
    )


def delete_consents(session: Session, grant_id: str) -> None:
    """Every address of the grant, and every opening of one, is gone."""
    _delete_states(session, grant_id)
    session.execute(
        delete(Consent).where(Consent.grant_id == grant_id).execution_options(synchronize_session=False)
    )


def _delete_states(session: Session, grant_id: str) -> None:
    ours = select(Consent.consent_id).where(Consent.grant_id == grant_id)
    session.execute(
        delete(ConsentState)
        .where(ConsentState.consent_id.in_(ours))
        .execution_options(synchronize_session=False)
    )


def replace_state(session: Session, state: ConsentState) -> None:
    """A new opening of an address; the former one is dead from here on."""
    session.execute(
        delete(ConsentState)
        .where(ConsentState.consent_id == state.consent_id)
        .execution_options(synchronize_session=False)
    )
    session.add(state)


def take_state(session: Session, state_hash: bytes) -> ConsentState | None:
    """An opening, deleted by being read: of any number of takers one gets it."""
    return session.scalars(
        delete(ConsentState)
        .where(ConsentState.state_hash == state_hash)
        .returning(ConsentState)
        .execution_options(synchronize_session=False)
    ).first()


def expire_pending(session: Session, now: datetime, reason: str) -> Sequence[Expired]:
    """Fail every pending grant whose address has expired, and drop openings that nobody may answer."""
    rows = session.execute(
        update(Grant)
        .where(Grant.status == GrantStatus.PENDING, Grant.expires_at <= now)
        .values(status=GrantStatus.FAILED, reason=reason)
        .returning(Grant.grant_id, Grant.customer_id)
        .execution_options(synchronize_session=False)
    )
    expired = [Expired(grant_id, customer_id) for grant_id, customer_id in rows]
    session.execute(
        delete(ConsentState)
        .where(ConsentState.expires_at <= now)
        .execution_options(synchronize_session=False)
    )
    return expired


def mark_refreshed(
    session: Session, grant_id: str, generation: int, now: datetime, token_expires_at: datetime | None
) -> bool:
    """Note that Google honours this very token; False where it is no longer the active one."""
    return _swap(
        session,
        grant_id,
        generation,
        (GrantStatus.ACTIVE,),
        {"refreshed_at": now, "token_expires_at": token_expires_at},
    )


def replace_token(
    session: Session,
    grant_id: str,
    generation: int,
    token: Sealed,
    now: datetime,
    token_expires_at: datetime | None,
) -> bool:
    """Put a rotated token in the place of the one of ``generation``; False where another is there already.

    A grant that was given up because of the former token meanwhile lives again.
    """
    values = {
        "token": token,
        "token_generation": generation + 1,
        "token_expires_at": token_expires_at,
        "refreshed_at": now,
        "status": GrantStatus.ACTIVE,
        "reason": None,
    }
    return _swap(session, grant_id, generation, _TOKEN_BEARING, values)


def mark_dead(session: Session, grant_id: str, generation: int, reason: str, purge_at: datetime) -> bool:
    """Give the grant up because this very token is dead; False where the token is another one by now."""
    values = {"status": GrantStatus.RECONSENT_REQUIRED, "reason": reason, "purge_at": purge_at}
    return _swap(session, grant_id, generation, (GrantStatus.ACTIVE,), values)


def _swap(
    session: Session,
    grant_id: str,
    generation: int,
    statuses: tuple[GrantStatus, ...],
    values: dict[str, object],
) -> bool:
    changed = session.execute(
        update(Grant)
        .where(Grant.grant_id == grant_id, Grant.token_generation == generation, Grant.status.in_(statuses))
        .values(**values)
        .returning(Grant.grant_id)
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None


def revocation(session: Session, grant_id: str) -> Revocation | None:
    """What is still to be told to Google about a grant."""
    return session.get(Revocation, grant_id)


def count_attempt(session: Session, grant_id: str) -> None:
    """One more call to Google brought nothing."""
    session.execute(
        update(Revocation)
        .where(Revocation.grant_id == grant_id)
        .values(attempts=Revocation.attempts + 1)
        .execution_options(synchronize_session=False)
    )


def settle_revocation(session: Session, grant_id: str, google: str | None) -> None:
    """The grant is revoked, ``google`` (None: as it stands) says how far; the token on its way is gone."""
    session.execute(
        delete(Revocation).where(Revocation.grant_id == grant_id).execution_options(synchronize_session=False)
    )
    values = {"status": GrantStatus.REVOKED, **({} if google is None else {"google": google})}
    session.execute(
        update(Grant)
        .where(Grant.grant_id == grant_id, Grant.status == GrantStatus.REVOKING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
