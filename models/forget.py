"""Keyring store: recordings that must stay forgotten, as keyed hashes that die with their link's key."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import KeyringBase, UtcDateTime


class Forget(KeyringBase):
    """One forgotten recording of one link.

    ``reference`` is the HMAC-SHA256 of its id under the link's key and decides; ``lookup`` is the 8-byte hash that a
    day's value holds of each id, and a byte for how it was made, so that candidates are found without hashing every id.
    """

    __tablename__ = "forgets"

    link_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    reference: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    lookup: Mapped[bytes] = mapped_column(LargeBinary(9))
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    forgotten_at: Mapped[datetime] = mapped_column(UtcDateTime)
