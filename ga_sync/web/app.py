"""Every address on one screen."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders, State
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.status_codes import HTTP_405_METHOD_NOT_ALLOWED
from litestar.types import Message, Scope

from ga_sync.web import grants, links, metrics, operations, pages, recordings, rights
from ga_sync.web.auth import Door
from ga_sync.web.errors import HANDLERS, AnyRequest
from ga_sync.web.express import Express
from ga_sync.web.marks import fixed_headers
from ga_sync.web.methods import Methods
from ga_sync.web.paging import DEFAULT_LIMIT, Cursor, Limit, Listing, seal, unseal
from ga_sync.web.patience import BODY_SECONDS, Patient
from ga_sync.web.reading import StrictRequest
from ga_sync.web.refusals import on_no_such_address
from ga_sync.web.services import Services
from ga_sync.web.site import page_state, templates
from ga_sync.web.site import pages as site_pages
from ga_sync.web.together import Together
from ga_sync.web.tracing import Traced
from models.keyring import SYSTEM

MAX_BODY = 16 * 1024 * 1024
ADDRESSES = [
    grants.create_grant,
    grants.list_grants,
    grants.show_grant,
    grants.list_properties,
    grants.list_dimensions,
    grants.revoke_grant,
    links.create_link,
    links.list_links,
    links.show_link,
    links.change_link,
    links.sync_link,
    links.list_runs,
    links.show_run,
    links.list_days,
    links.put_recorded,
    links.pause_link,
    links.resume_link,
    links.remove_link,
    links.list_segments,
    links.label_segment,
    recordings.query,
    recordings.match,
    recordings.count,
    recordings.segments,
    recordings.explain,
    recordings.export,
    rights.forget,
    rights.changes,
    operations.erase_customer,
    operations.export_customer,
    operations.list_audit,
    operations.openapi,
    operations.healthz,
    operations.readyz,
    metrics.metrics,
    pages.guide,
    pages.start_guided,
    pages.start_at_once,
    pages.callback,
    pages.style,
]


def _marked(services: Services) -> Callable[[Message, Scope], Awaitable[None]]:
    """A hook that puts the headers on every answer, errors too."""
    fixed = fixed_headers(services)

    async def mark(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            said = [*message["headers"]]
            names = {name.lower() for name, _ in said}
            message["headers"] = said + [one for one in fixed if one[0] not in names]
            if message["status"] == HTTP_405_METHOD_NOT_ALLOWED or scope.get("method") == HttpMethod.OPTIONS:
                headers = MutableScopeHeaders.from_message(message)
                headers["allow"] = _methods(scope["litestar_app"]).of(scope["path"]) or ""

    return mark


@cache
def _methods(app: Litestar) -> Methods:
    return Methods(app.routes)


def _listings(services: Services) -> Callable[..., Listing]:
    """What gives handlers of lists the page that was asked for."""

    def listing(request: AnyRequest, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Listing:
        key = services.keyring.sealer(SYSTEM).key("list cursor")
        rest = sorted(
            item for item in request.query_params.multi_items() if item[0] not in {"limit", "cursor"}
        )
        scope = repr((request.scope["path"], rest, request.scope["state"]["caller"].principal.customer_id))
        after = "" if cursor is None else unseal(key, scope, cursor)
        return Listing(limit, after, lambda place: seal(key, scope, place, services.random))

    return listing


def create_app(services: Services, body_seconds: float = BODY_SECONDS) -> Litestar:
    """The ASGI application over a wired service; a body has to arrive within so many seconds."""
    door = Door(services)
    express = Express(services, door)
    addresses: list[Any] = [*ADDRESSES, site_pages()]
    return Litestar(
        route_handlers=addresses,
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "listing": Provide(_listings(services), sync_to_thread=True),
        },
        state=State({"door": door, "together": Together(express), **page_state(services)}),
        request_class=StrictRequest,
        exception_handlers={**HANDLERS, NotFoundException: on_no_such_address},
        request_max_body_size=MAX_BODY,
        middleware=[Traced(services), metrics.COUNTED.middleware, Patient(body_seconds)],
        before_send=[_marked(services)],
        template_config=templates(),
        openapi_config=OpenAPIConfig(
            title="ga-sync", version="1", path="/openapi", render_plugins=[JsonRenderPlugin()]
        ),
        logging_config=None,
        on_shutdown=[express.told.write],
        signature_types=[Services, Listing],
    )
