"""What a generation changed: who entered and who left which segment, sealed, kept for a week."""

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes, UtcDateTime
from models.sealed import Place, Sealed


class Change(DataBase):
    """The changes from the generation before to this one."""

    __tablename__ = "changes"

    link_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer, primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    as_of: Mapped[datetime] = mapped_column(UtcDateTime)
    events: Mapped[int] = mapped_column(Integer)
    value: Mapped[Sealed] = mapped_column(SealedBytes, deferred=True)

    def place(self) -> Place:
        """Where this value belongs."""
        return Place(self.customer_id, "changes", "value", self.link_id, self.generation)
