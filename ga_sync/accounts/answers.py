"""Answers about recordings as the doors give them (pure): a parsed filter over one whole generation that is open."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from ga_sync.accounts.errors import Invalid
from ga_sync.accounts.generation import Opened, Page, Window, false_on
from ga_sync.accounts.views import View
from ga_sync.index.cursor import Question, open_cursor, seal_cursor
from ga_sync.index.expression import Expression, fingerprint
from ga_sync.index.paging import Position
from models.keyring import Sealer

MAX_LIMIT = 10_000
_CURSOR = "cursor"


class Paging(NamedTuple):
    """The pages of one link over one window: what their cursors are good for."""

    customer_id: str
    link_id: str
    window: Window

    def _question(self, expression: Expression) -> Question:
        return Question(
            self.customer_id, self.link_id, fingerprint(expression), self.window.first, self.window.last
        )

    def place(self, sealer: Sealer, expression: Expression, cursor: str) -> Position:
        """Where the page before ended. Raises CursorInvalid."""
        return open_cursor(sealer.key(_CURSOR), self._question(expression), cursor)

    def view(self, page: Page, sealer: Sealer, random: Callable[[int], bytes]) -> View:
        """A page, with the cursor of the next one where there is one."""
        following = None
        if page.last is not None:
            question = self._question(page.expression)
            following = seal_cursor(sealer.key(_CURSOR), question, page.last, random)
        return {"recording_ids": page.ids, "next_cursor": following, **page.about}


def check_limit(limit: int) -> None:
    """Raises Invalid for a page that holds nothing, or too much."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit must be between 1 and {MAX_LIMIT}")


def matches(opened: Opened, expression: Expression, candidates: Sequence[tuple[str, date | None]]) -> View:
    """Which candidates the filter is true of, and which it may be true of; both in the order asked."""
    days = opened.window
    truths = opened.served.index.match3(
        expression, candidates, days.first, days.last, false_on(opened.served)
    )
    judged = [(recording_id, truth) for (recording_id, _), truth in zip(candidates, truths, strict=True)]
    return {
        "matches": [recording_id for recording_id, truth in judged if truth],
        "undecided": [recording_id for recording_id, truth in judged if truth is None],
        **opened.about(),
    }


def total(opened: Opened, expression: Expression, among: Sequence[str] | None) -> View:
    """How many recordings the filter is true of, exactly; among candidates where given."""
    index, days = opened.served.index, opened.window
    if among is None:
        count = index.count(expression, days.first, days.last)
    else:
        count = index.count_among(expression, among, days.first, days.last)
    return {"count": count, **opened.about()}
