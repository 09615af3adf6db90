"""The chapter of the questions: filters, windows, counts, candidates and exports, each against the truth."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

from tests.journeys.story import Customer, Story
from tests.journeys.truth import Truth


def questions_have_exact_answers(story: Story) -> None:
    acme = story.acme
    truth = story.synced(acme, lambda: acme.api.sync(acme.link_id))
    a, b, c = sorted(truth.names, key=lambda one: (-len(truth.on(one)), one))[:3]
    expression = {"all": [{"any": [{"segment": a}, {"segment": b}]}, {"not": {"segment": c}}]}
    expected = (truth.on(a) | truth.on(b)) - truth.on(c)
    assert expected, "the question must have an answer to be one"
    found = acme.api.ids(acme.link_id, limit=33, filter=expression)
    assert Counter(found) == Counter(expected)
    assert acme.api.ask(acme.link_id, "count", {"filter": expression})["count"] == len(expected)
    assert (
        set(acme.api.ids(acme.link_id, filter={"any": [{"segment": one} for one in truth.names]}))
        == truth.ids
    )
    some_days_only(acme, truth, expression, (a, b, c))
    candidates_are_judged(acme, truth, expression, expected)
    the_store_exports(acme, truth)
    unbounded = acme.api.ask(acme.link_id, "query", {"filter": {"not": {"segment": a}}}, 422)
    assert unbounded["type"] == "/problems/filter-unbounded"
    asked = [*sorted(truth.ids)[:20], "never seen"]
    told = acme.api.ask(acme.link_id, "segments", {"recording_ids": asked})["recordings"]
    assert {one["recording_id"]: set(one["segment_ids"]) for one in told} == {
        asked_id: {segment for segment in truth.names if asked_id in truth.on(segment)} for asked_id in asked
    }


def some_days_only(who: Customer, truth: Truth, expression: object, names: tuple[str, str, str]) -> None:
    a, b, c = names
    first, last = who.first_day + timedelta(days=3), who.first_day + timedelta(days=6)
    window = {"from": first.isoformat(), "to": last.isoformat()}

    def expected(inside: Callable[[date], bool]) -> frozenset[str]:
        return (truth.on(a, inside) | truth.on(b, inside)) - truth.on(c, inside)

    days = [first + timedelta(days=n) for n in range(4)]
    found = who.api.ids(who.link_id, limit=50, filter=expression, **window)
    assert Counter(found) == Counter(expected(lambda day: first <= day <= last))
    by_day = who.api.ask(who.link_id, "count", {"filter": expression, **window, "by": "day"})
    assert {one["key"]: one["count"] for one in by_day["by"]} == {
        day.isoformat(): len(expected(day.__eq__)) for day in days
    }
    assert by_day["completeness"]["state"] == "complete"
    by_segment = who.api.ask(who.link_id, "count", {"filter": expression, "by": "segment"})
    everything = expected(lambda _: True)
    assert {one["key"]: one["count"] for one in by_segment["by"]} == {
        segment: len(everything & truth.on(segment)) for segment in truth.names
    }


def candidates_are_judged(who: Customer, truth: Truth, expression: object, expected: frozenset[str]) -> None:
    asked = ["never seen", *sorted(truth.ids)[::3]]
    told = who.api.ask(who.link_id, "match", {"filter": expression, "recording_ids": asked})
    assert told["matches"] == [one for one in asked if one in expected]
    assert told["undecided"] == []
    sealed, young = who.first_day.isoformat(), max(truth.days).isoformat()
    body = {"filter": expression, "recordings": [{"id": "x", "day": sealed}, {"id": "y", "day": young}]}
    told = who.api.ask(who.link_id, "match", body)
    assert (told["matches"], told["undecided"]) == ([], ["y"])


def the_store_exports(who: Customer, truth: Truth) -> None:
    large = max(truth.names, key=lambda one: len(truth.on(one)))
    exported = who.store.exported(who.link_id, json.dumps({"not": {"not": {"segment": large}}}))
    assert set(exported) == truth.on(large)
    last_seen = {one: day for day in sorted(truth.days) for held in truth.days[day].values() for one in held}
    assert exported == {one: last_seen[one] for one in exported}
    assert list(exported.values()) == sorted(exported.values(), reverse=True)
