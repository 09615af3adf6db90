"""The operator's chapters: every command on a living installation, its JSON and its exit codes."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.journeys.doors import Api
from tests.journeys.processes import Finished, Machine
from tests.journeys.truth import Truth

DONE, FAILED, USAGE, CONFIGURATION, NOT_FOUND = range(5)
NOBODY = "00000000-0000-4000-8000-000000000000"


def run_all(machine: Machine, *commands: tuple[str, ...]) -> list[Finished]:
    """Run commands that do not need each other, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: machine.run(*command), commands))


def values(machine: Machine, *commands: tuple[str, ...]) -> list[object]:
    """The JSON of commands that must succeed."""
    finished = run_all(machine, *((*command, "--json") for command in commands))
    assert [one.code for one in finished] == [DONE] * len(commands), finished
    return [one.value for one in finished]


def ids_of(items: object, name: str) -> list[object]:
    """One member of each item of a list."""
    assert isinstance(items, list)
    return [item[name] for item in items]


def operators_look_around(machine: Machine, grant_id: str, link_id: str) -> None:
    """Grants, links, the keyring, the audit log and health; what is not there is 4, what is wrong is 1 or 3."""
    grants, grant, links, link, keyring, audit, verified, findings = values(
        machine,
        ("grant", "list", "--customer", "acme"),
        ("grant", "show", grant_id),
        ("link", "list", "--customer", "acme"),
        ("link", "show", link_id),
        ("keyring", "status"),
        ("audit", "--customer", "acme", "--limit", "1000"),
        ("audit", "verify"),
        ("doctor",),
    )
    assert grant_id in ids_of(grants, "grant_id")
    assert isinstance(grant, dict)
    assert (grant["status"], grant["links"]) == ("active", [link_id])
    assert ids_of(links, "link_id") == [link_id]
    assert isinstance(link, dict)
    assert (link["status"], link["last_run"]["status"]) == ("active", "succeeded")
    assert isinstance(keyring, dict)
    assert keyring["kek"].startswith("file:")
    assert {"grant.begin", "link.create", "link.sync"} <= set(ids_of(audit, "verb"))
    assert verified == {"whole": True, "first_broken_event": None}
    assert "error" not in ids_of(findings, "level")
    nowhere, no_grant, again, unconfigured = (
        *run_all(machine, ("link", "show", NOBODY), ("grant", "show", NOBODY), ("keyring", "init")),
        machine.run("keyring", "status", more={"GA_SYNC_KEK": "env:NOT_SET"}),
    )
    codes = [one.code for one in (nowhere, no_grant, again, unconfigured)]
    assert codes == [NOT_FOUND, NOT_FOUND, FAILED, CONFIGURATION]
    assert "never overwritten" in again.stderr
    assert "NOT_SET" in unconfigured.stderr


def quoted(name: str) -> str:
    """A name as the notation wants it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def operators_filter(machine: Machine, link_id: str, truth: Truth) -> None:
    """Segments and filters, with ids, quoted names and JSON; exact, newest day first."""
    names = Counter(truth.names.values())
    a, b = sorted(
        (one for one in truth.names if names[truth.names[one]] == 1), key=lambda one: -len(truth.on(one))
    )[:2]
    twice = next(name for name, times in names.items() if times > 1)
    by_name, by_id, few, as_json, ambiguous, unknown, nowhere, segments = run_all(
        machine,
        ("filter", link_id, f"{quoted(truth.names[a])} & !{quoted(truth.names[b])}", "--json"),
        ("filter", link_id, f"{a} & ({b} | !{b})", "--json"),
        ("filter", link_id, a, "--limit", "3", "--json"),
        ("filter", link_id, json.dumps({"segment": b}), "--json"),
        ("filter", link_id, quoted(twice)),
        ("filter", link_id, "12345678901234567890"),
        ("filter", NOBODY, a),
        ("segments", link_id, "--json"),
    )
    assert Counter(line["recording_id"] for line in by_name.lines) == Counter(truth.on(a) - truth.on(b))
    assert {line["recording_id"] for line in by_id.lines} == truth.on(a)
    days = [line["last_day"] for line in by_id.lines]
    assert days == sorted(days, reverse=True)
    assert few.lines == by_id.lines[:3]
    assert {line["recording_id"] for line in as_json.lines} == truth.on(b)
    assert [one.code for one in (ambiguous, unknown, nowhere)] == [USAGE, NOT_FOUND, NOT_FOUND]
    assert {one["segment_id"]: one["name"] for one in segments.value} == truth.names


def operators_pause_and_resume(machine: Machine, link_id: str) -> None:
    """A paused link answers nobody; a resumed one is synchronised."""
    (paused,) = values(machine, ("link", "pause", link_id))
    assert isinstance(paused, dict)
    assert paused["status"] == "paused"
    refused = run_all(machine, ("link", "sync", link_id), ("filter", link_id, "1"))
    assert [one.code for one in refused] == [FAILED, FAILED]
    assert all("resume" in one.stderr for one in refused)
    resumed, run = (
        machine.done("link", "resume", link_id, "--json"),
        machine.done("link", "sync", link_id, "--wait", "--json"),
    )
    assert resumed.value["status"] == "active"
    assert run.value["status"] == "succeeded"


def operators_make_keys_and_end_them(machine: Machine, api: Api) -> None:
    """A key is shown once and ends at once."""
    text = machine.key("store", "acme")
    head = {"Authorization": f"Bearer {text}"}
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.OK
    key_id = text.removeprefix("gas_").partition(".")[0]
    (keys,) = values(machine, ("key", "list"))
    assert isinstance(keys, list)
    assert key_id in ids_of(keys, "key_id")
    assert text.partition(".")[2] not in json.dumps(keys)
    revoked, nobody = run_all(
        machine, ("key", "revoke", key_id, "--yes"), ("key", "revoke", "nobody", "--yes")
    )
    assert (revoked.code, nobody.code) == (DONE, NOT_FOUND)
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.UNAUTHORIZED
