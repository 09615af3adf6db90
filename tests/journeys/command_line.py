"""The operator's chapters: every command on a living installation, its JSON and its exit codes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.journeys.doors import Api
from tests.journeys.processes import Finished, Machine
from tests.journeys.truth import Truth

DONE, FAILED, NOT_FOUND = 0, 1, 4


def run_all(machine: Machine, *commands: tuple[str, ...]) -> list[Finished]:
    """Run commands that do not need each other, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda command: machine.run(*command), commands))


def values(machine: Machine, *commands: tuple[str, ...]) -> list[object]:
    """The JSON of commands that must succeed."""
    finished = run_all(machine, *((*command, "--json") for command in commands))
    assert [one.code for one in finished] == [DONE] * len(commands), finished
    return [one.value for one in finished]


def operators_look_around(machine: Machine, grant_id: str, link_id: str) -> None:
    """A grant, the audit log and health; making the keyring again is refused."""
    grant, verified, findings = values(machine, ("grant", "show", grant_id), ("audit", "verify"), ("doctor",))
    assert isinstance(grant, dict)
    assert (grant["status"], grant["links"]) == ("active", [link_id])
    assert verified == {"whole": True, "first_broken_event": None}
    assert isinstance(findings, list)
    assert "error" not in [one["level"] for one in findings]
    again = machine.run("keyring", "init")
    assert again.code == FAILED
    assert "never overwritten" in again.stderr


def quoted(name: str) -> str:
    """A name as the notation wants it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def operators_filter(machine: Machine, link_id: str, truth: Truth) -> None:
    """Segments and filters, with ids, quoted names and JSON; exact, newest day first."""
    names = Counter(truth.names.values())
    unique = [one for one in truth.names if names[truth.names[one]] == 1]
    a, b = sorted(unique, key=lambda one: -len(truth.on(one)))[:2]
    by_name, unknown, segments = run_all(
        machine,
        ("filter", link_id, f"{quoted(truth.names[a])} & ({b} | !{quoted(truth.names[b])})", "--json"),
        ("filter", link_id, "12345678901234567890"),
        ("segments", link_id, "--json"),
    )
    assert Counter(line["recording_id"] for line in by_name.lines) == Counter(truth.on(a))
    days = [line["last_day"] for line in by_name.lines]
    assert days == sorted(days, reverse=True)
    assert unknown.code == NOT_FOUND
    assert {one["segment_id"]: one["name"] for one in segments.value} == truth.names


def operators_pause_and_resume(machine: Machine, link_id: str) -> None:
    """A resumed link is synchronised, and waiting for a run ends with it."""
    assert machine.done("link", "pause", link_id, "--json").value["status"] == "paused"
    assert machine.done("link", "resume", link_id, "--json").value["status"] == "active"
    assert machine.done("link", "sync", link_id, "--wait", "--json").value["status"] == "succeeded"


def operators_end_a_key(machine: Machine, api: Api, key: str) -> None:
    """A key ends at once."""
    head = {"Authorization": f"Bearer {key}"}
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.OK
    machine.done("key", "revoke", key.removeprefix("gas_").partition(".")[0], "--yes")
    assert api.http.get("/v1/links", headers=head).status_code == httpx.codes.UNAUTHORIZED
