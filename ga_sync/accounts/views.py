"""Objects as the contract shows them: JSON-ready dictionaries, times in RFC 3339 UTC (pure but for opened links)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from ga_sync.analytics import errors as analytics_errors
from ga_sync.analytics.quota import Kind, limits_for
from ga_sync.index.store import HeldSegment
from ga_sync.sync.completeness import worst
from ga_sync.sync.links import OpenLink
from ga_sync.sync.segments import ARCHIVED_AFTER
from models.audit_event import AuditEvent
from models.day import Reading
from models.grant import Grant, GrantStatus
from models.link import Link, LinkStatus
from models.run import Run
from oauth.actions import action_for
from oauth.consent import status_at

View = dict[str, Any]
_DEAD = {GrantStatus.RECONSENT_REQUIRED, GrantStatus.REVOKING, GrantStatus.REVOKED, GrantStatus.FAILED}


def _subclasses(
    root: type[analytics_errors.AnalyticsError],
) -> Iterable[type[analytics_errors.AnalyticsError]]:
    for child in root.__subclasses__():
        yield child
        yield from _subclasses(child)


LINK_ACTIONS: Mapping[str, str] = {
    kind.slug.replace("-", "_"): kind.action for kind in _subclasses(analytics_errors.AnalyticsError)
} | {
    "grant_dead": "Google no longer accepts this link's consent: connect the Google account again (reconnect)."
}


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def grant(row: Grant, link_ids: list[str], now: datetime) -> View:
    """A grant; with its receipt once it is being revoked."""
    status, reason = status_at(row, now)
    view: View = {
        "grant_id": row.grant_id,
        "customer_id": row.customer_id,
        "status": status,
        "reason": reason,
        "action": action_for(status, reason, row.google),
        "created_at": moment(row.created_at),
        "expires_at": moment(row.expires_at),
        "purge_at": moment(row.purge_at),
        "token_expires_at": moment(row.token_expires_at),
        "links": link_ids,
    }
    if row.purged_at is not None:
        view["receipt"] = receipt(row)
    return view


def receipt(row: Grant) -> View:
    """What a revocation destroyed; only ``google`` still advances."""
    return {
        "grant_id": row.grant_id,
        "purged_at": moment(row.purged_at),
        "google": row.google or "pending",
        "links": [link_id for link_id in row.purged_links.split(",") if link_id],
        "days": row.purged_days,
        "segments": row.purged_segments,
        "recordings": row.purged_recordings,
    }


def link_status(row: Link, grant_row: Grant | None) -> tuple[str, str | None]:
    """Status and reason; a link whose grant is dead is broken, and whole again as soon as the grant is."""
    if row.status == LinkStatus.ACTIVE and (grant_row is None or grant_row.status in _DEAD):
        return LinkStatus.BROKEN, "grant_dead"
    return row.status, row.reason


def link(
    row: Link,
    opened: OpenLink,
    grant_row: Grant | None,
    last_run: Run | None,
    next_sync_at: datetime | None,
    day_states: Iterable[str],
) -> View:
    """A link with its newest run and how many of its days are in which state."""
    status, reason = link_status(row, grant_row)
    return {
        "link_id": row.link_id,
        "customer_id": row.customer_id,
        "grant_id": row.grant_id,
        "property": opened.property,
        "display_name": opened.display_name,
        "parameter_name": opened.parameter_name,
        "time_zone": row.time_zone,
        "status": status,
        "reason": reason,
        "action": LINK_ACTIONS.get(reason) if reason else None,
        "retention_days": row.retention_days,
        "next_sync_at": moment(next_sync_at) if status != LinkStatus.PAUSED else None,
        "last_run": run(last_run) if last_run else None,
        "quota": quota(row, last_run),
        "days": worst(day_states)[1],
    }


def quota(row: Link, last_run: Run | None) -> View | None:
    """What Google told of each of the property's quotas, and what we make of it; None before the first run.

    ``plan``: what stopped the newest run and when it goes on, how many days are left, when the audiences were listed,
    and what we did in the hour before that run's end: failures of Google and reports that may be thresholded.
    """
    if not row.quota:
        return None
    limits = limits_for(row.service_level)
    kinds = {name: {**one, "limit": limits.get(Kind(name))} for name, one in row.quota["kinds"].items()}
    stopped = last_run is not None and (last_run.error or "").startswith("quota_")
    plan = {
        "stopped_by": last_run.error if last_run and stopped else None,
        "goes_on_at": moment(last_run.retry_at) if last_run and stopped else None,
        "days_left": last_run.days_left if last_run else None,
        "told_at": moment(datetime.fromisoformat(told) if (told := row.quota.get("at")) else None),
        "segments_checked_at": moment(row.segments_checked_at),
        "server_errors": len(row.quota.get("errors", ())),
        "thresholded_requests": len(row.quota.get("thresholded", ())),
    }
    return {**kinds, "plan": plan}


def run(row: Run) -> View:
    """A run."""
    return {
        "run_id": row.run_id,
        "link_id": row.link_id,
        "status": row.status,
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "days_read": row.days_read,
        "days_left": row.days_left,
        "requests": row.requests,
        "rows": row.rows,
        "tokens": row.tokens,
        "retry_at": moment(row.retry_at),
        "error": row.error,
    }


def segment(held: HeldSegment, stats: tuple[int, date, date] | None) -> View:
    """A segment; ``stats`` are its recordings, first and last day, None where nobody is in it."""
    recordings, first, last = stats or (0, None, None)
    return {
        "segment_id": held.segment_id,
        "name": held.name,
        "label": held.label,
        "recordings": recordings,
        "first_day": first.isoformat() if first else None,
        "last_day": last.isoformat() if last else None,
        "created_at": moment(held.created_at),
        "archived": held.misses >= ARCHIVED_AFTER,
    }


def event(row: AuditEvent) -> View:
    """An event of the audit log."""
    return {
        "at": moment(row.at),
        "actor": row.actor,
        "verb": row.verb,
        "object": row.object,
        "customer_id": row.customer_id,
    }


def day(which: date, reading: Reading | None, recorded: int | None) -> View:
    """One wanted day."""
    seen = reading.seen if reading else None
    return {
        "day": which.isoformat(),
        "state": reading.state if reading else "missing",
        "reasons": list(reading.reasons) if reading else [],
        "recordings": reading.recordings if reading else 0,
        "memberships": reading.memberships if reading else 0,
        "seen": seen,
        "recorded": recorded,
        "coverage": seen / recorded if seen is not None and recorded else None,
        "fetched_at": moment(reading.fetched_at) if reading else None,
        "reread": {"came": reading.came, "went": reading.went}
        if reading and reading.came is not None
        else None,
    }
