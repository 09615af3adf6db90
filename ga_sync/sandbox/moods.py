"""Faults that a test asks for: a list of moods, each a kind with its circumstances and how often it still strikes."""

import threading
from collections.abc import Mapping
from typing import Any

import grpc

CIRCUMSTANCES = frozenset({"kind", "times", "method", "property", "user", "days"})
KINDS: Mapping[str, frozenset[str]] = {
    # any call
    "call_error": frozenset({"code", "message", "reason"}),
    "delay": frozenset({"seconds"}),
    "service_disabled": frozenset(),
    "access_token_rejected": frozenset(),
    "permission_removed": frozenset(),
    # reports
    "data_loss_from_other_row": frozenset(),
    "sampling": frozenset({"read", "space"}),
    "thresholding": frozenset(),
    "truncation": frozenset({"types"}),
    "row_count_wrong": frozenset({"by"}),
    "row_count_drift": frozenset({"by"}),
    "page_shift": frozenset({"by"}),
    "duplicate_rows": frozenset({"count"}),
    "other_rows": frozenset({"count"}),
    "collapse": frozenset({"share", "totals"}),
    "rows_below_total": frozenset({"count"}),
    "incompatible": frozenset({"fields"}),
    "archived_audiences_vanish": frozenset(),
    # Admin and Data
    "dimension_archived": frozenset({"parameter_name"}),
    # OAuth
    "deny": frozenset(),
    "untick": frozenset(),
    "widen": frozenset({"scope"}),
    "no_refresh_token": frozenset(),
    "token_http_error": frozenset({"status"}),
    "revoke_http_error": frozenset({"status"}),
    "token_error": frozenset({"error"}),
    "refresh_token_expires_in": frozenset({"seconds"}),
    # quota
    "quota_remaining": frozenset({"remaining"}),
}
TOKEN_ERRORS = frozenset(
    {"invalid_client", "unauthorized_client", "admin_policy_enforced", "invalid_rapt", "invalid_grant"}
)


class BadMoodError(ValueError):
    """A mood that does not exist or has an argument it does not know."""


def checked(mood: object) -> dict[str, Any]:
    """Read one mood.

    Raises:
        BadMoodError: not an object, an unknown kind, an unknown argument, or `times` below 1.
    """
    if not isinstance(mood, dict) or mood.get("kind") not in KINDS:
        raise BadMoodError(f"a mood is an object whose kind is one of: {', '.join(sorted(KINDS))}")
    unknown = set(mood) - CIRCUMSTANCES - KINDS[mood["kind"]]
    if unknown:
        raise BadMoodError(f"the mood {mood['kind']} has no {', '.join(sorted(unknown))}")
    times = mood.get("times")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise BadMoodError("times is a whole number from 1, or left out for always")
    if mood["kind"] == "call_error" and mood.get("code") not in grpc.StatusCode.__members__:
        raise BadMoodError(f"code is one of: {', '.join(grpc.StatusCode.__members__)}")
    if mood["kind"] == "token_error" and mood.get("error") not in TOKEN_ERRORS:
        raise BadMoodError(f"error is one of: {', '.join(sorted(TOKEN_ERRORS))}")
    return dict(mood)


def _fits(mood: Mapping[str, Any], circumstances: Mapping[str, Any]) -> bool:
    days = circumstances.get("days", ())
    if mood.get("days") and not set(mood["days"]) & set(days):
        return False
    named = {name: mood[name] for name in ("method", "property", "user") if mood.get(name)}
    return all(circumstances.get(name) == value for name, value in named.items())


class Moods:
    """The moods in force; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moods: list[dict[str, Any]] = []

    def put(self, moods: list[dict[str, Any]]) -> None:
        """Replace all moods."""
        with self._lock:
            self._moods = [dict(mood) for mood in moods]

    def add(self, mood: dict[str, Any]) -> None:
        """Add one mood to those in force."""
        with self._lock:
            self._moods.append(dict(mood))

    def show(self) -> list[dict[str, Any]]:
        """List the moods in force, with the times that are left."""
        with self._lock:
            return [dict(mood) for mood in self._moods]

    def take(self, kind: str, **circumstances: object) -> dict[str, Any] | None:
        """Use a mood of this kind that fits, if one is in force: its `times` falls by one and it goes at 0."""
        with self._lock:
            for mood in self._moods:
                if mood["kind"] == kind and _fits(mood, circumstances):
                    return self._use(mood)
        return None

    def _use(self, mood: dict[str, Any]) -> dict[str, Any]:
        left = mood.get("times")
        if left is not None:
            mood["times"] = left - 1
            if left == 1:
                self._moods.remove(mood)
        return mood

    def every(self, kind: str, **circumstances: object) -> list[dict[str, Any]]:
        """List the fitting moods of a kind without using them up."""
        with self._lock:
            return [dict(one) for one in self._moods if one["kind"] == kind and _fits(one, circumstances)]
