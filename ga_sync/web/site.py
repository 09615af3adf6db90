"""Every page on one screen. Pages answer in HTML, also where they refuse; the doors of version 1 stand in ``app``."""

from typing import Any

from litestar import Router
from litestar.di import Provide
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from ga_sync.web import assets
from ga_sync.web.admin import access, fleet, permissions
from ga_sync.web.console import coverage, entry, factor, workbench
from ga_sync.web.customer import choosing, progress
from ga_sync.web.customer.offers import Offers
from ga_sync.web.forms import read_form
from ga_sync.web.refusals import PAGE_HANDLERS
from ga_sync.web.services import Services
from ga_sync.web.showing import environment

PAGES: list[Any] = [
    assets.script,
    assets.icon,
    choosing.choose_properties,
    choosing.choose_dimensions,
    choosing.make_links,
    choosing.help_page,
    progress.progress,
    progress.disconnect,
    progress.disconnect_now,
    entry.login,
    entry.sign_in,
    entry.code_form,
    entry.give_code,
    entry.sign_out,
    entry.setup,
    entry.set_password,
    factor.factor,
    factor.begin_factor,
    factor.confirm_factor,
    factor.end_factor,
    workbench.home,
    workbench.workbench,
    coverage.coverage,
    fleet.fleet,
    fleet.link,
    fleet.act_on_link,
    permissions.grants,
    permissions.grant,
    permissions.revoke,
    access.keys,
    access.make_key,
    access.revoke_key,
    access.people,
    access.invite,
    access.reset_factor,
    access.disable,
    access.audit,
]


def pages() -> Router:
    """The pages as one router, with what they share."""
    return Router(
        path="/",
        route_handlers=PAGES,
        dependencies={"form": Provide(read_form)},
        exception_handlers=PAGE_HANDLERS,
    )


def page_state(services: Services) -> dict[str, Any]:
    """What pages remember between requests, in memory."""
    return {"offers": Offers(services.linking, services.clock)}


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """The templates of every page."""
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment()))
