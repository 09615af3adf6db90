"""After the kill: start again, and see that what was acknowledged is true and what was begun ends the same."""

import json
from typing import Any

from sqlalchemy import select

from ga_sync import bootstrap, settings
from ga_sync.accounts import store
from ga_sync.bootstrap import Service
from models.data_key import DataKey
from models.grant import Grant
from models.keyring import Owner
from models.rotation import versions_in_use
from tests.kill.acts import ACTOR, BYSTANDER, NEWCOMER, Json, Town, answered, forgotten, link
from tests.kill.looks import Findings, look, members, settled

ACKNOWLEDGED = "what was acknowledged is true"
THE_SAME = "what was begun ends the same"
TRUTH = "what is held is what Google knows"


def after(town: Town, name: str, ids: Json, given: Json, printed: list[Any], *, done: bool) -> Json:
    """Look, let the worker work, look again, do it once more, and look a last time."""
    found = Findings()
    town.enter(minutes=2)
    with bootstrap.Service(settings.load()) as service:
        service.prepare()
        look(service, found)
        {"link": _linked, "sync": _synced, "rotate": _rotated, "forget": _forgot, "revoke": _revoked}[name](
            town, service, ids, given, printed, found, done=done
        )
        look(service, found)
        settled(service, found)
        _true(town, service, ids[BYSTANDER]["link_id"], 1, found)
    return {"checked": found.checked, "violations": found.violations}


def _work(town: Town, service: Service, minutes: int) -> None:
    """The worker comes back after that; leases of the killed have run out."""
    town.enter(minutes=minutes)
    service.worker().run_due(limit=40)


def _true(
    town: Town,
    service: Service,
    link_id: str,
    shop: int,
    found: Findings,
    without: frozenset[str] = frozenset(),
) -> None:
    held, known = members(service, link_id), town.truth(shop)
    for day, sets in held.items():
        right = {one: ids - without for one, ids in known[day].items() if ids - without}
        found.check(TRUTH, f"{link_id} {day}", holds=sets == right)
    found.check(TRUTH, "no day is held", holds=bool(held))


def _linked(
    town: Town, service: Service, _ids: Json, given: Json, printed: list[Any], found: Findings, *, done: bool
) -> None:
    with service.stores.data.reading() as session:
        grant = session.get_one(Grant, given["grant_id"])
        links = [one.link_id for one in store.links_of(session, grant.grant_id, NEWCOMER)]
    if printed:
        found.check(
            ACKNOWLEDGED, f"grant {grant.status}", holds=grant.status == printed[0]["status"] == "active"
        )
    if done or len(printed) > 1:
        found.check(ACKNOWLEDGED, "the link is there", holds=links == [printed[1]["link_id"]])
    found.check("a grant is active or waits", grant.status, holds=grant.status in {"active", "pending"})
    _work(town, service, 10)
    shop = town.property_of(2)
    if grant.status == "pending":  # the customer opens the address once more
        again = answered(service, NEWCOMER, shop["user"], given["grant_id"])
        service.consents.complete(again["answer"], again["browser"])
    made = link(service, given, NEWCOMER, shop)
    found.check(THE_SAME, "one link", holds=not links or links == [made["link_id"]])
    _work(town, service, 20)
    view = service.links.view(made["link_id"], NEWCOMER)
    found.check(THE_SAME, view["last_run"], holds=view["last_run"]["status"] == "succeeded")
    _true(town, service, made["link_id"], 2, found)


def _synced(
    town: Town, service: Service, ids: Json, _given: Json, printed: list[Any], found: Findings, *, done: bool
) -> None:
    link_id = ids[ACTOR]["link_id"]
    runs = {run["run_id"]: run["status"] for run in _runs(service, link_id)}
    for line in printed:
        found.check(ACKNOWLEDGED, f"run {line}", holds=line["run_id"] in runs)
        if line["status"] == "succeeded":
            found.check(ACKNOWLEDGED, f"run {line}", holds=runs[line["run_id"]] == "succeeded")
            _true(town, service, link_id, 0, found)
    found.check(ACKNOWLEDGED, "it ended well", holds=not done or printed[-1]["status"] == "succeeded")
    _work(town, service, 10)
    if not printed:
        service.links.sync(link_id, ACTOR, "test")
    _work(town, service, 20)
    ended = service.links.view(link_id, ACTOR)["last_run"]
    found.check(THE_SAME, ended, holds=ended["status"] == "succeeded")
    _true(town, service, link_id, 0, found)


def _runs(service: Service, link_id: str) -> list[Json]:
    return list(service.links.runs(link_id, ACTOR, "", 100))


def _rotated(
    town: Town, service: Service, ids: Json, _given: Json, printed: list[Any], found: Findings, *, done: bool
) -> None:
    if printed or done:
        _one_version(town, service, found, ACKNOWLEDGED, printed[0]["kek_version"])
    else:
        again = bootstrap.rotate_keyring(service.settings, lambda _done, _all: None)
        _one_version(town, service, found, THE_SAME, again.version)
    look(service, found)  # the process that ran before learns of the new version by itself
    _true(town, service, ids[ACTOR]["link_id"], 0, found)
    _work(town, service, 10)


def _one_version(town: Town, service: Service, found: Findings, which: str, version: int) -> None:
    with service.stores.keyring.reading() as session:
        used = set(versions_in_use(session))
    held = set(json.loads((town.place.folder / "kek.json").read_text())["keys"])
    found.check(
        which, f"version {version}: {used}, {held}", holds=(used, held) == ({version}, {str(version)})
    )
    found.check("nothing is left beside the key file", holds=not list(town.place.folder.glob(".kek*")))


def _forgot(
    town: Town, service: Service, ids: Json, _given: Json, printed: list[Any], found: Findings, *, done: bool
) -> None:
    link_id, gone = ids[ACTOR]["link_id"], set(forgotten(ids))
    remembered = len(service.keyring.forgets.of(link_id))
    found.check("all are remembered, or none", remembered, holds=remembered in {0, len(gone)})
    held = _ids(members(service, link_id))
    if printed or done:
        found.check(
            ACKNOWLEDGED, printed, holds=printed == [{"forgotten": len(gone)}] and remembered == len(gone)
        )
    if remembered:
        found.check(ACKNOWLEDGED if printed else THE_SAME, held & gone, holds=not held & gone)
    answer = service.forgetting.forget(link_id, ACTOR, sorted(gone), "test")
    found.check(THE_SAME, answer, holds=answer == {"forgotten": len(gone)})
    service.links.sync(link_id, ACTOR, "test")
    _work(town, service, 10)
    _true(town, service, link_id, 0, found, frozenset(gone))


def _ids(found: dict[str, dict[str, set[str]]]) -> set[str]:
    return {one for sets in found.values() for ids in sets.values() for one in ids}


def _revoked(
    town: Town, service: Service, ids: Json, _given: Json, printed: list[Any], found: Findings, *, done: bool
) -> None:
    grant_id, link_id = ids[ACTOR]["grant_id"], ids[ACTOR]["link_id"]
    status = _grant(service, grant_id).status
    if printed or done:
        with service.stores.keyring.reading() as session:
            owners = set(session.scalars(select(DataKey.owner_id)))
        right = status in {"revoking", "revoked"} and not owners & {grant_id, link_id}
        found.check(ACKNOWLEDGED, f"{status}, {printed}", holds=right and printed[0]["purged_at"] is not None)
    if status == "active":
        _true(town, service, link_id, 0, found)
    _work(town, service, 10)
    receipt = service.purge.grant(grant_id, ACTOR, "test")
    found.check(THE_SAME, receipt, holds=receipt["google"] in {"revoked", "already_dead"})
    found.check(THE_SAME, receipt, holds=ids[ACTOR]["receipt"].items() <= receipt.items())
    if printed:
        kept = {name: printed[0][name] for name in ("purged_at", "links", "days", "segments", "recordings")}
        found.check(ACKNOWLEDGED, receipt, holds=kept.items() <= receipt.items())
    _work(town, service, 20)
    found.check(THE_SAME, "asked again", holds=service.purge.grant(grant_id, ACTOR, "test") == receipt)
    found.check(THE_SAME, "it is revoked", holds=_grant(service, grant_id).status == "revoked")
    buried = service.keyring.buried()
    found.check(THE_SAME, "it is buried", holds={Owner("grant", grant_id), Owner("link", link_id)} <= buried)


def _grant(service: Service, grant_id: str) -> Grant:
    with service.stores.data.reading() as session:
        return session.get_one(Grant, grant_id)
