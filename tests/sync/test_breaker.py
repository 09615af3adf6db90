"""Links that fail alike at once: one alarm, none broken; one that fails alone: its own affair."""

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.sync.breaker import ALIKE, is_common
from models.link import Link, LinkStatus
from tests.sync.bench import Bench, held_signals, new_id
from tests.sync.events import Events
from tests.sync.fake_google import FakeAnalytics

Logs = list[MutableMapping[str, Any]]


def fail_all(
    bench: Bench, links: list[str], error: google.AnalyticsError, events: Events | None = None
) -> None:
    """Each link's next run is refused in the same way."""
    pipeline = bench.pipeline(announcer=events)
    for link_id in links:
        bench.google.fail("property", error)
        task = bench.claim(link_id)
        bench.settle(task, pipeline(task, held_signals()))


def fleet(bench: Bench, count: int, *, one_grant: bool = False) -> list[str]:
    """Links of different properties and, unless told otherwise, of different grants."""
    links = [bench.make_link(f"properties/{n}", customer=f"customer-{n}") for n in range(count)]
    bench.google = Everywhere(facts=bench.google.facts, listed=bench.google.listed)
    if not one_grant:
        bench.tokens = AnyGrant()  # type: ignore[assignment]  # the protocol is one method
        with bench.data.transaction() as session:
            for link_id in links:
                row = session.get(Link, link_id)
                assert row is not None
                row.grant_id = new_id()
    return links


class AnyGrant:
    """Access tokens for whichever grant."""

    def access_token(self, grant_id: str, *, refused: str | None = None) -> str:
        return f"{grant_id}/{refused}"


class Everywhere(FakeAnalytics):
    """A Google that refuses each property before it looks at its name."""


def broken(bench: Bench, links: list[str]) -> list[bool]:
    return [bench.row(link_id).status == LinkStatus.BROKEN for link_id in links]


def common(logs: Logs) -> Logs:
    return [line for line in logs if line["event"] == "common_cause"]


@pytest.mark.parametrize(
    ("grants", "links", "expected"), [(4, 9, False), (5, 9, True), (5, 1000, False), (10, 1000, True)]
)
def test_what_is_common_depends_on_the_fleet(grants: int, links: int, *, expected: bool) -> None:
    assert is_common(grants, links) is expected


def test_a_few_failures_are_each_link_s_own(bench: Bench) -> None:
    links = fleet(bench, ALIKE - 1)
    fail_all(bench, links, google.PropertyForbidden("x", "get_property"))
    assert broken(bench, links) == [True] * (ALIKE - 1)


def test_many_links_of_one_google_account_that_fail_alike_are_its_own_doing(bench: Bench) -> None:
    links = fleet(bench, ALIKE + 2, one_grant=True)
    fail_all(bench, links, google.PropertyForbidden("x", "get_property"))
    assert all(broken(bench, links))


def test_many_that_fail_alike_raise_one_alarm_and_none_is_broken(bench: Bench) -> None:
    links, events = fleet(bench, ALIKE + 3), Events()
    with capture_logs() as logs:
        fail_all(bench, links, google.PropertyForbidden("x", "get_property"), events)
    assert broken(bench, links) == [False] * len(links)
    assert [line["reason"] for line in common(logs)] == ["property_forbidden"]
    assert events.of("broken") == links[:ALIKE]
    assert sorted(events.of("recovered")) == sorted(links[:ALIKE])


def test_failures_of_another_kind_or_of_long_ago_do_not_count(bench: Bench) -> None:
    links = fleet(bench, ALIKE + 1)
    fail_all(bench, links[: ALIKE - 2], google.PropertyForbidden("x", "get_property"))
    fail_all(bench, links[ALIKE - 2 : ALIKE], google.NotFound("x", "get_property"))
    bench.clock.advance(timedelta(minutes=16))
    fail_all(bench, links[ALIKE:], google.PropertyForbidden("x", "get_property"))
    assert all(broken(bench, links))


def test_when_it_has_passed_a_refusal_breaks_its_link_again(bench: Bench) -> None:
    links = fleet(bench, ALIKE + 1)
    fail_all(bench, links[:ALIKE], google.PropertyForbidden("x", "get_property"))
    bench.clock.advance(timedelta(minutes=31))
    fail_all(bench, links[ALIKE:], google.PropertyForbidden("x", "get_property"))
    assert broken(bench, links) == [False] * ALIKE + [True]


def test_our_own_fault_in_many_links_is_one_alarm_an_hour(bench: Bench) -> None:
    links = fleet(bench, 4)
    with capture_logs() as logs:
        fail_all(bench, links, google.ServiceDisabled("x", "get_property"))
        bench.clock.advance(timedelta(hours=1))
        fail_all(
            bench,
            [bench.make_link("properties/99", customer="new")],
            google.ServiceDisabled("x", "get_property"),
        )
    assert [line["event"] for line in logs if line["event"] == "sync_needs_operator"] == [
        "sync_needs_operator"
    ] * 2
    assert not any(broken(bench, links))
