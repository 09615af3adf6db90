"""Health, the documents, headers, the customer's export, and what happens when the ground is gone."""

import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, text

from models.data_key import DataKey
from models.keyring import Owner
from tests.web.bench import ACME, GLOBEX, PUBLIC, House, Shared

CONTRACT = [
    "POST /v1/grants",
    "GET /v1/grants",
    "GET /v1/grants/{}",
    "GET /v1/grants/{}/properties",
    "GET /v1/grants/{}/properties/{}/dimensions",
    "DELETE /v1/grants/{}",
    "POST /v1/links",
    "GET /v1/links",
    "GET /v1/links/{}",
    "PATCH /v1/links/{}",
    "POST /v1/links/{}/sync",
    "GET /v1/links/{}/runs",
    "GET /v1/links/{}/runs/{}",
    "GET /v1/links/{}/days",
    "PUT /v1/links/{}/days/{}/recorded",
    "POST /v1/links/{}/pause",
    "POST /v1/links/{}/resume",
    "DELETE /v1/links/{}",
    "GET /v1/links/{}/segments",
    "PUT /v1/links/{}/segments/{}/label",
    "POST /v1/links/{}/recordings/query",
    "POST /v1/links/{}/recordings/match",
    "POST /v1/links/{}/recordings/count",
    "POST /v1/links/{}/recordings/segments",
    "POST /v1/links/{}/recordings/explain",
    "GET /v1/links/{}/recordings/export",
    "GET /v1/customers/{}/export",
    "DELETE /v1/customers/{}",
    "GET /v1/audit",
    "GET /healthz",
    "GET /readyz",
]


def test_the_openapi_document_lists_every_address(shared_house: House) -> None:
    answer = shared_house.client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    listed = {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"
        for path, item in document["paths"].items()
        for method in item
    }
    assert set(CONTRACT) <= listed
    query = document["paths"]["/v1/links/{link_id}/recordings/query"]["post"]
    assert "requestBody" in query
    names = {one["name"] for one in document["paths"]["/v1/links/{link_id}/days"]["get"]["parameters"]}
    assert {"from", "to", "limit", "cursor"} <= names


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/nope"),
        ("GET", "/v1/links"),
        ("GET", "/link/unknown"),
        ("POST", "/link/unknown"),
        ("GET", "/oauth/start/unknown"),
        ("GET", "/oauth/callback?state=x&code=y"),
        ("PUT", "/healthz"),
        ("GET", "/static/ga-sync.css"),
    ],
)
def test_every_answer_carries_the_security_headers(shared_house: House, method: str, path: str) -> None:
    headers = shared_house.client.request(method, path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("max-age=3600" if path.endswith(".css") else "no-store")
    assert "strict-transport-security" not in headers


def test_metrics_name_no_object(shared: Shared) -> None:
    shared.house.call("GET", shared.at)
    shared.house.client.get("/link/some-ticket")
    shared.house.client.get("/some/where/else")
    metrics = shared.house.client.get("/metrics").text
    assert "ga_sync_requests_total" in metrics
    for secret in (shared.link_id, shared.grant_id, "some-ticket", "/some/where"):
        assert secret not in metrics


def test_pages_show_hostile_text_as_text(fresh: House) -> None:
    page = fresh.client.get("/oauth/callback?error=<script>alert(1)</script>&state=<b>")
    assert page.status_code == 400
    assert "<script>" not in page.text
    assert "<b>" not in page.text


def test_names_of_segments_stand_in_no_page(fresh: House) -> None:
    grant_id = fresh.consent()
    property_name = fresh.property_of(grant_id)
    clause = {
        "clauseType": "INCLUDE",
        "simpleFilter": {
            "scope": "AUDIENCE_FILTER_SCOPE_WITHIN_SAME_SESSION",
            "filterExpression": {
                "dimensionOrMetricFilter": {
                    "fieldName": "country",
                    "stringFilter": {"matchType": "EXACT", "value": "Germany"},
                }
            },
        },
    }
    name = "<img src=x onerror=alert(1)>"
    httpx.post(
        f"{fresh.sandbox.control_url}/audiences/{property_name.removeprefix('properties/')}",
        json={"display_name": name, "clauses": [clause], "create_time": "2026-11-01T00:00:00Z"},
    ).raise_for_status()
    link_id = fresh.link(grant_id)
    fresh.work()
    answer = fresh.client.get(f"/v1/links/{link_id}/segments", headers=fresh.headers())
    assert name in [one["name"] for one in answer.json()["segments"]]
    assert answer.headers["content-type"].startswith("application/json")
    begun = fresh.begin(grant_id=grant_id)
    for path in (begun["link_url"].removeprefix(PUBLIC), "/oauth/callback"):
        assert name not in fresh.client.get(path).text


def test_ready_says_no_when_a_database_is_gone(fresh: House) -> None:
    assert fresh.client.get("/healthz").json() == {"status": "ok"}
    assert fresh.client.get("/readyz").status_code == 200
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("ALTER TABLE facts RENAME TO elsewhere"))
    answer = fresh.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO facts"))
    assert fresh.client.get("/readyz").status_code == 200
    with fresh.service.stores.keyring.transaction() as session:
        session.execute(text("DELETE FROM keyring_facts"))
    assert fresh.client.get("/readyz").status_code == 503
    assert fresh.client.get("/healthz").status_code == 200


def test_a_failing_database_is_503_and_its_words_stay_inside(fresh: House) -> None:
    headers = fresh.headers()
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("ALTER TABLE links RENAME TO elsewhere"))
    answer = fresh.client.get("/v1/links", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert answer.headers["retry-after"]
    assert "links" not in answer.json()["detail"]


def test_unusable_keys_are_503(fresh: House) -> None:
    _, link_id = fresh.linked()
    headers = fresh.headers()
    with fresh.service.stores.keyring.transaction() as session:
        session.execute(text("UPDATE data_keys SET kek_version = 99"))
    with fresh.service.stores.keyring.reading() as session:
        owners = session.execute(select(DataKey.owner_kind, DataKey.owner_id)).all()
    fresh.service.keyring.forget_cached([Owner(kind, name) for kind, name in owners])
    answer = fresh.client.get(f"/v1/links/{link_id}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert answer.headers["retry-after"] == "30"
    assert fresh.client.get("/readyz").status_code == 503


def test_a_key_destroyed_in_this_moment_is_not_found(fresh: House) -> None:
    _, link_id = fresh.linked()
    fresh.service.keyring.destroy([Owner("link", link_id)], ACME, fresh.clock())
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/segments", None),
        ("POST", "/recordings/query", {"filter": {"segment": "1"}}),
        ("PUT", "/segments/1/label", {"label": "x"}),
    ):
        fresh.service.index.drop(link_id)
        fresh.refused("not-found", method, f"/v1/links/{link_id}{path}", body)
    assert fresh.call("GET", "/v1/links") == {"links": [], "next_cursor": None}
    exported = fresh.call("GET", f"/v1/customers/{ACME}/export")
    assert exported["links"][0]["link"] == {"link_id": link_id, "status": "removed"}


def test_a_customer_is_exported_whole_and_without_tokens(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.linked(GLOBEX, "user1@agency.example")
    fresh.begin(return_url="https://console.example/here")
    fresh.headers("store", ACME)
    fresh.service.users.add("ada@example.com", "console", ACME, "test")
    fresh.service.users.add("bob@example.com", "console", GLOBEX, "test")
    removed = fresh.link(fresh.consent(user="user0@agency.example"), 1)
    fresh.call("DELETE", f"/v1/links/{removed}")
    fresh.call("POST", f"/v1/links/{link_id}/pause")
    answer = fresh.client.get(f"/v1/customers/{ACME}/export", headers=fresh.headers("console", ACME))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    found = answer.json()
    assert found["customer_id"] == ACME
    assert {one["grant_id"] for one in found["grants"]} >= {grant_id}
    assert {one["role"] for one in found["api_keys"]} == {"store", "console"}
    assert [one["email"] for one in found["accounts"]] == ["ada@example.com"]
    assert "https://console.example/here" in {one["return_url"] for one in found["consents"]}
    links = {one["link"]["link_id"]: one for one in found["links"]}
    assert set(links) == {link_id, removed}
    assert links[removed]["link"]["status"] == "removed"
    link = links[link_id]
    assert link["link"]["status"] == "paused"
    assert [run["status"] for run in link["runs"]]
    true = fresh.truth(link["link"]["property"])["days"]
    expected = {
        day["day"]: {
            segment: sorted(ids["visible"]) for segment, ids in day["audiences"].items() if ids["visible"]
        }
        for day in true
    }
    assert len(link["days"]) == 3
    for day in link["days"]:
        members = {one["segment_id"]: sorted(one["recording_ids"]) for one in day["members"]}
        assert members == expected[day["day"]]
    assert {event["customer_id"] for event in found["audit"]} == {ACME}
    assert found["audit"][0]["verb"] == "customer.export"
    for secret in ("token", "secret_hash", "wrapped", "ticket"):
        assert secret not in answer.text.replace('"tokens', "").replace("tokens_", "").replace(
            "token_expires_at", ""
        )
    empty = fresh.call("GET", "/v1/customers/nobody/export")
    assert (empty["grants"], empty["links"], empty["api_keys"]) == ([], [], [])
    fresh.refused("invalid", "GET", "/v1/customers/a%20b/export")
    fresh.refused("invalid", "DELETE", "/v1/customers/a%20b")


def test_what_nobody_foresaw_is_logged_without_a_word_of_the_request(
    fresh: House, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = fresh.headers()
    _, link_id = fresh.linked()
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("UPDATE links SET time_zone = 'canary-zone-without-any-place'"))
    capsys.readouterr()
    answer = fresh.client.get(f"/v1/links/{link_id}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    said = "".join(capsys.readouterr())
    assert "request_failed" in said
    assert "canary-zone" not in said + answer.text
    assert headers["authorization"].removeprefix("Bearer ") not in said


def test_the_stylesheet_is_the_file(shared_house: House) -> None:
    style = Path("ga_sync/web/static/ga-sync.css").read_text(encoding="utf-8")
    assert shared_house.client.get("/static/ga-sync.css").text == style
