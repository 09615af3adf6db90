"""Writing a link's head, in the transaction that has locked the link and changes its days or segments."""

from sqlalchemy.orm import Session

from ga_sync.index import heads
from ga_sync.index import store as index_store
from ga_sync.index.head import NEVER_WRITTEN, NOTHING, Facts, SegmentFact, encode, following, off
from models.head import Head
from models.keyring import Sealer
from models.link import Link
from models.segment import Segment


class Heading:
    """The head of a locked link: compared with the rows before the caller changes any, written anew after."""

    def __init__(self, session: Session, link: Link, sealer: Sealer) -> None:
        """Find what was put back, and take it out of use: days are quarantined, names fall back to the number."""
        self._session, self._link, self._sealer = session, link, sealer
        session.flush()
        self._row = index_store.head(session, link.link_id, link.customer_id)
        self._head = None if self._row is None else heads.opened(sealer, self._row)
        self._strange = NOTHING
        if self._head is not None:
            rows = index_store.facts(session, link.link_id, link.customer_id)
            self._strange = off(self._head, rows)
            heads.tell(self._strange, link.link_id)
            self._mend(self._head)

    def _mend(self, head: Facts) -> None:
        for reading_id in self._strange.unmarked:
            index_store.mark_damaged(self._session, reading_id, self._link.customer_id)
        for row_id in self._strange.segments:
            self._rename(row_id, head.segments.get(row_id, NEVER_WRITTEN))
        self._link.generation = max(self._link.generation, head.generation)

    def _rename(self, row_id: str, known: SegmentFact) -> None:
        """Nobody knows the newest name any more, until Google lists it: until then it is the segment's number."""
        row = self._session.get_one(Segment, row_id)
        number = self._sealer.open(row.place("segment_id"), row.segment_id)
        row.name_generation = max(row.name_generation, known.name_generation) + 1
        row.label_generation = max(row.label_generation, known.label_generation) + 1
        row.name = self._sealer.seal(row.place("name", row.name_generation), number)
        row.label = None

    def write(self) -> None:
        """Write the head as the rows are now; nothing where it says that already."""
        self._session.flush()
        rows = index_store.facts(self._session, self._link.link_id, self._link.customer_id)
        facts = rows if self._head is None else following(self._head, self._strange, rows)
        value = encode(facts)
        if self._head is not None and encode(self._head) == value:
            return
        row = self._row
        if row is None:
            row = Head(link_id=self._link.link_id, customer_id=self._link.customer_id, number=0)
            self._session.add(row)
        row.number += 1
        row.value = self._sealer.seal(row.place(), value)
