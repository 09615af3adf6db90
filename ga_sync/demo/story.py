"""The story: link, sync, filter, a rename, a new day, revoke, nothing left. Every answer is held against the truth."""

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ga_sync.demo.browser import consent
from ga_sync.demo.stage import BACKFILL_DAYS, CUSTOMER, USER, Stage

Json = dict[str, Any]
NEW_NAME = "Renamed by the customer ☕"
PERSON = "you@demo.example"
_WAIT_SECONDS = 120.0


class Mismatch(Exception):
    """An answer is not what the sandbox knows to be true."""


def require(holds: bool, what: str) -> None:  # noqa: FBT001 -- an assertion that stays in optimised code
    """Raises Mismatch unless it holds."""
    if not holds:
        raise Mismatch(what)


class Story:
    """One customer's story on a stage."""

    def __init__(self, stage: Stage, tell: Callable[[str], None]) -> None:
        self._stage, self._tell = stage, tell
        self._began = time.monotonic()
        self.grant_id = self.link_id = self.property = self.parameter = ""

    def _say(self, sentence: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:5.1f} s] {sentence}")

    def _get(self, path: str) -> Json:
        answer = self._stage.call("GET", path)
        require(answer.status_code == 200, f"GET {path} answered {answer.status_code}: {answer.text}")  # noqa: PLR2004 -- HTTP
        body: Json = answer.json()
        return body

    def _post(self, path: str, body: object, expected: int = 200) -> Json:
        answer = self._stage.call("POST", path, body)
        require(answer.status_code == expected, f"POST {path} answered {answer.status_code}: {answer.text}")
        told: Json = answer.json()
        return told

    def _begin(self) -> Json:
        grant = self._post("/v1/grants", {"customer_id": CUSTOMER}, 201)
        self.grant_id = grant["grant_id"]
        return grant

    def consent_by_itself(self) -> None:
        """Give the consent as the shop's Google user would."""
        page = consent(self._begin()["authorization_url"], USER)
        require(page.is_success, f"the consent ended with {page.status_code}: {page.text}")
        require(self._get(f"/v1/grants/{self.grant_id}")["status"] == "active", "the grant is not active")
        self._say("consent given, read-only")

    def consent_in_the_browser(self) -> None:
        """Wait for a person to give the consent."""
        grant = self._begin()
        self._tell(
            f"Open this page in a browser and give the consent (choose {USER}):\n\n  {grant['link_url']}\n"
        )
        while self._get(f"/v1/grants/{self.grant_id}")["status"] != "active":
            time.sleep(0.5)
        self._say("consent given, read-only")

    def link_and_sync(self) -> None:
        """Link the first property with the suggested dimension and follow the first run."""
        self.property = self._get(f"/v1/grants/{self.grant_id}/properties")["properties"][0]["property"]
        number = self.property.removeprefix("properties/")
        found = self._get(f"/v1/grants/{self.grant_id}/properties/{number}/dimensions")["dimensions"]
        self.parameter = next(one["parameter_name"] for one in found if one["suggested"])
        wish = {"grant_id": self.grant_id, "property": self.property, "parameter_name": self.parameter}
        link = self._post("/v1/links", wish, 201)
        self.link_id = link["link_id"]
        self._say(f"linked {link['display_name']} ({self.property}) by {self.parameter}")
        self._follow(link["last_run"])
        self._compare()

    def _follow(self, run: Json) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
        quiet = not sys.stderr.isatty()
        deadline = time.monotonic() + _WAIT_SECONDS
        with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
            bar = progress.add_task("synchronising", total=None)
            while run["status"] in {"queued", "running"}:
                require(time.monotonic() < deadline, "the run does not end")
                done, left = run["days_read"], run["days_left"]
                progress.update(bar, completed=done, total=done + left or None)
                time.sleep(0.1)
                run = self._get(f"/v1/links/{self.link_id}/runs/{run['run_id']}")
        require(run["status"] == "succeeded", f"the run ended {run['status']} ({run['error']})")
        self._say(
            f"run {run['status']}: {run['days_read']} days, {run['rows']} rows, "
            f"{run['requests']} report requests, {run['tokens']} tokens"
        )

    def _expected(self) -> tuple[dict[str, str], dict[str, set[str]]]:
        """Names and members of the customer's own audiences over the window, by the sandbox's word."""
        truth = self._stage.truth(self.property)
        own = [one for one in truth["audiences"] if one["kind"] == "custom" and not one["archived"]]
        names = {one["audience_id"]: one["display_name"] for one in own}
        days = truth["days"][-BACKFILL_DAYS - self._extra_days() :]
        members: dict[str, set[str]] = {
            one: set().union(*(day["audiences"][one]["visible"] for day in days)) for one in names
        }
        return names, members

    def _extra_days(self) -> int:
        """Days that have passed since the link was made are held beyond its first window."""
        held = self._get(f"/v1/links/{self.link_id}/days?limit=1000")["days"]
        return len(held) - BACKFILL_DAYS

    def _listed(self, expression: Json) -> list[str]:
        ids: list[str] = []
        body: Json = {"filter": expression, "limit": 97}
        while True:
            answer = self._post(f"/v1/links/{self.link_id}/recordings/query", body)
            ids += answer["recording_ids"]
            if answer["next_cursor"] is None:
                return ids
            body["cursor"] = answer["next_cursor"]

    def _compare(self) -> None:
        """Every segment, a conjunction with a negation, counts and matches: all equal to the truth."""
        names, members = self._expected()
        shown = self._get(f"/v1/links/{self.link_id}/segments")["segments"]
        require(
            {one["segment_id"]: one["name"] for one in shown} == names, "the segments are not the audiences"
        )
        for segment, ids in members.items():
            listed = self._listed({"segment": segment})
            require(len(listed) == len(set(listed)), f"segment {names[segment]} lists an id twice")
            require(set(listed) == ids, f"segment {names[segment]} is not what the sandbox knows")
        self._compare_combined(members)
        total = len(set().union(*members.values()))
        self._say(f"{len(names)} segments, {total} recordings: every answer equals the sandbox's truth")

    def _compare_combined(self, members: dict[str, set[str]]) -> None:
        first, second = sorted(members, key=lambda one: -len(members[one]))[:2]
        expression = {"all": [{"segment": first}, {"not": {"segment": second}}]}
        expected = members[first] - members[second]
        require(set(self._listed(expression)) == expected, "A and not B is not what the sandbox knows")
        answer = self._post(f"/v1/links/{self.link_id}/recordings/count", {"filter": expression})
        require(answer["count"] == len(expected), "the count of A and not B is wrong")
        asked = [*sorted(members[first])[:200], "of-nobody"]
        body = {"filter": expression, "recording_ids": asked}
        matches = self._post(f"/v1/links/{self.link_id}/recordings/match", body)["matches"]
        require(matches == [one for one in asked if one in expected], "the match of A and not B is wrong")

    def walk(self) -> None:
        """The rest of the story."""
        self._rename()
        self._new_day()
        self._revoke()
        self._say("nothing is left. Every answer was right.")

    def _sync(self) -> None:
        self._follow(self._post(f"/v1/links/{self.link_id}/sync", None, 202))

    def _rename(self) -> None:
        names, _ = self._expected()
        segment = min(names)
        number = self.property.removeprefix("properties/")
        self._stage.control.post(
            f"/audiences/{number}/{segment}", json={"display_name": NEW_NAME}
        ).raise_for_status()
        self._say(f"the customer renames “{names[segment]}” in Google Analytics")
        self._sync()
        self._compare()

    def _new_day(self) -> None:
        self._stage.next_day()
        self._say("a new day")
        self._sync()
        self._compare()

    def _revoke(self) -> None:
        names, members = self._expected()
        receipt = self._stage.call("DELETE", f"/v1/grants/{self.grant_id}").json()
        require(receipt["google"] == "revoked", "Google did not confirm the revocation")
        require(
            receipt["recordings"] == len(set().union(*members.values())), "the receipt miscounts recordings"
        )
        require(receipt["segments"] == len(names), "the receipt miscounts segments")
        destroyed = ", ".join(f"{receipt[what]} {what}" for what in ("days", "segments", "recordings"))
        self._say(f"revoked here and at Google; destroyed: {destroyed}")
        for path in ("", "/segments", "/days"):
            answer = self._stage.call("GET", f"/v1/links/{self.link_id}{path}")
            require(answer.status_code == 404, f"the link still answers at {path}")  # noqa: PLR2004 -- HTTP
        live = self._stage.control.get("/world").json()["live_refresh_tokens"]
        require(not any(live.values()), "Google still knows a live token")
        self._search_files({self.property, self.parameter, *names.values(), *set().union(*members.values())})

    def _search_files(self, canaries: set[str]) -> None:
        """No name and no id may be readable in any file."""
        for path in self._stage.folder.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            for canary in canaries:
                require(canary.encode() not in data, f"{path.name} still holds something of the customer")

    def invite(self) -> None:
        """What to try next."""
        stage, link = self._stage, self.link_id
        segments = self._get(f"/v1/links/{link}/segments")["segments"]
        chosen = max(segments, key=lambda one: int(one["recordings"]))
        invited = stage.service.users.add(PERSON, "admin", "*", "demo").address(stage.base)
        for one in segments:
            self._tell(f"  {one['segment_id']:>12}  {one['recordings']:>6} recordings  {one['name']!r}")
        self._tell(
            f"""
pages            {invited}
                 (set a password there, then sign in as {PERSON}: filter, calendar, administration)
API              {stage.base}   (document: {stage.base}/openapi.json)
sandbox control  {stage.sandbox.control_url}/truth?property={self.property}
link             {link}
key of a store   {stage.store_key}
key of a console {stage.console_key}

Try:
  curl -s -H 'Authorization: Bearer {stage.store_key}' {stage.base}/v1/links/{link}/segments
  curl -s -H 'Authorization: Bearer {stage.store_key}' -H 'Content-Type: application/json' \\
    -d '{{"filter": {{"segment": "{chosen["segment_id"]}"}}, "limit": 5}}' {stage.base}/v1/links/{link}/recordings/query
  curl -s -X DELETE -H 'Authorization: Bearer {stage.console_key}' {stage.base}/v1/grants/{self.grant_id}

Ctrl-C ends it and deletes everything."""
        )
