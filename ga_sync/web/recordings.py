"""Questions of the recording store and the console."""

from datetime import date

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from msgspec import UnsetType

from ga_sync.accounts.errors import Invalid
from ga_sync.accounts.generation import Window
from ga_sync.web.auth import allow
from ga_sync.web.bodies import Asked, Count, Explain, Match, Query, Windowed
from ga_sync.web.express import ROLES
from ga_sync.web.grants import Call, Json, caller_of
from ga_sync.web.params import From, To, day_of
from ga_sync.web.services import Wired
from ga_sync.web.streams import STREAMS
from ga_sync.web.threads import in_thread


def _window(data: Windowed) -> Window:
    return Window(data.from_, data.to)


def _asks(path: str) -> dict[str, object]:
    return {
        "path": f"/v1/links/{{link_id:str}}/recordings/{path}",
        "guards": [allow(*ROLES)],
        "status_code": 200,
        "tags": ["recordings"],
    }


@post(**_asks("query"))  # type: ignore[arg-type]
@in_thread
def query(request: Call, link_id: FromPath[str], data: JSONBody[Query], services: Wired) -> Json:
    """A page of the recordings that a filter is true of."""
    customer_id = caller_of(request).customer_id
    return services.recordings.query(
        link_id, customer_id, data.filter, _window(data), data.limit, data.cursor
    )


@post(**_asks("match"))  # type: ignore[arg-type]
@in_thread
def match(request: Call, link_id: FromPath[str], data: JSONBody[Match], services: Wired) -> Json:
    """Which candidates the filter is true of, and which it may be true of."""
    customer_id = caller_of(request).customer_id
    return services.recordings.match(link_id, customer_id, data.filter, _candidates(data), _window(data))


def _candidates(data: Match) -> list[tuple[str, date | None]]:
    if isinstance(data.recording_ids, UnsetType) == isinstance(data.recordings, UnsetType):
        raise Invalid("send either recording_ids or recordings")
    if not isinstance(data.recordings, UnsetType):
        return [(candidate.id, candidate.day) for candidate in data.recordings]
    assert not isinstance(data.recording_ids, UnsetType)
    return [(recording_id, None) for recording_id in data.recording_ids]


@post(**_asks("count"))  # type: ignore[arg-type]
@in_thread
def count(request: Call, link_id: FromPath[str], data: JSONBody[Count], services: Wired) -> Json:
    """How many, exactly."""
    customer_id = caller_of(request).customer_id
    among = None if isinstance(data.recording_ids, UnsetType) else data.recording_ids
    return services.recordings.count(link_id, customer_id, data.filter, _window(data), data.by, among)


@post(**_asks("segments"))  # type: ignore[arg-type]
@in_thread
def segments(request: Call, link_id: FromPath[str], data: JSONBody[Asked], services: Wired) -> Json:
    """The segments of each recording."""
    return services.recordings.segments_of(link_id, caller_of(request).customer_id, data.recording_ids)


@post(**_asks("explain"))  # type: ignore[arg-type]
@in_thread
def explain(request: Call, link_id: FromPath[str], data: JSONBody[Explain], services: Wired) -> Json:
    """Why, or why not."""
    customer_id = caller_of(request).customer_id
    return services.recordings.explain(link_id, customer_id, data.filter, data.recording_ids)


@get(
    "/v1/links/{link_id:str}/recordings/export",
    guards=[allow("store")],
    tags=["recordings"],
)
@in_thread
def export(
    request: Call,
    link_id: FromPath[str],
    services: Wired,
    filter: FromQuery[str],  # noqa: A002 -- the contract's word
    first: From = None,
    to: To = None,
    format: FromQuery[str] = "ndjson",  # noqa: A002 -- the contract's word
) -> Stream:
    """Every recording of a filter with its last day, in constant memory."""
    if format not in STREAMS:
        raise Invalid("format must be ndjson or arrow")
    window = Window(day_of(first), day_of(to))
    about, batches = services.recordings.export(link_id, caller_of(request).customer_id, filter, window)
    headers = {
        "GA-Sync-As-Of": str(about["as_of"] or ""),
        "GA-Sync-Completeness": msgspec.json.encode(about["completeness"]).decode(),
    }
    stream, media_type = STREAMS[format]
    return Stream(stream(batches), media_type=media_type, headers=headers)
