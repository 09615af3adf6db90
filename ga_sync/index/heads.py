"""Looking at a link's rows beside its head: what does not fit is told to operators, by its row."""

import structlog
from sqlalchemy.orm import Session

from ga_sync.index import store
from ga_sync.index.head import HEADLESS, NOTHING, Facts, Off, decode, off
from ga_sync.index.store import HeldSegment
from models.errors import SealBroken
from models.forgets import LINK
from models.head import Head
from models.keyring import Keyring, Owner, Sealer

log = structlog.get_logger()
_HAS_ONE = 1


def look(session: Session, keyring: Keyring, link_id: str, customer_id: str) -> Off:
    """What of a link's rows does not fit its head, after operators were told; nothing where it has none yet.

    Raises:
        DataKeyGone: the link was removed.
    """
    found = compare(session, keyring, link_id, customer_id)
    tell(found, link_id)
    return found


def compare(session: Session, keyring: Keyring, link_id: str, customer_id: str) -> Off:
    """What of a link's rows does not fit its head; nobody is told. That it has one the keyring remembers.

    Where the database shows newer commits from one statement to the next, rows are compared with the head that stood
    before and after they were read.
    """
    sealer = keyring.sealer(Owner(LINK, link_id))
    while (row := store.head(session, link_id, customer_id)) is not None:
        number, head = row.number, opened(sealer, row)
        if head is None:
            return NOTHING
        keyring.floors.rise(LINK, link_id, _HAS_ONE)
        found = off(head, store.facts(session, link_id, customer_id))
        if not found or store.head_number(session, link_id) == number:
            return found
    lost = keyring.floors.of(LINK, link_id) and store.generation(session, link_id, customer_id) is not None
    return HEADLESS if lost else NOTHING


def opened(sealer: Sealer, row: Head) -> Facts | None:
    """A head; None for one that was altered or moved, of which the sealer has told operators."""
    try:
        return decode(sealer.open(row.place(), row.value))
    except SealBroken:
        return None


def tell(found: Off, link_id: str) -> None:
    """Rows were put back, exchanged or deleted: operators must look. What is quarantined already was told before."""
    rows = [("readings", reading_id) for reading_id in found.unmarked]
    rows += [("segments", row) for row in found.segments]
    rows += [("heads", link_id)] if found.gone or found.generation else []
    for table, row in sorted(rows):
        log.error("integrity_failure", table=table, column="*", row=row, link_id=link_id)


def segments(session: Session, keyring: Keyring, link_id: str, customer_id: str) -> list[HeldSegment]:
    """Every segment, opened, with the names that its head knows; of another row only the number is believed."""
    strange = look(session, keyring, link_id, customer_id).segments
    return store.segments(session, keyring.sealer(Owner(LINK, link_id)), link_id, customer_id, strange)
