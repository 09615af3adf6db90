"""A person's own second factor: how it stands, turning it on, its recovery codes, turning it off."""

from litestar import get, post
from litestar.response import Redirect, Template

from ga_sync.accounts.codes import grouped
from ga_sync.accounts.errors import CodeRefused, Conflict, SignInRefused, SlowDown
from ga_sync.accounts.factors import Enrolment
from ga_sync.web.console.drawing import qr_code
from ga_sync.web.console.entry import WRONG_CODE, too_many
from ga_sync.web.console.viewer import Asked, Viewer, cookie_of, network_of, viewer, viewer_of_form
from ga_sync.web.forms import Sent
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

AT = "/console/factor"


@get(AT, include_in_schema=False)
@in_thread
def factor(request: Asked, services: Wired) -> Template:
    """Whether it is on, since when, and how many recovery codes are left."""
    return _factor(services, viewer(request, services))


def _factor(services: Services, who: Viewer, wrong: str = "", status: int = 200) -> Template:
    context = {"who": who, "factor": services.factors.of(who.person), "wrong": wrong}
    return Template("console/factor.html", context=context, status_code=status)


@post(f"{AT}/begin", include_in_schema=False)
@in_thread
def begin_factor(request: Asked, services: Wired, form: Sent) -> Template:
    """A new secret for the app, shown in this answer alone. Raises Conflict where it is on already."""
    who = viewer_of_form(request, services, form)
    try:
        begun = services.factors.begin(who.person, form.first("password"), network_of(request))
    except SignInRefused:
        return _factor(services, who, "The password is wrong.", 401)
    except SlowDown as error:
        return _factor(services, who, too_many(error), 429)
    return _enrolment(who, begun)


def _enrolment(who: Viewer, begun: Enrolment | None, wrong: str = "", status: int = 200) -> Template:
    context = {
        "who": who,
        "secret": grouped(begun.secret.reveal()) if begun else "",
        "address": begun.address.reveal() if begun else "",
        "qr": qr_code(begun.address.reveal()) if begun else None,
        "wrong": wrong,
    }
    return Template("console/factor_begun.html", context=context, status_code=status)


@post(f"{AT}/confirm", include_in_schema=False)
@in_thread
def confirm_factor(request: Asked, services: Wired, form: Sent) -> Template:
    """Turn it on with a right code; the recovery codes are shown in this answer alone."""
    who = viewer_of_form(request, services, form)
    session, code = cookie_of(request, services) or "", form.first("code")
    try:
        codes = services.factors.confirm(who.person, code, network_of(request), session)
    except CodeRefused:
        return _enrolment(who, None, WRONG_CODE, 401)
    except SlowDown as error:
        return _enrolment(who, None, too_many(error), 429)
    except Conflict as error:
        return _factor(services, who, f"{str(error).capitalize()}.", 409)
    return Template("console/factor_codes.html", context={"who": who, "codes": codes})


@post(f"{AT}/off", include_in_schema=False)
@in_thread
def end_factor(request: Asked, services: Wired, form: Sent) -> Template | Redirect:
    """Turn it off with password and code; which of the two was wrong is not said. Raises Conflict where it is off."""
    who = viewer_of_form(request, services, form)
    password, code = form.first("password"), form.first("code")
    try:
        services.factors.turn_off(who.person, password, code, network_of(request))
    except (SignInRefused, CodeRefused):
        return _factor(services, who, "The password or the code is wrong.", 401)
    except SlowDown as error:
        return _factor(services, who, too_many(error), 429)
    return Redirect(AT, status_code=303)
