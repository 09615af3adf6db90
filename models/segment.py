"""A customer-made GA4 audience."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Place, Sealed


class Segment(DataBase):
    """A segment. Its number, Google's name and the customer's own label are sealed; ``segment_ref`` finds it."""

    __tablename__ = "segments"
    __table_args__ = (Index("uq_segments_ref", "link_id", "segment_ref", unique=True),)

    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    link_id: Mapped[str] = mapped_column(String(36), index=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    segment_ref: Mapped[bytes] = mapped_column(LargeBinary)
    segment_id: Mapped[Sealed] = mapped_column(SealedBytes)
    name: Mapped[Sealed] = mapped_column(SealedBytes)
    name_generation: Mapped[int] = mapped_column(Integer, default=0)
    label: Mapped[Sealed | None] = mapped_column(SealedBytes)
    label_generation: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    listed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    found_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    misses: Mapped[int] = mapped_column(Integer, default=0)

    def place(self, column: str, generation: int = 0) -> Place:
        """Where this segment's sealed ``column`` belongs; a name and a label count their writes."""
        return Place(self.customer_id, "segments", column, self.row_id, generation)
