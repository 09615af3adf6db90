"""Writing and checking the audit chain."""

import hashlib
import json
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.audit_event import AuditEvent

_ROOT = b"\0" * 32


def digest(
    before: bytes, number: int, at: datetime, actor: str, verb: str, object_: str, customer_id: str
) -> bytes:
    """SHA-256 over the former digest and this event."""
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    body = json.dumps([number, stamp, actor, verb, object_, customer_id]).encode()
    return hashlib.sha256(before + body).digest()


def append(session: Session, at: datetime, actor: str, verb: str, object_: str, customer_id: str) -> None:
    """Add one event in the caller's transaction; the primary key makes two writers of one number collide."""
    last = session.scalars(
        select(AuditEvent).order_by(AuditEvent.number.desc()).limit(1).with_for_update()
    ).first()
    number, before = (last.number + 1, last.digest) if last else (1, _ROOT)
    session.add(
        AuditEvent(
            number=number,
            at=at,
            actor=actor,
            verb=verb,
            object=object_,
            customer_id=customer_id,
            digest=digest(before, number, at, actor, verb, object_, customer_id),
        )
    )


def first_break(session: Session) -> int | None:
    """The number of the first event that does not follow from its past; None where the chain is whole."""
    before, expected = _ROOT, 1
    for event in session.scalars(select(AuditEvent).order_by(AuditEvent.number)):
        after = digest(
            before, event.number, event.at, event.actor, event.verb, event.object, event.customer_id
        )
        if event.number != expected or after != event.digest:
            return event.number
        before, expected = event.digest, expected + 1
    return None
