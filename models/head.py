"""What a link's days and segments are: one sealed list, so that a row of theirs that is put back is noticed."""

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, SealedBytes
from models.sealed import Place, Sealed


class Head(DataBase):
    """The head of a link; ``number`` counts its writes."""

    __tablename__ = "heads"

    link_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    number: Mapped[int] = mapped_column(Integer)
    value: Mapped[Sealed] = mapped_column(SealedBytes)

    def place(self) -> Place:
        """Where this head's value belongs."""
        return Place(self.customer_id, "heads", "value", self.link_id, self.number)
