"""The whole story: three processes, told by variables only, and every answer compared with what the sandbox knows."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from tests.journeys import browser
from tests.journeys.command_line import (
    operators_end_a_key,
    operators_filter,
    operators_look_around,
    operators_pause_and_resume,
)
from tests.journeys.doors import Api
from tests.journeys.processes import Machine, is_ready, wait_until
from tests.journeys.questions import questions_have_exact_answers
from tests.journeys.residue import Canaries, in_databases, in_files
from tests.journeys.story import Customer, Story, same_as_truth
from tests.journeys.truth import Control
from tests.postgres import DatabaseUrls, fresh_pair

BACKFILL = 12


# --- the parts of the world ------------------------------------------------------------------------------


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest) -> Iterator[DatabaseUrls | None]:
    """Nothing for the embedded default; two databases of a PostgreSQL."""
    if request.param == "sqlite":
        yield None
        return
    with fresh_pair(request.getfixturevalue("postgres")) as urls:
        yield urls


@pytest.fixture
def story(urls: DatabaseUrls | None, undo: ExitStack, tmp_path: Path) -> Story:
    offset = tmp_path / "offset"
    variables = {
        "GA_SYNC_BACKFILL_DAYS": str(BACKFILL),
        "GA_SYNC_SYNC_INTERVAL": "900d",  # runs begin when the story says so
        "GA_SYNC_CLOCK_OFFSET_FILE": str(offset),
    }
    if urls is not None:
        variables |= {"GA_SYNC_DATABASE_URL": urls.data, "GA_SYNC_KEYRING_URL": urls.keyring}
    machine = undo.enter_context(Machine(tmp_path / "machine", variables))
    control = Control(machine.sandbox("--seed", "7"), offset)
    undo.callback(control.close)
    control.move_to_noon()
    machine.install()
    serve, url = machine.begin_serve()
    workers = [machine.begin_worker() for _ in range(1 if urls is None else 2)]
    wanted = (("console", "acme"), ("store", "acme"), ("console", "globex"))
    keys = keys_of(machine, *wanted)
    apis = [Api(url, key) for key in keys]
    for api in apis:
        undo.callback(api.close)
    serve.until(lambda: is_ready(url), "a ready answer")
    acme = customer(control, 0, "acme", apis[0], apis[1])
    globex = customer(control, 1, "globex", apis[2], apis[2])
    return Story(machine, control, serve, workers, acme, globex, keys[1])


def keys_of(machine: Machine, *wanted: tuple[str, str]) -> list[str]:
    """Keys, made two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda one: machine.key(*one), wanted))


def customer(control: Control, place: int, name: str, api: Api, store: Api) -> Customer:
    """The customer whose shop is the property at this place of the world."""
    shop = control.properties()[place]
    account = control.user_of(shop["property"])
    return Customer(name, account, shop["property"], shop["recording_parameter"], api, store)


# --- chapters --------------------------------------------------------------------------------------------


def acme_says_no_and_then_yes(story: Story) -> None:
    acme = story.acme
    begun = acme.api.grants("acme")
    refused = browser.consent(begun["authorization_url"], acme.account, "deny")
    assert refused.status_code == 400
    assert "Nothing was stored" in refused.text
    assert acme.api.call("GET", f"/v1/grants/{begun['grant_id']}")["status"] in {"pending", "failed"}
    begun = acme.api.grants("acme")
    answer = browser.consent(begun["authorization_url"], acme.account)
    assert answer.status_code == 200, answer.text
    acme.grant_id = begun["grant_id"]
    assert acme.api.call("GET", f"/v1/grants/{acme.grant_id}")["status"] == "active"


def globex_is_guided(story: Story) -> None:
    globex = story.globex
    begun = globex.api.grants("globex")
    answer = browser.consent(begun["link_url"], globex.account)
    assert answer.status_code == 200, answer.text
    globex.grant_id = begun["grant_id"]
    with browser.opened() as again:  # a finished consent consumes its address
        assert again.get(begun["authorization_url"]).status_code == 410


def both_link(story: Story) -> None:
    for who in story.customers:
        offered = who.api.all(f"/v1/grants/{who.grant_id}/properties", "properties")
        assert [one["property"] for one in offered] == [who.property]
        number = who.property.removeprefix("properties/")
        dimensions = who.api.all(
            f"/v1/grants/{who.grant_id}/properties/{number}/dimensions", "dimensions", limit=1
        )
        assert [one["parameter_name"] for one in dimensions if one["suggested"]] == [who.parameter]
        assert len({one["parameter_name"] for one in dimensions}) == len(dimensions)
        linked = who.api.link(who.grant_id, who.property, who.parameter)
        who.link_id = linked["link_id"]
        held = who.api.all(f"/v1/links/{who.link_id}/days", "days", limit=5)
        assert len(held) == BACKFILL
        who.first_day = date.fromisoformat(held[0]["day"])
        first_run = linked["last_run"]["run_id"]
        same_as_truth(who, story.synced(who, lambda: first_run))  # noqa: B023 -- called at once
        assert who.api.link(who.grant_id, who.property, who.parameter, 200)["link_id"] == who.link_id


def a_new_day_comes_with_another_name_and_one_audience_less(story: Story) -> None:
    acme, control = story.acme, story.control
    truth = story.truth(acme)
    renamed, archived = sorted(truth.names, key=lambda one: -len(truth.on(one)))[:2]
    number = acme.property.removeprefix("properties/")
    name = 'Re"named \\ \N{WAVING HAND SIGN}'
    control.call("POST", f"/audiences/{number}/{renamed}", {"display_name": name})
    control.call("POST", f"/audiences/{number}/{archived}", {"archived": True})
    control.move(days=1)
    truth = story.synced(acme, lambda: acme.api.sync(acme.link_id))
    assert len(truth.days) == BACKFILL + 1
    same_as_truth(acme, truth)
    truth = story.synced(acme, lambda: acme.api.sync(acme.link_id))
    same_as_truth(acme, truth)
    listed = acme.api.all(f"/v1/links/{acme.link_id}/segments", "segments")
    assert {one["segment_id"] for one in listed if one["archived"]} == truth.archived == {archived}


def reports_by_day(story: Story, who: Customer) -> Counter[str]:
    """How often each day's members were asked for."""
    reports = [
        one["parameters"] for one in story.control.requests("RunReport") if one["property"] == who.property
    ]
    return Counter(one["dateRanges"][0]["startDate"] for one in reports if len(one["dimensions"]) == 2)


def a_slow_run(story: Story, seconds: float) -> str:
    """A run over several days: the newest two are read already, each other one takes so long."""
    acme, control = story.acme, story.control
    control.move(days=3)
    control.forget_requests()
    slow = sorted(story.truth(acme).days)[:-2]
    control.mood("delay", method="RunReport", seconds=seconds, days=[day.isoformat() for day in slow])
    run_id = acme.api.sync(acme.link_id)
    wait_until(lambda: acme.api.run(acme.link_id, run_id)["days_read"] >= 2, "two days of a slow run")
    return run_id


def workers_are_killed_in_the_middle(story: Story) -> None:
    acme, control = story.acme, story.control
    run_id = a_slow_run(story, 45)
    for worker in story.workers:
        worker.kill()
    control.calm()
    run = acme.api.run(acme.link_id, run_id)
    assert run["status"] == "running"
    assert run["days_left"] > 0
    before = reports_by_day(story, acme)
    in_hand = sum(before.values()) - run["days_read"]
    assert in_hand in {0, 1}
    assert acme.api.sync(acme.link_id) == run_id  # it is still under way
    control.move(minutes=2)  # what the dead held, they hold no longer
    story.workers = [story.machine.begin_worker() for _ in story.workers]
    ended = acme.api.run_until_ended(acme.link_id, run_id)
    assert ended["status"] == "succeeded", ended
    asked = reports_by_day(story, acme)
    assert sum(asked.values()) == ended["days_read"] + in_hand
    assert all(times == 1 for day, times in asked.items() if day != list(before)[-1])
    same_as_truth(acme, story.synced(acme, lambda: acme.api.sync(acme.link_id)))


def workers_are_told_to_stop_in_the_middle(story: Story) -> None:
    acme = story.acme
    run_id = a_slow_run(story, 3)
    assert [worker.terminate() for worker in story.workers] == [0] * len(story.workers)
    story.control.calm()
    assert acme.api.run(acme.link_id, run_id)["status"] == "running"
    story.workers = [story.machine.worker()]
    ended = acme.api.run_until_ended(acme.link_id, run_id)
    assert ended["status"] == "succeeded", ended
    asked = reports_by_day(story, acme)
    assert sum(asked.values()) == len(asked) == ended["days_read"]


def acme_revokes_and_nothing_is_left(story: Story, canaries: Canaries) -> None:
    acme, globex = story.acme, story.globex
    truth = story.truth(acme)
    story.control.forget_requests()
    receipt = acme.api.call("DELETE", f"/v1/grants/{acme.grant_id}")
    assert receipt["google"] == "revoked"
    assert receipt["links"] == [acme.link_id]
    assert receipt["days"] == len(truth.days)
    assert receipt["segments"] == len(truth.names)
    assert acme.api.call("DELETE", f"/v1/grants/{acme.grant_id}") == receipt
    revoked = acme.api.call("GET", f"/v1/grants/{acme.grant_id}")
    assert (revoked["status"], revoked["receipt"]) == ("revoked", receipt)
    for door in ("", "/days", "/segments", "/runs"):
        acme.api.call("GET", f"/v1/links/{acme.link_id}{door}", None, 404)
    segment = next(iter(truth.names))
    acme.api.ask(acme.link_id, "query", {"filter": {"segment": segment}}, 404)
    assert [one["status"] for one in story.control.requests("Revoke")] == ["200"]
    assert acme.account not in story.control.call("GET", "/world")["live_refresh_tokens"]
    assert canaries.found_in(in_files(story.machine.folder / "var")) == []
    same_as_truth(globex, story.synced(globex, lambda: globex.api.sync(globex.link_id)))


def customers_do_not_see_each_other(story: Story) -> None:
    acme, globex = story.acme, story.globex
    acme.api.call("GET", f"/v1/links/{globex.link_id}", None, 404)
    acme.api.call("GET", f"/v1/grants/{globex.grant_id}", None, 404)
    acme.api.call("GET", "/v1/audit", None, 403)
    for who in story.customers:
        assert [one["link_id"] for one in who.api.all("/v1/links", "links")] == [who.link_id]


def everything_stops_when_told(story: Story) -> None:
    assert [one.terminate() for one in (*story.workers, story.serve)] == [0] * (len(story.workers) + 1)


@pytest.mark.timeout(300)
def test_from_consent_to_revocation(story: Story, urls: DatabaseUrls | None) -> None:
    """A customer links, is kept in step through every accident, and leaves without a trace."""
    acme_says_no_and_then_yes(story)
    globex_is_guided(story)
    both_link(story)
    customers_do_not_see_each_other(story)
    questions_have_exact_answers(story)
    a_new_day_comes_with_another_name_and_one_audience_less(story)
    workers_are_killed_in_the_middle(story)
    canaries = Canaries.of(story.truth(story.acme), story.acme.property, story.acme.parameter)
    sealed = [in_files(story.machine.folder / "var"), *map(in_databases, [urls] if urls else [])]
    assert [canaries.found_in(place) for place in sealed] == [[] for _ in sealed]
    if urls is None:
        workers_are_told_to_stop_in_the_middle(story)
        truth = story.synced(story.acme, lambda: story.acme.api.sync(story.acme.link_id))
        operators_look_around(story.machine, story.acme.grant_id, story.acme.link_id)
        operators_filter(story.machine, story.acme.link_id, truth)
        operators_pause_and_resume(story.machine, story.acme.link_id)
        operators_end_a_key(story.machine, story.acme.api, story.store_key)
    acme_revokes_and_nothing_is_left(story, canaries)
    if urls is not None:
        assert canaries.found_in(in_databases(urls)) == []
    everything_stops_when_told(story)
    assert canaries.found_in([("words", story.machine.words().encode())]) == []
