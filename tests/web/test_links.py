"""The life of a link at the doors: made, synchronised, paused, moved, labelled, removed."""

import pytest
from sqlalchemy import update

from models.run import Run
from tests.web.bench import ACME, GLOBEX, PARAMETER, House

RECORDINGS = [
    ("POST", "query", {"filter": {"segment": "1"}}),
    ("POST", "match", {"filter": {"segment": "1"}, "recording_ids": []}),
    ("POST", "count", {"filter": {"segment": "1"}}),
    ("POST", "segments", {"recording_ids": []}),
    ("POST", "explain", {"filter": {"segment": "1"}, "recording_ids": []}),
]


def _body(house: House, grant_id: str, number: int = 0) -> dict[str, object]:
    return {
        "grant_id": grant_id,
        "property": house.property_of(grant_id, number),
        "parameter_name": PARAMETER,
    }


def test_before_the_first_run_answers_are_empty_and_say_so(fresh: House) -> None:
    link_id = fresh.link(fresh.consent())
    at = f"/v1/links/{link_id}"
    link = fresh.call("GET", at)
    assert link["last_run"]["status"] == "queued"
    assert link["days"] == {"missing": 3}
    found = fresh.call("POST", f"{at}/recordings/segments", {"recording_ids": ["x"]}, role="store")
    assert found["as_of"] is None
    assert found["completeness"]["state"] == "missing"
    assert fresh.call("GET", f"{at}/segments")["segments"] == []


def test_creating_a_link_again_returns_it(fresh: House) -> None:
    grant_id = fresh.consent()
    link_id = fresh.link(grant_id)
    assert fresh.link(grant_id, expect=200) == link_id
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["purge_at"] is None
    assert [one["link_id"] for one in fresh.call("GET", "/v1/links")["links"]] == [link_id]


def test_a_link_under_a_living_grant_stays_there(fresh: House) -> None:
    first = fresh.consent()
    link_id = fresh.link(first)
    second = fresh.consent()
    assert fresh.link(second, expect=200) == link_id
    assert fresh.call("GET", f"/v1/links/{link_id}")["grant_id"] == first
    assert fresh.call("GET", f"/v1/grants/{second}")["purge_at"] is not None


def test_a_link_of_a_dead_grant_moves_to_a_living_one_with_its_history(fresh: House) -> None:
    first, link_id = fresh.linked(user="user0@agency.example")
    segments = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    fresh.mood("token_error", error="invalid_grant", method="Refresh")
    fresh.forward(days=1)
    fresh.work()
    assert fresh.call("GET", f"/v1/grants/{first}")["status"] == "reconsent_required"
    fresh.calm()
    fresh.forward(seconds=1)
    second = fresh.consent(user="user1@agency.example")
    assert fresh.link(second, expect=200) == link_id
    link = fresh.call("GET", f"/v1/links/{link_id}")
    assert (link["grant_id"], link["status"]) == (second, "active")
    assert fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"] == segments
    assert fresh.call("GET", f"/v1/grants/{second}")["purge_at"] is None
    assert fresh.call("GET", f"/v1/grants/{second}")["links"] == [link_id]
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}")["last_run"]["status"] == "succeeded"
    fresh.forward(days=8)
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}")["status"] == "active"
    verbs = [event["verb"] for event in fresh.call("GET", "/v1/audit", role="admin")["events"]]
    assert "link.move" in verbs


def test_a_link_needs_an_active_grant(fresh: House) -> None:
    grant_id = fresh.begin()["grant_id"]
    body = {"grant_id": grant_id, "property": "properties/300007001", "parameter_name": PARAMETER}
    fresh.refused("conflict", "POST", "/v1/links", body)
    fresh.refused("conflict", "GET", f"/v1/grants/{grant_id}/properties")
    fresh.refused("conflict", "GET", f"/v1/grants/{grant_id}/properties/1/dimensions")
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    fresh.refused("conflict", "POST", "/v1/links", body)


@pytest.mark.parametrize(
    ("mood", "slug"),
    [
        ({"kind": "call_error", "code": "UNAVAILABLE", "method": "RunReport"}, "unavailable"),
        (
            {"kind": "call_error", "code": "INVALID_ARGUMENT", "message": "no", "method": "RunReport"},
            "unavailable",
        ),
        ({"kind": "service_disabled"}, "unavailable"),
        ({"kind": "access_token_rejected"}, "unavailable"),
        ({"kind": "token_error", "error": "invalid_client", "method": "Refresh"}, "unavailable"),
        ({"kind": "token_http_error", "status": 500, "method": "Refresh"}, "unavailable"),
        ({"kind": "token_error", "error": "invalid_grant", "method": "Refresh"}, "conflict"),
        (
            {
                "kind": "call_error",
                "code": "PERMISSION_DENIED",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "method": "RunReport",
            },
            "conflict",
        ),
        ({"kind": "permission_removed"}, "property-unreadable"),
        ({"kind": "dimension_archived", "parameter_name": PARAMETER}, "dimension-unknown"),
    ],
)
def test_what_goes_wrong_at_google_while_linking(fresh: House, mood: dict[str, str], slug: str) -> None:
    grant_id = fresh.consent()
    fresh.mood(**mood)
    body = {"grant_id": grant_id, "property": "properties/300007001", "parameter_name": PARAMETER}
    status = {"unavailable": 503, "conflict": 409}.get(slug, 422)
    answer = fresh.client.post("/v1/links", json=body, headers=fresh.headers())
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    if slug == "unavailable":
        assert int(answer.headers["retry-after"]) > 0
    fresh.calm()
    assert fresh.call("GET", "/v1/links")["links"] == []


def test_a_refused_access_token_is_renewed_once(fresh: House) -> None:
    grant_id = fresh.consent()
    fresh.property_of(grant_id)
    fresh.mood("access_token_rejected", times=1)
    assert fresh.property_of(grant_id) == "properties/300007001"
    fresh.mood("access_token_rejected", times=1)
    fresh.link(grant_id)


def test_a_sync_under_way_is_returned_and_not_doubled(fresh: House) -> None:
    _, link_id = fresh.linked()
    at = f"/v1/links/{link_id}"
    fresh.forward(minutes=1)
    first = fresh.call("POST", f"{at}/sync", expect=202)
    assert first["status"] == "queued"
    assert fresh.call("POST", f"{at}/sync", expect=202)["run_id"] == first["run_id"]
    with fresh.service.stores.data.transaction() as session:
        session.execute(update(Run).where(Run.run_id == first["run_id"]).values(status="running"))
    again = fresh.call("POST", f"{at}/sync", expect=202)
    assert (again["run_id"], again["status"]) == (first["run_id"], "running")
    fresh.work()
    runs = fresh.call("GET", f"{at}/runs")["runs"]
    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]


def test_a_paused_link_answers_423_calls_nobody_and_loses_nothing(fresh: House) -> None:
    _, link_id = fresh.linked()
    at = f"/v1/links/{link_id}"
    segments = fresh.call("GET", f"{at}/segments")["segments"]
    fresh.forward(minutes=1)
    fresh.call("POST", f"{at}/sync", expect=202)
    paused = fresh.call("POST", f"{at}/pause")
    assert (paused["status"], paused["next_sync_at"]) == ("paused", None)
    assert (paused["last_run"]["status"], paused["last_run"]["error"]) == ("partial", "paused")
    assert fresh.call("POST", f"{at}/pause") == paused
    for method, path, body in RECORDINGS:
        fresh.refused("paused", method, f"{at}/recordings/{path}", body, role="store")
    fresh.refused("paused", "GET", f"{at}/recordings/export?filter=1", role="store")
    fresh.refused("paused", "POST", f"{at}/sync")
    before = len(fresh.requests())
    fresh.forward(hours=3)
    fresh.work()
    assert not [asked for asked in fresh.requests()[before:] if asked["api"] != "oauth"]
    assert fresh.call("GET", f"{at}/segments")["segments"] == segments
    resumed = fresh.call("POST", f"{at}/resume")
    assert (resumed["status"], resumed["last_run"]["status"]) == ("active", "queued")
    fresh.work()
    assert fresh.call("GET", at)["last_run"]["status"] == "succeeded"
    runs = len(fresh.call("GET", f"{at}/runs")["runs"])
    fresh.call("POST", f"{at}/resume")
    fresh.work()
    assert len(fresh.call("GET", f"{at}/runs")["runs"]) == runs


def test_linking_again_leaves_a_paused_link_paused(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.forward(minutes=1)
    fresh.call("POST", f"/v1/links/{link_id}/pause")
    assert fresh.link(grant_id, expect=200) == link_id
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}")["status"] == "paused"


def test_a_broken_link_says_what_to_do_and_heals_by_linking_again(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.mood("permission_removed")
    fresh.forward(hours=2)
    fresh.work()
    link = fresh.call("GET", f"/v1/links/{link_id}")
    assert link["status"] == "broken"
    assert link["reason"]
    assert link["action"]
    fresh.call("POST", f"/v1/links/{link_id}/sync", expect=202)
    fresh.calm()
    assert fresh.link(grant_id, expect=200) == link_id
    assert fresh.call("GET", f"/v1/links/{link_id}")["status"] == "active"


def test_a_label_is_kept_apart_from_googles_name_and_finds_the_segment(fresh: House) -> None:
    _, link_id = fresh.linked()
    at = f"/v1/links/{link_id}"
    one = fresh.call("GET", f"{at}/segments")["segments"][0]
    label = '<script>"\u202e & \U0001f9ea\n'
    named = fresh.call("PUT", f"{at}/segments/{one['segment_id']}/label", {"label": label})
    assert (named["name"], named["label"]) == (one["name"], label)
    fresh.work()
    assert fresh.call("GET", f"{at}/segments")["segments"][0]["label"] == label
    quoted = '"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"'
    found = fresh.client.get(
        f"{at}/recordings/export", params={"filter": quoted}, headers=fresh.headers("store")
    )
    assert found.status_code == 200
    none = fresh.call("PUT", f"{at}/segments/{one['segment_id']}/label", {"label": None})
    assert none["label"] is None


def test_retention_can_be_shortened_per_link(fresh: House) -> None:
    _, link_id = fresh.linked()
    at = f"/v1/links/{link_id}"
    whole = fresh.call("POST", f"{at}/recordings/segments", {"recording_ids": []})["completeness"]["days"]
    assert sum(whole.values()) == 3
    segment = max(fresh.call("GET", f"{at}/segments")["segments"], key=lambda one: one["recordings"])
    assert fresh.call("PATCH", at, {"retention_days": 1})["retention_days"] == 1
    count = {"filter": {"segment": segment["segment_id"]}}
    kept = fresh.call("POST", f"{at}/recordings/count", count)
    assert sum(kept["completeness"]["days"].values()) == 1
    assert kept["count"] < segment["recordings"]
    gone = fresh.call("POST", f"{at}/recordings/count", {**count, "to": "2026-11-22"})
    assert gone["count"] == 0
    assert len(fresh.call("GET", f"{at}/days")["days"]) == 1
    fresh.call("PATCH", at, {"retention_days": 90})
    assert len(fresh.call("GET", f"{at}/days")["days"]) == 3
    again = fresh.call("POST", f"{at}/recordings/count", count)
    assert again["count"] == kept["count"]
    assert again["completeness"]["state"] == "missing"
    fresh.forward(hours=1)
    fresh.work()
    assert fresh.call("POST", f"{at}/recordings/count", count)["count"] >= 0


def test_what_the_store_recorded_gives_coverage(fresh: House) -> None:
    grant_id = fresh.consent()
    link_id = fresh.link(grant_id)
    at = f"/v1/links/{link_id}"
    days = fresh.call("GET", f"{at}/days")["days"]
    fresh.call("PUT", f"{at}/days/{days[0]['day']}/recorded", {"count": 7}, role="store", expect=204)
    fresh.call("PUT", f"{at}/days/{days[0]['day']}/recorded", {"count": 40}, role="store", expect=204)
    first = fresh.call("GET", f"{at}/days")["days"][0]
    assert (first["recorded"], first["seen"], first["coverage"]) == (40, None, None)
    fresh.work()
    fresh.forward(days=4)
    fresh.work()
    first = fresh.call("GET", f"{at}/days")["days"][0]
    assert first["state"] == "complete"
    assert first["coverage"] == first["seen"] / 40


def test_two_customers_on_one_property_are_apart(fresh: House) -> None:
    grant, link = fresh.linked(ACME, "user0@agency.example")
    other_grant, other = fresh.linked(GLOBEX, "user1@agency.example")
    assert link != other
    mine, theirs = (fresh.call("GET", "/v1/links", customer=customer)["links"] for customer in (ACME, GLOBEX))
    assert [one["link_id"] for one in mine] == [link]
    assert [one["link_id"] for one in theirs] == [other]
    assert mine[0]["property"] == theirs[0]["property"]
    linked = fresh.call("GET", f"/v1/grants/{other_grant}/properties")["properties"][0]["linked"]
    assert linked == other
    segment = fresh.call("GET", f"/v1/links/{link}/segments")["segments"][0]["segment_id"]
    fresh.call("PUT", f"/v1/links/{link}/segments/{segment}/label", {"label": "mine"})
    theirs_now = fresh.call("GET", f"/v1/links/{other}/segments")["segments"][0]
    assert (theirs_now["segment_id"], theirs_now["label"]) == (segment, None)
    before = fresh.call("POST", f"/v1/links/{other}/recordings/count", {"filter": {"segment": segment}})
    fresh.call("DELETE", f"/v1/grants/{grant}")
    after = fresh.call("POST", f"/v1/links/{other}/recordings/count", {"filter": {"segment": segment}})
    assert after == before


def test_two_customers_cannot_use_each_others_cursors(fresh: House) -> None:
    _, link = fresh.linked(ACME, "user0@agency.example")
    _, other = fresh.linked(GLOBEX, "user1@agency.example")
    segments = fresh.call("GET", f"/v1/links/{link}/segments")["segments"]
    segment = max(segments, key=lambda one: one["recordings"])["segment_id"]
    body = {"filter": {"segment": segment}, "limit": 1}
    cursor = fresh.call("POST", f"/v1/links/{link}/recordings/query", body)["next_cursor"]
    fresh.refused("cursor-invalid", "POST", f"/v1/links/{other}/recordings/query", {**body, "cursor": cursor})
