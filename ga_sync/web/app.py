"""Every address on one screen."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import ResponseHeader, State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.template import TemplateConfig

from ga_sync.web import grants, links, operations, pages, recordings
from ga_sync.web.auth import Door
from ga_sync.web.errors import HANDLERS
from ga_sync.web.services import Services

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
    operations.erase_customer,
    operations.list_audit,
    operations.healthz,
    operations.readyz,
    pages.guide,
    pages.start_guided,
    pages.start_at_once,
    pages.callback,
    pages.style,
]


def _headers(services: Services) -> list[ResponseHeader]:
    auth = urlsplit(services.settings.google_auth_uri)
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {auth.scheme}://{auth.netloc}"  # the form's answer leads on to Google
    )
    fixed = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    if services.settings.public_url.startswith("https"):
        fixed["strict-transport-security"] = "max-age=63072000"
    return [ResponseHeader(name=name, value=value) for name, value in fixed.items()]


def create_app(services: Services) -> Litestar:
    """The ASGI application over a wired service."""
    metrics = PrometheusConfig(app_name="ga_sync", prefix="ga_sync", group_path=True)
    addresses: list[Any] = [*ADDRESSES, PrometheusController]
    return Litestar(
        route_handlers=addresses,
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        state=State({"door": Door(services)}),
        exception_handlers=HANDLERS,
        request_max_body_size=MAX_BODY,
        middleware=[metrics.middleware],
        response_headers=_headers(services),
        template_config=TemplateConfig(
            directory=Path(__file__).parent / "templates", engine=JinjaTemplateEngine
        ),
        openapi_config=OpenAPIConfig(
            title="ga-sync", version="1", path="/", render_plugins=[JsonRenderPlugin(path="/openapi.json")]
        ),
        logging_config=None,
        signature_types=[Services],
    )
