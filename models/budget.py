"""What all processes together may still spend of something."""

from datetime import date

from sqlalchemy import Date, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import DataBase


class Budget(DataBase):
    """How much of ``name`` was spent on one day (Pacific, as Google counts)."""

    __tablename__ = "budgets"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    spent: Mapped[int] = mapped_column(Integer, default=0)
