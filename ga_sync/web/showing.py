"""How values are shown on pages: names that came from Google as harmless text, numbers and times in words (pure).

Names are hostile text: Jinja escapes their markup, and here what would reorder, hide or break a line becomes visible
(Unicode Standard Annex #9, UTR #36).
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

LONGEST_NAME = 120
STATE_WORDS: Mapping[str, str] = {
    "complete": "complete",
    "provisional": "still settling",
    "suspect": "doubtful",
    "incomplete": "incomplete",
    "missing": "not read yet",
}
STATE_MARKS: Mapping[str, str] = {
    "complete": "✓",
    "provisional": "~",
    "suspect": "?",
    "incomplete": "!",
    "missing": "·",
}
REASON_WORDS: Mapping[str, str] = {
    "young": "Google keeps changing a day for about four days; it is read again until then.",
    "thresholded": "Google withheld rows to protect privacy (thresholding), so some recordings may be absent.",
    "collapse": "Far fewer recordings than on comparable days, while Google knew of many more.",
    "other_row": "Google folded rare values into “(other)”, so some recordings are absent.",
    "other_value": "Some rows came as “(other)” instead of a recording id.",
    "sampled": "Google answered from a sample of the day.",
    "truncated": "Google cut the answer short.",
    "row_count": "Google's number of rows did not fit the rows it sent.",
    "rows_below_total": "The rows add up to less than Google's own total.",
    "damaged": "What is stored of this day no longer opens; it is read again.",
    "ids_of_100": "Some ids have exactly 100 characters, where Google cuts; they may be shortened.",
    "time_zone_changed": "The property's time zone was changed on this day.",
}


def visible(text: object, longest: int = LONGEST_NAME) -> str:
    """A name as it can be shown safely: controls, direction marks and invisible characters are spelled out."""
    shown = "".join(_spelled(character) for character in str(text)[: longest + 1])
    return shown if len(str(text)) <= longest else shown[:longest] + "…"


def _spelled(character: str) -> str:
    category = unicodedata.category(character)
    harmless = category[0] != "C" and category not in {"Zl", "Zp"}
    joins = character in "\u200c\u200d"  # within words of Persian and Indic scripts, and emoji
    return character if harmless or joins else f"⟨U+{ord(character):04X}⟩"


def number(value: int | None) -> str:
    """``1204`` as ``1,204``; nothing known is a dash."""
    return "-" if value is None else f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """``1 recording``, ``1,204 recordings``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def day(value: date | str) -> str:
    """``2026-11-03`` as ``Tue 3 Nov 2026``."""
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{found:%a} {found.day} {found:%b %Y}"


def when(value: datetime | str | None) -> str:
    """A moment in UTC: ``3 Nov 2026, 14:05 UTC``."""
    if value is None:
        return "-"
    found = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def seconds(value: float) -> str:
    """A duration: ``0.8 s``, ``2 min 5 s``."""
    if value < 60:  # noqa: PLR2004 -- a minute
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def environment() -> Environment:
    """The templates: everything is escaped, an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(visible=visible, number=number, counted=counted, day=day, when=when, seconds=seconds)
    found.globals.update(state_words=STATE_WORDS, state_marks=STATE_MARKS, reason_words=REASON_WORDS)
    return found
