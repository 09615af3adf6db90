"""How often somebody tried to sign in of late, and from when on they may try again."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase, UtcDateTime


class Throttle(DataBase):
    """The attempts of one e-mail address, known or not, or of one network address; both only as a keyed hash."""

    __tablename__ = "throttles"

    reference: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
