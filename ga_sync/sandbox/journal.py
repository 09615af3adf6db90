"""Every request the sandbox received, without its secrets."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SECRETS = frozenset(
    {
        "code",
        "code_verifier",
        "client_secret",
        "refresh_token",
        "token",
        "access_token",
        "state",
        "code_challenge",
    }
)
REDACTED = "[redacted]"
KEPT = 10_000


def redact(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hide the values of secret parameters; their names stay."""
    return {name: REDACTED if name in SECRETS else value for name, value in parameters.items()}


@dataclass
class Entry:
    """One request; `status` is filled in when it was answered."""

    at: datetime
    api: str
    method: str
    property: str | None = None
    user: str | None = None
    authorization: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    status: str | None = None

    def view(self) -> dict[str, Any]:
        """Give the entry as JSON values."""
        return {
            "at": self.at.isoformat(),
            "api": self.api,
            "method": self.method,
            "property": self.property,
            "user": self.user,
            "authorization": self.authorization,
            "parameters": self.parameters,
            "status": self.status,
        }


class Journal:
    """The last 10,000 requests, counts of all, and how many were under way at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._active: Counter[str] = Counter()
        self._peaks: Counter[str] = Counter()

    def begin(self, entry: Entry) -> None:
        """Note a request as it arrives."""
        with self._lock:
            self._entries.append(entry)
            self._counts[entry.method] += 1
            for place in ("all", entry.api):
                self._active[place] += 1
                self._peaks[place] = max(self._peaks[place], self._active[place])

    def end(self, entry: Entry, status: str) -> None:
        """Note how a request was answered."""
        with self._lock:
            entry.status = status
            for place in ("all", entry.api):
                self._active[place] -= 1

    def view(self) -> dict[str, Any]:
        """Give everything as JSON values."""
        with self._lock:
            return {
                "requests": [entry.view() for entry in self._entries],
                "counts": dict(self._counts),
                "max_concurrency": dict(self._peaks),
            }

    def clear(self) -> None:
        """Forget all requests; those under way still count as under way."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()
            self._peaks = Counter(self._active)
