"""What an operator sees of a running service: request ids, one line a request, metrics of how things stand."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from litestar.enums import ScopeType
from sqlalchemy import text

from ga_sync.web.tracing import Traced
from tests.web.bench import House, Shared

METRICS = (
    "ga_sync_links",
    "ga_sync_grants",
    "ga_sync_jobs_due",
    "ga_sync_revocations_pending",
    "ga_sync_oldest_answer_seconds",
    "ga_sync_database_up",
    "ga_sync_requests_total",
    "ga_sync_request_duration_seconds",
    "ga_sync_requests_in_progress",
    "ga_sync_requests_error_total",
)
GUIDE = Path(__file__).parents[2] / "docs" / "metrics.md"


def _value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics, re.MULTILINE)
    assert found is not None, metrics
    return float(found[1])


def test_every_answer_has_an_id_and_a_plain_one_is_kept(shared: Shared) -> None:
    client = shared.house.client
    assert re.fullmatch(r"[0-9a-f]{16}", client.get("/healthz").headers["x-request-id"])
    kept = client.get("/healthz", headers={"x-request-id": "trace-0001"})
    assert kept.headers["x-request-id"] == "trace-0001"
    for odd in ("short", "x" * 65, "with space in it"):
        assert client.get("/healthz", headers={"x-request-id": odd}).headers["x-request-id"] != odd
    assert client.get("/v1/links").headers["x-request-id"]


def test_one_line_a_request_names_the_address_as_declared(fresh: House) -> None:
    """No secret of an address is in it; lines written meanwhile carry the same id."""
    begun = fresh.begin()
    ticket = begun["link_url"].rpartition("/")[2]
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = fresh.client.get(f"/link/{ticket}")
        fresh.client.get("/healthz")
    told = [line for line in lines if line["event"] == "request"]
    assert told[0]["address"] == "/link/{ticket}"
    assert (told[0]["method"], told[0]["status"], told[0]["log_level"]) == ("GET", 200, "info")
    assert told[0]["request_id"] == answer.headers["x-request-id"]
    assert told[1]["log_level"] == "debug"
    assert ticket not in repr(lines)


def test_what_is_no_request_passes_untouched(shared: Shared) -> None:
    passed = []

    async def app(scope: object, receive: object, send: object) -> None:
        passed.append(scope)

    scope = {"type": ScopeType.WEBSOCKET}
    traced = Traced(shared.house.service)(app)
    with ThreadPoolExecutor(1) as aside:  # a browser's loop may be running in this thread
        aside.submit(asyncio.run, traced(scope, None, None)).result()  # type: ignore[arg-type]
    assert passed == [scope]


def test_metrics_say_how_things_stand(fresh: House) -> None:
    before = fresh.client.get("/metrics").text
    assert _value(before, 'ga_sync_links{status="active"}') == 0
    assert _value(before, "ga_sync_oldest_answer_seconds") == 0
    grant_id, _ = fresh.linked()
    fresh.forward(minutes=30)
    linked = fresh.client.get("/metrics").text
    assert _value(linked, 'ga_sync_links{status="active"}') == 1
    assert _value(linked, 'ga_sync_grants{status="active"}') == 1
    assert _value(linked, "ga_sync_oldest_answer_seconds") == 1800
    assert _value(linked, "ga_sync_database_up") == 1
    fresh.mood("revoke_http_error", status=503)
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    revoked = fresh.client.get("/metrics").text
    assert _value(revoked, "ga_sync_revocations_pending") == 1
    assert _value(revoked, 'ga_sync_links{status="active"}') == 0


def test_without_a_database_the_rest_still_comes(fresh: House) -> None:
    fresh.client.get("/healthz")  # something to count
    with fresh.service.stores.data.transaction() as session:
        session.execute(text("ALTER TABLE jobs RENAME TO gone"))
    metrics = fresh.client.get("/metrics")
    assert metrics.status_code == 200
    assert _value(metrics.text, "ga_sync_database_up") == 0
    assert "ga_sync_requests_total" in metrics.text


def test_every_metric_is_documented(shared: Shared) -> None:
    """The list in the docs is the list that is served, but for the library's own about the process."""
    shared.house.client.get("/healthz")
    served = set(re.findall(r"^# TYPE (ga_sync_\S+)", shared.house.client.get("/metrics").text, re.MULTILINE))
    served = {name for name in served if not name.endswith("_created")}
    documented = set(re.findall(r"`(ga_sync_[a-z_]+)`", GUIDE.read_text(encoding="utf-8")))
    assert served <= documented
    assert set(METRICS) <= documented
    assert documented <= served | set(METRICS)
