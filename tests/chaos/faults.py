"""The faults of a bad day at Google, drawn call by call from a seed: which call is disturbed, and how.

Between 25 and 30 calls in 100 are. What an error says is what Google says. gRPC has no Retry-After header, so its forms
(seconds, a date, nothing, nonsense) come in the error's text, where they must change nothing.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SHARE = 0.275
LEAST, MOST, SETTLED = 0.25, 0.30, 40
"""After so many calls the share of disturbed ones is kept between these two."""
LEARN = "To learn more, see https://developers.google.com/analytics/devguides/reporting/data/v1/quotas"
RETRY_AFTER = (
    "",
    " Retry-After: 30",
    " Retry-After: Fri, 31 Dec 1999 23:59:59 GMT",
    " Retry-After: soon",
    " Retry-After: -5",
)

Mood = Mapping[str, Any]


def _exhausted(what: str) -> Mood:
    return {"kind": "call_error", "code": "RESOURCE_EXHAUSTED", "message": f"Exhausted {what}. {LEARN}"}


def _failed(code: str, message: str) -> Mood:
    return {"kind": "call_error", "code": code, "message": message}


REPORTS: tuple[tuple[int, Mood], ...] = (
    (5, {"kind": "delay", "seconds": 0.002}),
    (5, {"kind": "duplicate_rows", "count": 2}),
    (12, {"kind": "page_shift", "by": 1}),
    (3, _exhausted("concurrent requests quota")),
    (1, _exhausted("property tokens for a project per hour")),
    (3, _failed("UNAVAILABLE", "The service is currently unavailable.")),
    (1, _failed("INTERNAL", "Internal error encountered.")),
    (2, _failed("UNAVAILABLE", "Socket closed")),
    (2, _failed("UNKNOWN", "Stream removed")),
    (2, {"kind": "access_token_rejected"}),
    (1, {"kind": "row_count_wrong", "by": 3}),
    (3, {"kind": "row_count_drift", "by": -1}),
    (1, {"kind": "rows_below_total", "count": 1}),
    (1, {"kind": "thresholding"}),
    (1, {"kind": "truncation"}),
)
LATER_PAGES = frozenset({"page_shift", "row_count_drift"})
"""What can only strike a page after the first."""
LISTS: tuple[tuple[int, Mood], ...] = (
    (5, {"kind": "delay", "seconds": 0.002}),
    (3, _failed("UNAVAILABLE", "The service is currently unavailable.")),
    (2, {"kind": "access_token_rejected"}),
    (
        1,
        {
            "kind": "call_error",
            "code": "RESOURCE_EXHAUSTED",
            "message": "Quota exceeded: 'Requests per minute'.",
        },
    ),
)


@dataclass
class Disturber:
    """Disturbs calls just before they are made: ``put`` sets the sandbox's moods, of which the next call uses up one.

    Attributes:
        calls: how many calls were made.
        disturbed: how many of them were disturbed, by kind.
        report_errors: those of them that were reports.
    """

    chance: random.Random
    put: Callable[[list[Mood]], None]
    rename: Callable[[], None]
    on: bool = True
    calls: int = 0
    reports: int = 0
    offset: int = 0
    pending: bool = False
    disturbed: Counter[str] = field(default_factory=Counter)
    report_errors: Counter[str] = field(default_factory=Counter)

    def __call__(self, method: str) -> None:
        """Told of each call; perhaps a fault is set for it."""
        self.calls += 1
        self.reports += method == "run_report"
        if self.pending:  # a fault that did not fit its call waits for no other
            self.put([])
            self.pending = False
        if not self.on or not self._strikes():
            return
        if self.chance.random() < 0.03:
            self.disturbed["rename"] += 1
            self.rename()
            return
        mood = self._drawn(method)
        kind = str(mood.get("code", mood["kind"]))
        self.disturbed[kind] += 1
        self.report_errors[kind] += method == "run_report"
        self.put([{**mood, "times": 1}])
        self.pending = True

    def begins(self, offset: int) -> None:
        """Told where the page begins that the next report asks for."""
        self.offset = offset

    def _strikes(self) -> bool:
        drawn = self.chance.random() < SHARE
        if self.calls < SETTLED:
            return drawn
        return self.share < LEAST or (drawn and self.share < MOST)

    def _drawn(self, method: str) -> dict[str, Any]:
        faults = [
            (weight, mood)
            for weight, mood in (REPORTS if method == "run_report" else LISTS)
            if self.offset or mood["kind"] not in LATER_PAGES
        ]
        mood = dict(self.chance.choices([one for _, one in faults], [weight for weight, _ in faults])[0])
        if "message" in mood:
            mood["message"] += self.chance.choice(RETRY_AFTER)
        return mood

    @property
    def share(self) -> float:
        """The part of the calls that were disturbed."""
        return sum(self.disturbed.values()) / max(1, self.calls)
