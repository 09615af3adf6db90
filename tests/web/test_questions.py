"""The questions of a recording store, answered exactly by what the sandbox knows to be true."""

import itertools
import json
from datetime import date

import pytest

from tests.web.bench import Json, Shared


def _ask(shared: Shared, what: str, body: Json, role: str = "store") -> Json:
    return shared.house.call("POST", f"{shared.at}/recordings/{what}", body, role=role)


def _all_ids(shared: Shared, body: Json) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = _ask(shared, "query", {**body, "limit": 7, **({"cursor": cursor} if cursor else {})})
        found += page["recording_ids"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_every_segment_holds_exactly_the_true_recordings(shared: Shared) -> None:
    for segment, ids in shared.inside().items():
        found = _all_ids(shared, {"filter": {"segment": segment}})
        assert sorted(found) == sorted(ids)
        assert len(found) == len(set(found))


def test_and_or_not_follow_the_sets_in_a_window_of_days(shared: Shared) -> None:
    first, last = date(2026, 11, 18), date(2026, 11, 21)
    inside = shared.inside(first, last)
    a, b, c = sorted(inside, key=lambda one: -len(inside[one]))[:3]
    window = {"from": first.isoformat(), "to": last.isoformat()}
    filter_ = {"all": [{"segment": a}, {"not": {"any": [{"segment": b}, {"segment": c}]}}]}
    assert set(_all_ids(shared, {"filter": filter_, **window})) == inside[a] - (inside[b] | inside[c])
    count = _ask(shared, "count", {"filter": filter_, **window})
    assert count["count"] == len(inside[a] - (inside[b] | inside[c]))


def test_order_is_last_seen_day_descending(shared: Shared) -> None:
    last_seen: dict[str, str] = {}
    for days in shared.members().values():
        for day, ids in days.items():
            for one in ids:
                last_seen[one] = max(day, last_seen.get(one, ""))
    segment = max(shared.inside(), key=lambda one: len(shared.inside()[one]))
    seen = [last_seen[one] for one in _all_ids(shared, {"filter": {"segment": segment}})]
    assert seen == sorted(seen, reverse=True)


def test_counts_by_day_and_by_segment_agree_with_single_counts(shared: Shared) -> None:
    inside = shared.inside()
    segment = max(inside, key=lambda one: len(inside[one]))
    by_segment = _ask(shared, "count", {"filter": {"segment": segment}, "by": "segment"})
    assert {row["key"]: row["count"] for row in by_segment["by"]} == {
        other: len(inside[segment] & ids) for other, ids in inside.items()
    }
    by_day = _ask(shared, "count", {"filter": {"segment": segment}, "by": "day"})
    assert {row["key"]: row["count"] for row in by_day["by"]} == {
        day: len(ids) for day, ids in shared.members()[segment].items()
    }


def test_counts_among_given_recordings(shared: Shared) -> None:
    inside = shared.inside()
    segment = max(inside, key=lambda one: len(inside[one]))
    some = [*sorted(inside[segment])[:5], "unknown"]
    body = {"filter": {"segment": segment}, "recording_ids": [*some, some[0]]}
    assert _ask(shared, "count", body)["count"] == 5
    by_segment = _ask(shared, "count", {**body, "by": "segment"})["by"]
    assert {row["key"]: row["count"] for row in by_segment}[segment] == 5
    by_day = _ask(shared, "count", {**body, "by": "day"})["by"]
    assert sum(row["count"] for row in by_day) >= 5


def test_match_says_true_false_or_undecided_by_the_given_day(shared: Shared) -> None:
    house = shared.house
    states = {day["day"]: day["state"] for day in house.call("GET", f"{shared.at}/days")["days"]}
    complete = next(day for day, state in states.items() if state == "complete")
    young = next(day for day, state in states.items() if state != "complete")
    inside = shared.inside()
    segment = max(inside, key=lambda one: len(inside[one]))
    member = min(inside[segment])
    asked = [
        {"id": "b-young", "day": young},
        {"id": member, "day": young},
        {"id": "c-complete", "day": complete},
        {"id": "d-dayless"},
    ]
    found = _ask(shared, "match", {"filter": {"segment": segment}, "recordings": asked})
    assert found["matches"] == [member]
    assert found["undecided"] == ["b-young"]
    negated = _ask(shared, "match", {"filter": {"not": {"segment": segment}}, "recordings": asked})
    assert negated["matches"] == ["c-complete", "d-dayless"]
    assert negated["undecided"] == ["b-young"]


def test_match_without_days_takes_what_is_not_held_for_false(shared: Shared) -> None:
    inside = shared.inside()
    segment = max(inside, key=lambda one: len(inside[one]))
    asked = ["nobody", *sorted(inside[segment])[:3], "nobody"]
    found = _ask(shared, "match", {"filter": {"segment": segment}, "recording_ids": asked})
    assert found["matches"] == asked[1:4]
    assert found["undecided"] == []


def test_a_segment_made_after_the_given_day_leaves_the_candidate_undecided(shared: Shared) -> None:
    house = shared.house
    segments = house.call("GET", f"{shared.at}/segments")["segments"]
    late = max(segments, key=lambda one: one["created_at"])
    days = house.call("GET", f"{shared.at}/days")["days"]
    before = [
        day["day"] for day in days if day["state"] == "complete" and day["day"] < late["created_at"][:10]
    ]
    assert before, "the world has a segment that was made in the middle of the history"
    asked = [{"id": "x", "day": before[0]}]
    found = _ask(shared, "match", {"filter": {"segment": late["segment_id"]}, "recordings": asked})
    assert found["undecided"] == ["x"]


def test_segments_of_recordings_come_as_asked(shared: Shared) -> None:
    inside = shared.inside()
    ids = [*sorted(set().union(*inside.values()))[:20], "unknown"]
    found = _ask(shared, "segments", {"recording_ids": ids})["recordings"]
    assert [row["recording_id"] for row in found] == ids
    for row in found:
        assert set(row["segment_ids"]) == {
            segment for segment in inside if row["recording_id"] in inside[segment]
        }
    assert found[-1]["segment_ids"] == []


def test_explain_names_the_days_that_say_so(shared: Shared) -> None:
    members = shared.members()
    segment = max(members, key=lambda one: sum(map(len, members[one].values())))
    day, ids = next((day, ids) for day, ids in members[segment].items() if ids)
    body = {"filter": {"segment": segment}, "recording_ids": [min(ids), "unknown"]}
    known, unknown = _ask(shared, "explain", body)["recordings"]
    assert known["match"] is True
    assert day in [one["day"] for one in known["segments"][0]["days"]]
    assert unknown == {
        "recording_id": "unknown",
        "match": False,
        "segments": [{"segment_id": segment, "member": False, "days": []}],
    }


def test_odd_recording_ids_come_through_every_question_unharmed(shared: Shared) -> None:
    inside = shared.inside()
    everyone = set().union(*inside.values())
    odd = [one for one in everyone if not (len(one) == 32 and one.isalnum())]
    assert len(odd) >= 3
    found = _ask(shared, "segments", {"recording_ids": odd})["recordings"]
    assert {row["recording_id"]: set(row["segment_ids"]) for row in found} == {
        one: {segment for segment in inside if one in inside[segment]} for one in odd
    }
    widest = {"any": [{"segment": segment} for segment in inside]}
    assert set(odd) <= set(_all_ids(shared, {"filter": widest}))
    assert _ask(shared, "match", {"filter": widest, "recording_ids": odd})["matches"] == odd


@pytest.mark.parametrize(
    "text", ["a\0b", "\U0001f9ea", "אב-ltr", "line\nbreak", " spaced ", "e\u0301", "\u00e9", "'\"", "x" * 100]
)
def test_unknown_odd_ids_are_answered_and_not_held(shared: Shared, text: str) -> None:
    found = _ask(shared, "segments", {"recording_ids": [text]})["recordings"]
    assert [row["recording_id"] for row in found] == [text]


def test_unbounded_filters_are_refused_but_by_match(shared: Shared) -> None:
    segment = next(iter(shared.inside()))
    unbounded = {"not": {"segment": segment}}
    for what in ("query", "count"):
        shared.house.refused(
            "filter-unbounded", "POST", f"{shared.at}/recordings/{what}", {"filter": unbounded}
        )
    shared.house.refused(
        "filter-unbounded", "GET", f"{shared.at}/recordings/export?filter=!{segment}", role="store"
    )
    assert _ask(shared, "match", {"filter": unbounded, "recording_ids": ["x"]})["matches"] == ["x"]


def test_unknown_segments_are_refused_everywhere(shared: Shared) -> None:
    bodies: list[tuple[str, Json]] = [
        ("query", {}),
        ("count", {}),
        ("match", {"recording_ids": []}),
        ("explain", {"recording_ids": []}),
    ]
    for what, body in bodies:
        asked = {"filter": {"segment": "1"}, **body}
        shared.house.refused("unknown-segment", "POST", f"{shared.at}/recordings/{what}", asked)
    shared.house.refused("unknown-segment", "GET", f"{shared.at}/recordings/export?filter=1", role="store")


def test_a_cursor_is_good_for_its_own_question_only(shared: Shared) -> None:
    one, two = itertools.islice(sorted(shared.inside(), key=lambda s: -len(shared.inside()[s])), 2)
    address = f"{shared.at}/recordings/query"
    body = {"filter": {"segment": one}, "limit": 1}
    cursor = _ask(shared, "query", body)["next_cursor"]
    for other in (
        {"filter": {"segment": two}},
        {"from": "2026-11-20"},
        {"to": "2026-11-20"},
        {"cursor": cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")},
        {"cursor": "nonsense"},
        {"cursor": ""},
    ):
        shared.house.refused("cursor-invalid", "POST", address, {**body, "cursor": cursor, **other})


def test_answers_carry_their_time_and_completeness(shared: Shared) -> None:
    segment = next(iter(shared.inside()))
    found = _ask(shared, "query", {"filter": {"segment": segment}})
    days = shared.house.call("GET", f"{shared.at}/days")["days"]
    assert found["as_of"].endswith("Z")
    assert sum(found["completeness"]["days"].values()) == len(days)
    one = _ask(
        shared, "query", {"filter": {"segment": segment}, "from": days[0]["day"], "to": days[0]["day"]}
    )
    assert one["completeness"] == {"state": days[0]["state"], "days": {days[0]["state"]: 1}}


@pytest.mark.parametrize(
    ("first", "last"), [("0001-01-01", None), (None, "9999-12-31"), ("9999-12-31", None)]
)
def test_windows_may_be_far_out(shared: Shared, first: str | None, last: str | None) -> None:
    segment = next(iter(shared.inside()))
    assert _ask(shared, "count", {"filter": {"segment": segment}, "from": first, "to": last})["count"] >= 0


def test_from_after_to_is_refused(shared: Shared) -> None:
    segment = next(iter(shared.inside()))
    window = {"from": "2026-11-20", "to": "2026-11-19"}
    bodies: list[tuple[str, Json]] = [("query", {}), ("count", {}), ("match", {"recording_ids": []})]
    for what, more in bodies:
        body = {"filter": {"segment": segment}, **window, **more}
        shared.house.refused("invalid", "POST", f"{shared.at}/recordings/{what}", body)
    for path in ("days?", f"recordings/export?filter={segment}&"):
        shared.house.refused(
            "invalid", "GET", f"{shared.at}/{path}from=2026-11-20&to=2026-11-19", role="store"
        )


def test_export_streams_every_recording_once_with_its_last_day(shared: Shared) -> None:
    inside = shared.inside()
    segment = max(inside, key=lambda one: len(inside[one]))
    name = next(
        one["name"]
        for one in shared.house.call("GET", f"{shared.at}/segments")["segments"]
        if one["segment_id"] == segment
    )
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for text in (segment, quoted, f'{{"segment": "{segment}"}}'):
        answer = shared.house.client.get(
            f"{shared.at}/recordings/export", params={"filter": text}, headers=shared.house.headers("store")
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert answer.headers["ga-sync-as-of"].endswith("Z")
        assert '"state"' in answer.headers["ga-sync-completeness"]
        lines = [json.loads(line) for line in answer.text.split("\n") if line]
        assert sorted(line["recording_id"] for line in lines) == sorted(inside[segment])
        assert all(set(line) == {"recording_id", "last_day"} for line in lines)


def test_export_refuses_other_formats_and_ambiguous_names(shared: Shared) -> None:
    segment = next(iter(shared.inside()))
    at = f"{shared.at}/recordings/export"
    shared.house.refused("invalid", "GET", f"{at}?filter={segment}&format=csv", role="store")
    shared.house.refused("invalid", "GET", at, role="store")
    shared.house.refused("invalid", "GET", f'{at}?filter="Returning buyers"', role="store")
