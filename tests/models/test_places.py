"""Rows say where their sealed columns belong, and no two say the same."""

from models.change import Change
from models.day import Reading
from models.link import Link
from models.sealed import Place
from models.segment import Segment
from models.user import User


def test_a_row_s_place_names_its_customer_table_column_and_identity() -> None:
    reading = Reading(reading_id="r", customer_id="acme")
    link = Link(link_id="l", customer_id="acme")
    segment = Segment(row_id="s", customer_id="acme")
    change = Change(link_id="l", customer_id="acme", generation=7)
    user = User(user_id="u", customer_id="acme")
    assert change.place() == Place("acme", "changes", "value", "l", 7)
    assert user.place() == Place("acme", "users", "email", "u")
    assert reading.place() == Place("acme", "readings", "value", "r")
    assert link.place("property") == Place("acme", "links", "property", "l")
    assert segment.place("name", 4) == Place("acme", "segments", "name", "s", 4)
    assert segment.place("segment_id") == Place("acme", "segments", "segment_id", "s", 0)
