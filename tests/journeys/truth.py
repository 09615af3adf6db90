"""What the sandbox knows to be true, and the clock that it shares with the product."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx

Held = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Truth:
    """A property at one moment: names of the custom audiences that are listed, and the visible ids of each day."""

    names: Mapping[str, str]
    archived: frozenset[str]
    built_in: frozenset[str]
    days: Mapping[date, Held]

    def on(self, segment: str, days: Callable[[date], bool] = lambda _: True) -> frozenset[str]:
        """The ids of an audience on some days together."""
        return frozenset().union(*(held[segment] for day, held in self.days.items() if days(day)))

    @property
    def ids(self) -> frozenset[str]:
        """The ids in any audience."""
        return frozenset().union(*(self.on(segment) for segment in self.names))


def read(answer: Mapping[str, Any]) -> Truth:
    """Read what `GET /truth` answers."""
    custom = {one["audience_id"]: one for one in answer["audiences"] if one["kind"] == "custom"}
    days = {
        date.fromisoformat(day["day"]): {
            segment: frozenset(ids["visible"]) for segment, ids in day["audiences"].items()
        }
        for day in answer["days"]
    }
    return Truth(
        names={segment: one["display_name"] for segment, one in custom.items()},
        archived=frozenset(segment for segment, one in custom.items() if one["archived"]),
        built_in=frozenset(one["audience_id"] for one in answer["audiences"] if one["kind"] == "built-in"),
        days=days,
    )


class Control:
    """The sandbox's control port."""

    def __init__(self, url: str, offset: Path) -> None:
        """Talk to the control port at `url`; the product reads its shift of the clock from the file `offset`."""
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self._offset = offset
        self.seconds = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 -- JSON
        """One request that must succeed."""
        answer = self._http.request(method, path, json=body, params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def truth(self, prop: str, first: date) -> Truth:
        """The property from its local day `first` up to its today."""
        return read(self.call("GET", "/truth", property=prop, **{"from": first.isoformat()}))

    def move(self, **span: float) -> None:
        """Move both clocks on together."""
        self.seconds += timedelta(**span).total_seconds()
        self.call("PUT", "/clock", {"offset_seconds": self.seconds})
        written = self._offset.with_suffix(".new")
        written.write_text(str(self.seconds), "ascii")
        written.replace(self._offset)

    def move_to_noon(self) -> None:
        """Move both clocks to the next noon UTC, so that no property's midnight comes while the story is told."""
        now = datetime.now(UTC)
        noon = datetime.combine(now.date() + timedelta(days=1), time(12), UTC)
        self.move(seconds=(noon - now).total_seconds())

    def user_of(self, prop: str) -> str:
        """The Google user who may read this property and nothing else."""
        users = self.call("GET", "/world")["users"]
        return str(next(one["email"] for one in users if one["properties"] == [prop]))

    def properties(self) -> list[dict[str, Any]]:
        """Every property of the world."""
        found: list[dict[str, Any]] = self.call("GET", "/world")["properties"]
        return found

    def requests(self, method: str) -> list[dict[str, Any]]:
        """The requests of one method that came since they were last forgotten."""
        return [one for one in self.call("GET", "/requests")["requests"] if one["method"] == method]

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self.call("DELETE", "/requests")

    def mood(self, kind: str, **arguments: object) -> None:
        """Put the sandbox into a mood."""
        self.call("POST", "/moods", {"kind": kind, **arguments})

    def calm(self) -> None:
        """End every mood."""
        self.call("DELETE", "/moods")
