"""Every SQL statement about people and their sessions, and nothing else."""

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models.user import ConsoleSession, PendingSignIn, RecoveryCode, User

_AT_ONCE = 500


def by_reference(session: Session, email_ref: bytes, *, lock: bool = False) -> User | None:
    """Whose e-mail address has this keyed hash."""
    query = select(User).where(User.email_ref == email_ref)
    return session.scalars(query.with_for_update() if lock else query).first()


def by_setup(session: Session, setup_hash: bytes, *, lock: bool = False) -> User | None:
    """Whose set-password address this is."""
    query = select(User).where(User.setup_hash == setup_hash)
    return session.scalars(query.with_for_update() if lock else query).first()


def of_customer(session: Session, customer_id: str | None) -> list[User]:
    """The people of a customer, or all of them, oldest first."""
    query = select(User).order_by(User.created_at, User.user_id)
    return list(
        session.scalars(query if customer_id is None else query.where(User.customer_id == customer_id))
    )


def signed_in(session: Session, session_hash: bytes) -> tuple[ConsoleSession, User] | None:
    """A session and whose it is."""
    row = session.execute(
        select(ConsoleSession, User)
        .join(User, User.user_id == ConsoleSession.user_id)
        .where(ConsoleSession.session_hash == session_hash)
    ).first()
    return None if row is None else (row[0], row[1])


def seen(session: Session, session_hash: bytes, now: datetime) -> None:
    """A session was used."""
    session.execute(
        update(ConsoleSession).where(ConsoleSession.session_hash == session_hash).values(seen_at=now)
    )


def end(session: Session, session_hash: bytes) -> None:
    """One session is over."""
    session.execute(delete(ConsoleSession).where(ConsoleSession.session_hash == session_hash))


def end_all(session: Session, user_id: str) -> None:
    """Every session of a person is over, and so is every sign-in that owes its code."""
    session.execute(delete(ConsoleSession).where(ConsoleSession.user_id == user_id))
    session.execute(delete(PendingSignIn).where(PendingSignIn.user_id == user_id))


def end_others(session: Session, user_id: str, session_hash: bytes) -> None:
    """Every session of a person is over but one."""
    session.execute(
        delete(ConsoleSession).where(
            ConsoleSession.user_id == user_id, ConsoleSession.session_hash != session_hash
        )
    )


def owing(session: Session, pending_hash: bytes, now: datetime) -> User | None:
    """Whose sign-in owes its code, unless its time is over."""
    return session.scalars(
        select(User)
        .join(PendingSignIn, PendingSignIn.user_id == User.user_id)
        .where(PendingSignIn.pending_hash == pending_hash, PendingSignIn.expires_at > now)
    ).first()


def take_owing(session: Session, pending_hash: bytes) -> bool:
    """A sign-in owes its code no more; False where another did that before."""
    query = delete(PendingSignIn).where(PendingSignIn.pending_hash == pending_hash)
    return bool(session.scalars(query.returning(PendingSignIn.user_id)).all())


def take_recovery_code(session: Session, user_id: str, code_ref: bytes) -> bool:
    """Use a recovery code up; False where there is no such one."""
    query = delete(RecoveryCode).where(RecoveryCode.user_id == user_id, RecoveryCode.code_ref == code_ref)
    return bool(session.scalars(query.returning(RecoveryCode.user_id)).all())


def recovery_codes_left(session: Session, user_id: str) -> int:
    """How many recovery codes of a person were not used."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.scalar(query) or 0


def turn_factors_off(session: Session, user_ids: list[str]) -> None:
    """These people have no second factor; secrets and recovery codes are deleted, sign-ins that owe a code end."""
    off = {"factor_secret": None, "factor_begun_at": None, "factor_since": None, "factor_step": None}
    session.execute(update(User).where(User.user_id.in_(user_ids)).values(off))
    for table in (PendingSignIn, RecoveryCode):
        session.execute(delete(table).where(table.user_id.in_(user_ids)))


def forget_begun(session: Session, before: datetime) -> None:
    """Delete the secrets that nobody confirmed."""
    session.execute(
        update(User)
        .where(User.factor_since.is_(None), User.factor_begun_at <= before)
        .values(factor_secret=None, factor_begun_at=None)
    )


def disable(session: Session, user_ids: list[str], now: datetime) -> None:
    """These people sign in no more; who is disabled already keeps the date."""
    for user_id in user_ids:
        end_all(session, user_id)
    turn_factors_off(session, user_ids)
    over = {"password_hash": None, "setup_hash": None, "setup_expires_at": None}
    session.execute(
        update(User)
        .where(User.user_id.in_(user_ids), User.disabled_at.is_(None))
        .values(disabled_at=now, **over)
    )


def enabled_among(session: Session, user_ids: list[str]) -> list[str]:
    """Of these, the people that a restored backup enabled again."""
    return [one for one in _among(session, user_ids) if session.get_one(User, one).disabled_at is None]


def present_among(session: Session, user_ids: list[str]) -> list[str]:
    """Of these, the people whose rows are there."""
    return _among(session, user_ids)


def _among(session: Session, user_ids: list[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(user_ids), _AT_ONCE):
        query = select(User.user_id).where(User.user_id.in_(user_ids[start : start + _AT_ONCE]))
        found += session.scalars(query)
    return found


def expire(session: Session, idle_since: datetime, begun_before: datetime, now: datetime) -> None:
    """Delete the sessions that ended by themselves, and the sign-ins whose code never came."""
    session.execute(delete(PendingSignIn).where(PendingSignIn.expires_at <= now))
    session.execute(
        delete(ConsoleSession).where(
            (ConsoleSession.seen_at <= idle_since) | (ConsoleSession.created_at <= begun_before)
        )
    )


def remove(session: Session, user_ids: list[str]) -> None:
    """Delete people, their sessions and their recovery codes."""
    for table in (ConsoleSession, PendingSignIn, RecoveryCode):
        session.execute(delete(table).where(table.user_id.in_(user_ids)))
    session.execute(delete(User).where(User.user_id.in_(user_ids)))
