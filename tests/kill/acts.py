"""What is done when the process is killed: link, sync, rotate, forget, revoke; each prints what it acknowledges."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from ga_sync import bootstrap, settings
from ga_sync.cli import app
from ga_sync.cli.console import plain
from ga_sync.index.store import AskedLink
from models.link import Link
from tests.clock import NOON
from tests.journeys import browser
from tests.kill.google import truth
from tests.kill.looks import members
from tests.kill.places import Place

ACTOR, BYSTANDER, NEWCOMER = "acme", "globex", "initech"
DAYS = 2
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Town:
    """A place, and the Google it talks to."""

    place: Place
    google: Json

    def enter(self, **later: float) -> None:
        """Let this process be one of the product's, at noon or later."""
        shift = NOON - datetime.now(UTC) + timedelta(**later)
        offset = self.place.folder.parent / "offset"
        offset.write_text(str(shift.total_seconds()))
        urls = self.place.urls()
        os.environ.update(
            self.google["environment"],
            GA_SYNC_DATA_DIR=str(self.place.folder),
            GA_SYNC_DATABASE_URL=urls["data"],
            GA_SYNC_KEYRING_URL=urls["keyring"],
            GA_SYNC_BACKFILL_DAYS=str(DAYS),
            GA_SYNC_QUOTA_SHARE="1",
            GA_SYNC_CLOCK_OFFSET_FILE=str(offset),
        )
        os.chdir(self.place.folder.parent)

    def refill(self) -> None:
        """Time does not pass at Google, so its quotas are filled by hand."""
        remaining = {"potentially_thresholded_requests_per_hour": 120, "tokens_per_project_per_hour": 14_000}
        for shop in self.google["properties"]:
            mood = {"kind": "quota_remaining", "property": shop["name"], "remaining": remaining}
            httpx.post(f"{self.google['control']}/moods", json=mood, trust_env=False).raise_for_status()

    def property_of(self, number: int) -> Json:
        """One of Google's properties."""
        found: Json = self.google["properties"][number]
        return found

    def truth(self, number: int) -> dict[str, dict[str, set[str]]]:
        """What is true of it: day → audience → ids."""
        return truth(self.google["control"], self.property_of(number)["name"])


def answered(service: bootstrap.Service, customer: str, user: str, grant_id: str | None = None) -> Json:
    """A consent that Google has answered, and we have not taken yet."""
    begun = service.consents.begin(customer, None, grant_id)
    opening = service.consents.open(begun.ticket.reveal())
    with browser.opened() as window:
        back = browser.decide(window, opening.location, user)
    return {
        "grant_id": begun.grant_id,
        "answer": dict(parse_qsl(urlsplit(back).query)),
        "browser": opening.browser,
    }


def link(service: bootstrap.Service, found: Json, customer: str, shop: Json) -> Json:
    """A link under a grant that is active."""
    wish = service.linking.wish(found["grant_id"], shop["name"], shop["parameter"], None)
    return service.linking.create(wish, customer, "test")[0]


def furnish(town: Town) -> Json:
    """Two customers, each with a link that was read; their ids."""
    town.enter()
    values = settings.load()
    bootstrap.init_keyring(values)
    stores = bootstrap.open_stores(values)
    stores.upgrade()
    stores.close()
    ids: Json = {}
    with bootstrap.Service(values) as service:
        for number, customer in enumerate((ACTOR, BYSTANDER)):
            shop = town.property_of(number)
            found = answered(service, customer, shop["user"])
            service.consents.complete(found["answer"], found["browser"])
            made = link(service, found, customer, shop)
            ids[customer] = {"grant_id": found["grant_id"], "link_id": made["link_id"]}
        service.worker().run_due(limit=20)
        for one in ids.values():
            one["receipt"] = _receipt(service, one["link_id"])
            held = members(service, one["link_id"])
            one["recordings"] = sorted(
                {found for sets in held.values() for some in sets.values() for found in some}
            )
            assert len(one["recordings"]) > 3, "it was read"
    return ids


def _receipt(service: bootstrap.Service, link_id: str) -> Json:
    """What the receipt of a revocation will count."""
    with service.stores.data.reading() as session:
        served = service.index.serve(session, AskedLink.of(session.get_one(Link, link_id)))
    segments, days = len(served.segments), len(served.days)
    return {"links": [link_id], "days": days, "segments": segments, "recordings": served.index.recordings}


@dataclass(frozen=True, slots=True)
class Act:
    """One operation: what is made ready before, and what is done."""

    name: str
    ready: Callable[[Town, Json], Json]
    do: Callable[[Town, Json], None]


def _nothing(_town: Town, _ids: Json) -> Json:
    return {}


def _ready_to_link(town: Town, _ids: Json) -> Json:
    town.enter()
    with bootstrap.Service(settings.load()) as service:
        return answered(service, NEWCOMER, town.property_of(2)["user"])


def _link(town: Town, given: Json) -> None:
    """What the callback and ``POST /v1/links`` do."""
    town.enter()
    with bootstrap.Service(settings.load()) as service:
        done = service.consents.complete(given["answer"], given["browser"])
        plain(json.dumps({"grant_id": done.grant_id, "status": done.status}))
        plain(json.dumps(link(service, given, NEWCOMER, town.property_of(2))))


def _rotate(town: Town, _ids: Json) -> None:
    town.enter()
    app.run(["keyring", "rotate", "--json"])


def _forget(town: Town, ids: Json) -> None:
    town.enter(minutes=1)
    app.run(["forget", ids[ACTOR]["link_id"], *forgotten(ids), "--yes", "--json"])


def forgotten(ids: Json) -> list[str]:
    """Which recordings are forgotten: two that are held, one that never was."""
    return [*ids[ACTOR]["recordings"][:2], "never-seen"]


def _revived(town: Town, ids: Json) -> Json:
    """A living token: the act before ended it at Google."""
    town.enter()
    with bootstrap.Service(settings.load()) as service:
        found = answered(service, ACTOR, town.property_of(0)["user"], ids[ACTOR]["grant_id"])
        service.consents.complete(found["answer"], found["browser"])
    return {}


def _revoke(town: Town, ids: Json) -> None:
    town.enter(minutes=1)
    app.run(["grant", "revoke", ids[ACTOR]["grant_id"], "--yes", "--json"])


def _ready_to_sync(town: Town, ids: Json) -> Json:
    """A living token, and something at the property that was not there when it was read."""
    _revived(town, ids)
    row = {"day": NOON.date().isoformat(), "user": f"killed {os.urandom(8).hex()}", "events": 2}
    row |= {"id": f"news-{os.urandom(8).hex()}"}
    body = {"property": town.property_of(0)["name"], "rows": [row]}
    answer = httpx.post(f"{town.google['control']}/sessions", json=body, trust_env=False)
    answer.raise_for_status()
    return {}


def _sync(town: Town, ids: Json) -> None:
    """What ``POST /v1/links/{link_id}/sync`` and the worker do."""
    town.enter(minutes=1)
    link_id = ids[ACTOR]["link_id"]
    with bootstrap.Service(settings.load()) as service:
        run = service.links.sync(link_id, ACTOR, "test")
        plain(json.dumps({"run_id": run["run_id"], "status": run["status"]}))
        service.worker().run_due(limit=4)
        last = service.links.view(link_id, ACTOR)["last_run"]
        plain(json.dumps({"run_id": last["run_id"], "status": last["status"]}))


ACTS = (
    Act("link", _ready_to_link, _link),
    Act("rotate", _nothing, _rotate),
    Act("forget", _nothing, _forget),
    Act("revoke", _revived, _revoke),
    Act("sync", _ready_to_sync, _sync),  # the last: what is true changes with it
)
