"""Commands about grants, links, segments and recordings."""

import json
import re
from collections import Counter

import pytest

from tests.cli.conftest import Linked
from tests.cli.ended import Cli

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "command",
    [
        ("grant", "show", NOBODY),
        ("grant", "revoke", NOBODY, "--yes"),
        ("link", "show", NOBODY),
        ("link", "sync", NOBODY),
        ("link", "sync", NOBODY, "--wait"),
        ("link", "pause", NOBODY),
        ("link", "resume", NOBODY),
        ("link", "remove", NOBODY, "--yes"),
        ("segments", NOBODY),
        ("filter", NOBODY, "1"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_4(installed: Cli, command: tuple[str, ...]) -> None:
    ended = installed(*command)
    assert (ended.code, ended.out) == (4, "")
    assert "no such" in ended.err


def test_lists_are_empty_at_first(installed: Cli) -> None:
    assert installed.value("grant", "list") == []
    assert installed.value("link", "list") == []
    assert installed("link", "list").code == 0


def test_grants_and_links_are_shown(linked: Linked) -> None:
    cli, grant_id, link_id = linked.cli, linked.grant_id, linked.link_id
    (grant,) = cli.value("grant", "list")
    assert grant == cli.value("grant", "show", grant_id)
    assert (grant["grant_id"], grant["status"], grant["links"]) == (grant_id, "active", [link_id])
    (link,) = cli.value("link", "list", "--customer", "acme")
    assert link == cli.value("link", "show", link_id)
    assert link["last_run"]["status"] == "succeeded"
    assert cli.value("grant", "list", "--customer", "globex") == []
    assert cli.value("link", "list", "--customer", "globex") == []
    for command in (
        ("grant", "list"),
        ("grant", "show", grant_id),
        ("link", "list"),
        ("link", "show", link_id),
    ):
        shown = cli(*command)
        assert shown.code == 0
        assert link_id in shown.out


def test_segments_are_listed_for_people_with_nothing_that_moves_their_terminal(linked: Linked) -> None:
    segments = linked.cli.value("segments", linked.link_id)
    assert {one["segment_id"]: one["name"] for one in segments} == linked.truth.names
    ended = linked.cli("segments", linked.link_id)
    shown = ended.out
    assert "Everybody but tablets" in shown
    assert re.search(r"^Listed by Google at 20\d\d-\d\d-\d\dT[\d:.]+Z$", ended.err, re.MULTILINE)
    assert "\u0639" in shown  # Arabic letters are letters
    assert not set(shown) & {"\x1b", "\u202e", "\u200f"}


def test_a_filter_is_exact_in_every_notation(linked: Linked) -> None:
    cli, link_id, truth = linked.cli, linked.link_id, linked.truth
    a, b = sorted(truth.names, key=lambda one: -len(truth.on(one)))[:2]
    expected = Counter(truth.on(a) - truth.on(b))
    named = f'"{truth.names[a]}" & !"{truth.names[b]}"'
    as_json = json.dumps({"all": [{"segment": a}, {"not": {"segment": b}}]})
    for expression in (f"{a} & !{b}", f"({a}) & !({b} | {b})", named, as_json):
        found = cli("filter", link_id, expression, "--json").lines
        assert Counter(line["recording_id"] for line in found) == expected
    days = [line["last_day"] for line in found]
    assert days == sorted(days, reverse=True)
    assert (
        cli("filter", link_id, a, "--limit", "2", "--json").lines
        == cli("filter", link_id, a, "--json").lines[:2]
    )
    everything = cli("filter", link_id, a)
    assert all(one in everything.out for one in truth.on(a))


def test_a_limit_beyond_the_end_gives_all(linked: Linked) -> None:
    (segment,) = sorted(linked.truth.names)[:1]
    every = linked.cli("filter", linked.link_id, segment, "--json").lines
    assert linked.cli("filter", linked.link_id, segment, "--json", "--limit", "100000").lines == every


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("(1", 2),
        ("", 2),
        ('"Returning buyers', 2),
        ("{not json", 2),
        ('"Returning buyers"', 2),
        ("12345678901234567890", 4),
        ('"No such name"', 4),
    ],
    ids=[
        "open parenthesis",
        "nothing",
        "open quote",
        "no JSON",
        "two of this name",
        "no such id",
        "no such name",
    ],
)
def test_a_filter_that_cannot_be_answered_says_why(linked: Linked, expression: str, code: int) -> None:
    ended = linked.cli("filter", linked.link_id, expression)
    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.strip()) > 10


def test_an_unbounded_filter_is_bad_usage(linked: Linked) -> None:
    segment = min(linked.truth.names)
    assert linked.cli("filter", linked.link_id, f"!{segment}").code == 2


def test_a_paused_link_answers_nobody_until_it_is_resumed(linked: Linked) -> None:
    cli, link_id = linked.cli, linked.link_id
    segment = min(linked.truth.names)
    assert cli.value("link", "pause", link_id)["status"] == "paused"
    for command in (
        ("filter", link_id, segment),
        ("link", "sync", link_id),
        ("link", "sync", link_id, "--wait"),
    ):
        refused = cli(*command)
        assert refused.code == 1
        assert "resume" in refused.err
    assert cli.value("link", "resume", link_id)["status"] == "active"
    assert cli("filter", link_id, segment).code == 0


def test_a_run_is_queued_and_the_one_under_way_is_shown_again(linked: Linked) -> None:
    first = linked.cli.value("link", "sync", linked.link_id)
    assert first["status"] == "queued"
    assert linked.cli.value("link", "sync", linked.link_id)["run_id"] == first["run_id"]


def test_waiting_for_a_run_ends_with_it(working: Linked) -> None:
    ended = working.cli("link", "sync", working.link_id, "--wait", "--json")
    assert ended.code == 0
    assert ended.last["status"] == "succeeded"


def test_waiting_for_a_run_that_fails_is_1(working: Linked) -> None:
    working.mood("permission_removed")
    ended = working.cli("link", "sync", working.link_id, "--wait", "--json")
    assert ended.code == 1
    assert ended.last["status"] == "failed"


def test_removing_the_last_link_asks_and_takes_its_grant_along(linked: Linked) -> None:
    assert linked.cli("link", "remove", linked.link_id).code == 1
    receipt = linked.cli.value("link", "remove", linked.link_id, "--yes")
    assert receipt["grant"]["google"] == "revoked"
    assert linked.cli("link", "show", linked.link_id).code == 4
    assert linked.cli.value("grant", "show", linked.grant_id)["status"] == "revoked"


def test_revoking_a_grant_asks_and_shows_the_receipt(linked: Linked) -> None:
    truth = linked.truth
    assert linked.cli("grant", "revoke", linked.grant_id).code == 1
    receipt = linked.cli.value("grant", "revoke", linked.grant_id, "--yes")
    assert receipt["google"] == "revoked"
    assert receipt["links"] == [linked.link_id]
    assert (receipt["days"], receipt["segments"]) == (len(truth.days), len(truth.names))
    assert linked.cli.value("grant", "revoke", linked.grant_id, "--yes") == receipt
    assert linked.cli.value("grant", "show", linked.grant_id)["receipt"] == receipt
    assert linked.cli("segments", linked.link_id).code == 4
