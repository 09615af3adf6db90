"""What Prometheus asks: requests, and how the links, grants and jobs stand. Counts only; nothing is named.

Names and labels follow https://prometheus.io/docs/practices/naming/.
"""

from datetime import datetime

from litestar import Response, get
from litestar.plugins.prometheus import PrometheusConfig, PrometheusMiddleware
from litestar.types import Receive, Scope, Send
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ga_sync.web.admin import store
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

LINK_STATES = ("active", "paused", "broken")
GRANT_STATES = ("pending", "active", "reconsent_required", "revoking", "revoked", "failed")
JOB_KINDS = ("sync", "revoke", "bury", "upkeep")
COUNTED = PrometheusConfig(app_name="ga_sync", prefix="ga_sync", group_path=True)
"""How requests are counted."""


class Counter:
    """Counts the requests of one address that are answered past the middleware, as the middleware counts them."""

    def __init__(self, address: str) -> None:
        middleware = PrometheusMiddleware(_nobody, COUNTED)
        labels: dict[str, str | int | float] = {"method": "POST", "path": address, "status_code": 200}
        labels["app_name"] = COUNTED.app_name
        middleware.requests_in_progress(labels).labels(*labels.values())  # none: they never last
        self._count = middleware.request_count(labels).labels(*labels.values()).inc
        self._time = middleware.request_time(labels).labels(*labels.values()).observe

    def __call__(self, seconds: float) -> None:
        """One more, which took so long."""
        self._count()
        self._time(seconds)


async def _nobody(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Nothing is behind this middleware."""


def _gauge(registry: CollectorRegistry, name: str, says: str, *labels: str) -> Gauge:
    return Gauge(f"ga_sync_{name}", says, labels, registry=registry)


def standing(session: Session, now: datetime) -> CollectorRegistry:
    """How everything stands, read now."""
    registry = CollectorRegistry()
    links = _gauge(registry, "links", "Links by state; one whose grant is dead is broken.", "status")
    for state, count in (dict.fromkeys(LINK_STATES, 0) | store.link_counts(session)).items():
        links.labels(state).set(count)
    grants = _gauge(registry, "grants", "Grants by state.", "status")
    for state, count in (dict.fromkeys(GRANT_STATES, 0) | store.grant_counts(session)).items():
        grants.labels(state).set(count)
    jobs = _gauge(registry, "jobs_due", "Jobs whose time has come and that nobody holds.", "kind")
    for kind, count in (dict.fromkeys(JOB_KINDS, 0) | store.jobs_due(session, now)).items():
        jobs.labels(kind).set(count)
    unconfirmed = _gauge(registry, "revocations_pending", "Revocations that Google has not confirmed yet.")
    unconfirmed.set(store.revocations_pending(session))
    oldest = _gauge(
        registry, "oldest_answer_seconds", "Age of the oldest answer of an active link; 0 without."
    )
    at = store.oldest_answer(session)
    oldest.set(max(0.0, (now - at).total_seconds()) if at is not None else 0)
    return registry


@get("/metrics", include_in_schema=False)
@in_thread
def metrics(services: Wired) -> Response[bytes]:
    """For Prometheus; without the standing where the database does not answer, so that the rest still comes."""
    text = generate_latest(REGISTRY)
    up = CollectorRegistry()
    answers = _gauge(up, "database_up", "1 where the database answered this question.")
    try:
        text += _standing(services)
        answers.set(1)
    except SQLAlchemyError:
        answers.set(0)
    return Response(text + generate_latest(up), headers={"content-type": CONTENT_TYPE_LATEST})


def _standing(services: Services) -> bytes:
    with services.stores.data.reading() as session:
        return generate_latest(standing(session, services.clock()))
