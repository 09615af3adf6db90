"""Writing and checking the audit chain.

Each event carries SHA-256 over the digest before it and itself; the head carries the number and digest of the last
one. The chain shows a change, a gap or a cut to whoever reads it; it is not keyed, so a hand that may write every row
of both tables can make a chain of its own. Events leave at the beginning (:func:`trim`); the chain goes on from there.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import delete, func, literal, select, text, true
from sqlalchemy.orm import Session

from models.audit_event import AuditEvent, AuditHead

_ROOT = b"\0" * 32
_HEAD = 1
_AT_ONCE = 1_000
_FIRST_HEAD = text(
    "INSERT INTO audit_head (head_id, number, digest) VALUES (:head_id, 0, :digest) ON CONFLICT DO NOTHING"
)


def digest(
    before: bytes, number: int, at: datetime, actor: str, verb: str, object_: str, customer_id: str
) -> bytes:
    """SHA-256 over the former digest and this event."""
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    body = json.dumps([number, stamp, actor, verb, object_, customer_id]).encode()
    return hashlib.sha256(before + body).digest()


def append(session: Session, at: datetime, actor: str, verb: str, object_: str, customer_id: str) -> None:
    """Add one event in the caller's transaction; call it last there.

    Every writer waits for the head until the former one has committed, so what was changed before is written before:
    no transaction takes another lock while it holds the head.

    Raises:
        IntegrityError: there are events without a head; :func:`first_break` tells where.
    """
    session.flush()
    head = _locked_head(session)
    number = head.number + 1
    after = digest(head.digest, number, at, actor, verb, object_, customer_id)
    session.add(
        AuditEvent(
            number=number,
            at=at,
            actor=actor,
            verb=verb,
            object=object_,
            customer_id=customer_id,
            digest=after,
        )
    )
    head.number, head.digest = number, after
    session.flush()


def _locked_head(session: Session) -> AuditHead:
    head = session.get(AuditHead, _HEAD, with_for_update=True)
    if (
        head is None
    ):  # the first event of all; of two writers at once, one makes the head and both wait for it
        session.execute(_FIRST_HEAD, {"head_id": _HEAD, "digest": _ROOT})
        head = session.get_one(AuditHead, _HEAD, with_for_update=True)
    return head


def trim(session: Session, before: datetime) -> int:
    """Let the oldest events go, those from before a moment, in the caller's transaction; how many went.

    The digest of the last of them stays, so that the rest of the chain is checked as before. An event that is older
    than one written before it (the clock was put back) waits for that one.
    """
    head = _locked_head(session)
    first_kept = session.scalar(select(func.min(AuditEvent.number)).where(AuditEvent.at >= before))
    last = head.number if first_kept is None else first_kept - 1
    if last <= (head.trimmed or 0):
        return 0
    end = session.scalar(select(AuditEvent.digest).where(AuditEvent.number == last))
    if end is None:  # the chain is broken there: what is left of it stays as evidence
        return 0
    gone = last - (head.trimmed or 0)
    head.trimmed, head.trimmed_digest = last, end
    session.execute(delete(AuditEvent).where(AuditEvent.number <= last))
    return gone


class _Read(NamedTuple):
    """An event beside the head it was read with; without events one row of None, without a head None likewise."""

    last: int | None
    last_digest: bytes | None
    trimmed: int | None
    trimmed_digest: bytes | None
    number: int | None
    at: datetime
    actor: str
    verb: str
    object: str
    customer_id: str
    digest: bytes


def first_break(session: Session) -> int | None:
    """The number of the first event that does not follow from its past or is cut off; None for a whole chain.

    Events and head come from one statement, so that a chain that grows meanwhile is not called broken.
    """
    one = select(literal(1).label("one")).subquery()
    event = AuditEvent
    query = (
        select(AuditHead.number.label("last"), AuditHead.digest.label("last_digest"))
        .add_columns(AuditHead.trimmed, AuditHead.trimmed_digest, event.number, event.at)
        .add_columns(event.actor, event.verb, event.object, event.customer_id, event.digest)
        .select_from(one)
        .outerjoin(AuditHead, AuditHead.head_id == _HEAD)
        .outerjoin(event, true())
        .order_by(event.number)
    )
    with closing(session.execute(query, execution_options={"yield_per": _AT_ONCE})) as rows:
        return _broken(_Read._make(row) for row in rows)


def _broken(rows: Iterable[_Read]) -> int | None:
    before, expected, last = _ROOT, 1, 0
    for row in rows:
        last = row.last or 0
        if row.trimmed_digest is not None and expected == 1:  # the first row, of a log that begins later
            before, expected = row.trimmed_digest, (row.trimmed or 0) + 1
        if row.number is None:
            break
        after = digest(before, row.number, row.at, row.actor, row.verb, row.object, row.customer_id)
        ends = row.number >= last and (row.number, after) != (last, row.last_digest)
        if row.number != expected or after != row.digest or ends:
            return row.number
        before, expected = after, expected + 1
    return expected if expected <= last else None
