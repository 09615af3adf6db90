"""The API as the console and the recording store call it: plain HTTP, every answer checked for its status."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx

from tests.journeys.processes import wait_until

Json = dict[str, Any]
ENDED = {"succeeded", "partial", "failed"}
RUN_SECONDS = 90.0


class Api:
    """One caller with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60
        )

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def call(self, method: str, path: str, body: object = None, status: int = 200, **query: Any) -> Json:  # noqa: ANN401 -- JSON
        """One call that must be answered with this status; problems name their type."""
        answer = self.http.request(method, path, json=body, params=query)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def grants(self, customer_id: str, **more: str) -> Json:
        """A consent asked for."""
        return self.call("POST", "/v1/grants", {"customer_id": customer_id, **more}, 201)

    def all(self, path: str, name: str, limit: int = 3) -> list[Json]:
        """Every item of a list, page by page."""
        found: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self.call("GET", path, None, 200, **query)
            found += page[name]
            cursor = page["next_cursor"]
        return found

    def link(self, grant_id: str, prop: str, parameter: str, status: int = 201) -> Json:
        """A new link."""
        body = {"grant_id": grant_id, "property": prop, "parameter_name": parameter}
        return self.call("POST", "/v1/links", body, status)

    def sync(self, link_id: str) -> str:
        """Ask for a run; its id."""
        return str(self.call("POST", f"/v1/links/{link_id}/sync", None, 202)["run_id"])

    def run(self, link_id: str, run_id: str) -> Json:
        """A run."""
        return self.call("GET", f"/v1/links/{link_id}/runs/{run_id}")

    def run_until_ended(self, link_id: str, run_id: str) -> Json:
        """Wait for the end of a run."""
        wait_until(lambda: self.run(link_id, run_id)["status"] in ENDED, "the end of a run", RUN_SECONDS)
        return self.run(link_id, run_id)

    def ask(self, link_id: str, what: str, body: Json, status: int = 200) -> Json:
        """A question about recordings."""
        return self.call("POST", f"/v1/links/{link_id}/recordings/{what}", body, status)

    def pages(self, link_id: str, limit: int, **question: Any) -> Iterator[Json]:  # noqa: ANN401 -- JSON
        """The pages of a query."""
        cursor: str | None = None
        while True:
            page = self.ask(link_id, "query", {**question, "limit": limit, "cursor": cursor})
            yield page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def ids(self, link_id: str, limit: int = 40, **question: Any) -> list[str]:  # noqa: ANN401 -- JSON
        """Every id of a query, page by page."""
        return [one for page in self.pages(link_id, limit, **question) for one in page["recording_ids"]]

    def exported(self, link_id: str, expression: str) -> dict[str, date]:
        """Every id of an export with its last day."""
        path = f"/v1/links/{link_id}/recordings/export"
        answer = self.http.get(path, params={"filter": expression})
        assert answer.status_code == httpx.codes.OK, answer.text
        lines = [json.loads(line) for line in answer.text.split("\n") if line]
        return {line["recording_id"]: date.fromisoformat(line["last_day"]) for line in lines}
