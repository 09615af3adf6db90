"""One run at a time reads a property, whoever's links point to it: so its concurrent requests stay few."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ga_sync.sync.errors import Busy
from jobs import store as jobs_store

TURN = timedelta(minutes=3)
"""Longer than one report may take; a holder that vanished keeps other links, not its own, waiting for so long."""
WAIT = timedelta(seconds=10)


def take(session: Session, property_ref: bytes, link_id: str, now: datetime) -> datetime:
    """Take or keep the property's turn for a link; until when it holds.

    Raises:
        Busy: another link has it.
    """
    if not jobs_store.hold_lease(session, _name(property_ref), link_id, now, TURN):
        raise Busy("another link of the same property is being read")
    return now + TURN / 3


def release(session: Session, property_ref: bytes, link_id: str) -> None:
    """Let the next one have it."""
    jobs_store.release_lease(session, _name(property_ref), link_id)


def _name(property_ref: bytes) -> str:
    return f"property:{property_ref.hex()}"[:40]
