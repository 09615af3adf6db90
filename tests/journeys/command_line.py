"""The operator's chapters: every command on a living installation, its JSON and its exit codes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.journeys.doors import Api
from tests.journeys.processes import Finished, Machine
from tests.journeys.truth import Truth

DONE, FAILED, NOT_FOUND = 0, 1, 4
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
    """A grant, a link, the audit log and health; what is not there is 4, what is wrong is 1 or 3."""
    grant, links, verified, findings = values(
        machine,
        ("grant", "show", grant_id),
        ("link", "list", "--customer", "acme"),
        ("audit", "verify"),
        ("doctor",),
    )
    assert isinstance(grant, dict)
    assert (grant["status"], grant["links"]) == ("active", [link_id])
    assert ids_of(links, "link_id") == [link_id]
    assert verified == {"whole": True, "first_broken_event": None}
    assert "error" not in ids_of(findings, "level")
    nowhere, again = run_all(machine, ("link", "show", NOBODY), ("keyring", "init"))
    assert (nowhere.code, again.code) == (NOT_FOUND, FAILED)
    assert "never overwritten" in again.stderr


def quoted(name: str) -> str:
    """A name as the notation wants it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def operators_filter(machine: Machine, link_id: str, truth: Truth) -> None:
    """Segments and filters, with ids, quoted names and JSON; exact, newest day first."""
    names = Counter(truth.names.values())
    unique = [one for one in truth.names if names[truth.names[one]] == 1]
    a, b = sorted(unique, key=lambda one: -len(truth.on(one)))[:2]
    by_name, few, unknown, segments = run_all(
        machine,
        ("filter", link_id, f"{quoted(truth.names[a])} & ({b} | !{quoted(truth.names[b])})", "--json"),
        ("filter", link_id, a, "--limit", "3", "--json"),
        ("filter", link_id, "12345678901234567890"),
        ("segments", link_id, "--json"),
    )
    assert Counter(line["recording_id"] for line in by_name.lines) == Counter(truth.on(a))
    days = [line["last_day"] for line in by_name.lines]
    assert days == sorted(days, reverse=True)
    assert few.lines == by_name.lines[:3]
    assert unknown.code == NOT_FOUND
    assert {one["segment_id"]: one["name"] for one in segments.value} == truth.names


def operators_pause_and_resume(machine: Machine, link_id: str) -> None:
    """A paused link answers nobody; a resumed one is synchronised."""
    assert machine.done("link", "pause", link_id, "--json").value["status"] == "paused"
    refused = machine.run("filter", link_id, "1")
    assert refused.code == FAILED
    assert "resume" in refused.stderr
    assert machine.done("link", "resume", link_id, "--json").value["status"] == "active"
    assert machine.done("link", "sync", link_id, "--wait", "--json").value["status"] == "succeeded"


def operators_end_a_key(machine: Machine, api: Api, key: str) -> None:
    """A key ends at once."""
    head = {"Authorization": f"Bearer {key}"}
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.OK
    machine.done("key", "revoke", key.removeprefix("gas_").partition(".")[0], "--yes")
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.UNAUTHORIZED
