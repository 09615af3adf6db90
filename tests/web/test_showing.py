"""Values as people see them: hostile names made harmless, numbers and times in words."""

from datetime import UTC, date, datetime

import pytest
from jinja2 import UndefinedError

from ga_sync.web import showing


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Kunden 🛒 (mobil) عملاء", "Kunden 🛒 (mobil) عملاء"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("line\nbreak\0", "line⟨U+000A⟩break⟨U+0000⟩"),
        ("\u2066hidden\u2069\u200b", "⟨U+2066⟩hidden⟨U+2069⟩⟨U+200B⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\ud800", "⟨U+D800⟩"),
    ],
)
def test_what_reorders_or_hides_becomes_visible(name: str, shown: str) -> None:
    assert showing.visible(name) == shown


def test_a_long_name_is_cut_and_says_so() -> None:
    assert showing.visible("x" * 121) == "x" * 120 + "…"
    assert showing.visible("x" * 120) == "x" * 120


def test_numbers_and_durations_read_as_people_write_them() -> None:
    assert showing.number(1204) == "1,204"
    assert showing.number(None) == "-"
    assert showing.counted(1, "property", "properties") == "1 property"
    assert showing.counted(1204, "recording") == "1,204 recordings"
    assert showing.counted(0, "property", "properties") == "0 properties"
    assert showing.seconds(0.84) == "0.8 s"
    assert showing.seconds(125) == "2 min 5 s"


def test_days_and_moments() -> None:
    assert showing.day("2026-11-03") == showing.day(date(2026, 11, 3)) == "Tue 3 Nov 2026"
    assert showing.when("2026-11-03T14:05:00Z") == "3 Nov 2026, 14:05 UTC"
    assert showing.when(datetime(2026, 11, 3, 14, 5, tzinfo=UTC)) == "3 Nov 2026, 14:05 UTC"
    assert showing.when(None) == "-"


def test_templates_escape_markup_and_know_every_name_they_use() -> None:
    pages = showing.environment()
    assert pages.from_string("{{ name | visible }}").render(name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        pages.from_string("{{ nobody }}").render()
