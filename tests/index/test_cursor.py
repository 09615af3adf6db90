"""A cursor is good for its own question under its own key, and for nothing else."""

import base64
import os
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ga_sync.index.cursor import MAX_TEXT, Question, open_cursor, seal_cursor
from ga_sync.index.errors import CursorInvalid
from ga_sync.index.expression import All, Segment, fingerprint
from ga_sync.index.query import Position

KEY = bytes(32)
FILTER = fingerprint(Segment("1"))
QUESTION = Question("acme", "link-1", FILTER, date(2026, 9, 1), None)
PLACE = Position(date(2026, 9, 3), "recording")


def sealed(question: Question = QUESTION, place: Position = PLACE) -> str:
    return seal_cursor(KEY, question, place, os.urandom)


@given(st.dates(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_a_position_comes_back_as_it_was(day: date, recording_id: str) -> None:
    place = Position(day, recording_id)
    text = sealed(place=place)
    assert open_cursor(KEY, QUESTION, text) == place
    assert len(text) <= MAX_TEXT
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, customer_id="acme2"),
        replace(QUESTION, link_id="link-2"),
        replace(QUESTION, customer_id="acmel", link_id="ink-1"),
        replace(QUESTION, fingerprint=fingerprint(All((Segment("1"),)))),
        replace(QUESTION, frm=None),
        replace(QUESTION, frm=None, to=date(2026, 9, 1)),
        replace(QUESTION, to=date(2026, 9, 1)),
        replace(QUESTION, frm=date(2026, 9, 2)),
    ],
)
def test_a_cursor_of_another_question_is_refused(other: Question) -> None:
    with pytest.raises(CursorInvalid, match="first page") as refused:
        open_cursor(KEY, other, sealed())
    assert refused.value.slug == "cursor-invalid"


def test_a_cursor_under_another_key_is_refused() -> None:
    with pytest.raises(CursorInvalid):
        open_cursor(bytes([1]) * 32, QUESTION, sealed())


def test_every_changed_character_is_noticed() -> None:
    text = sealed()
    for at in range(len(text)):
        for character in ("A", "b", "_"):
            if text[at] != character:
                with pytest.raises(CursorInvalid):
                    open_cursor(KEY, QUESTION, text[:at] + character + text[at + 1 :])


FIXED = seal_cursor(KEY, QUESTION, PLACE, bytes)


def other_version(text: str) -> str:
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[0] = 1
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    ["", "A", "Ag", "Ag==", "!!!!", "\u00e9", "\ud800", "Ag" * 2000, FIXED + "=", FIXED + "A", " " + FIXED,
     FIXED[:-1], FIXED[:20], other_version(FIXED)],
    ids=lambda text: ascii(text)[:20],
)  # fmt: skip
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        open_cursor(KEY, QUESTION, text)


@given(st.text(max_size=100))
def test_any_text_at_all_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        open_cursor(KEY, QUESTION, text)


def test_two_cursors_of_one_place_differ_and_show_nothing() -> None:
    one, other = sealed(), sealed()
    assert one != other
    assert b"recording" not in base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))
