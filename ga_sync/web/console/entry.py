"""Signing in and out, and the one-time address at which a person sets a password.

Where an account has a second factor, the password leads to a page that asks for the code; that alone gives a session.
"""

from collections.abc import Callable
from urllib.parse import urlencode

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts.errors import CodeRefused, CodeWanted, Invalid, NotSignedIn, SignInRefused, SlowDown
from ga_sync.accounts.passwords import SHORTEST
from ga_sync.accounts.sessions import SignedIn, pending_cookie, session_cookie
from ga_sync.web.console.viewer import Asked, cookie_of, network_of
from ga_sync.web.forms import Sent, form_token, require_own_form
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

HOME = "/console"
_NOBODY = ""
WRONG_CODE = "The code is wrong, or was used already. Wait for the next one, then try again."


def safe_next(address: str) -> str:
    """Where to go after signing in: a page of the console or of the administrators, nothing else."""
    path = address.partition("?")[0]
    plain = address.isprintable() and "\\" not in address
    return address if plain and f"{path}/".startswith(("/console/", "/admin/")) else HOME


def _form(services: Services, address: str, email: str, wrong: str = "", status: int = 200) -> Template:
    context = {
        "token": form_token(services, _NOBODY),
        "next": safe_next(address),
        "email": email,
        "wrong": wrong,
    }
    return Template("console/login.html", context=context, status_code=status)


@get("/console/login", include_in_schema=False)
@in_thread
def login(request: Asked, services: Wired) -> Template | Redirect:
    """The form; who is signed in already goes on."""
    address = request.query_params.get("next", HOME)
    try:
        services.sessions.person(cookie_of(request, services))
    except NotSignedIn:
        return _form(services, address, "")
    return Redirect(safe_next(address), status_code=303)


@post("/console/login", include_in_schema=False)
@in_thread
def sign_in(request: Asked, services: Wired, form: Sent) -> Template | Redirect:
    """Begin a session; whatever was wrong is said in the same words, after the same work."""
    require_own_form(request, services, _NOBODY, form)
    email, address = form.first("email"), form.first("next")
    former = cookie_of(request, services)
    try:
        begun = services.sessions.sign_in(email, form.first("password"), network_of(request), former)
    except CodeWanted as wanted:
        return _owing(services, wanted, address)
    except SignInRefused:
        return _form(services, address, email, "The e-mail address or the password is wrong.", 401)
    except SlowDown as error:
        return _form(services, address, email, too_many(error), 429)
    return _welcome(services, begun, address)


def too_many(error: SlowDown) -> str:
    """What a page says to whoever has to wait."""
    return f"Too many attempts. Wait {error.retry_after} seconds, then try again."


def _welcome(services: Services, begun: SignedIn, address: str, *more: Cookie) -> Redirect:
    cookies = [_cookie(services, begun.cookie, begun.max_age), *more]
    return Redirect(safe_next(address), status_code=303, cookies=cookies)


def _owing(services: Services, wanted: CodeWanted, address: str) -> Redirect:
    """On to the page that asks for the code; the cookie is no session."""
    cookie = _cookie(services, wanted.cookie, wanted.max_age, pending_cookie)
    following = urlencode({"next": safe_next(address)})
    return Redirect(f"/console/login/code?{following}", status_code=303, cookies=[cookie])


def _cookie(
    services: Services, value: str, max_age: int, name: Callable[[str], str] = session_cookie
) -> Cookie:
    return Cookie(
        key=name(services.settings.public_url),
        value=value,
        max_age=max_age,
        path="/",
        secure=services.settings.public_url.startswith("https"),
        httponly=True,
        samesite="lax",
    )


@get("/console/login/code", include_in_schema=False)
@in_thread
def code_form(request: Asked, services: Wired) -> Template | Redirect:
    """The form for the code; whoever does not owe one signs in first."""
    address = safe_next(request.query_params.get("next", HOME))
    pending = request.cookies.get(pending_cookie(services.settings.public_url))
    try:
        services.sessions.require_pending(pending)
    except NotSignedIn:
        return Redirect(f"/console/login?{urlencode({'next': address})}", status_code=303)
    return _code_form(services, pending, address)


def _code_form(
    services: Services, pending: str | None, address: str, wrong: str = "", status: int = 200
) -> Template:
    context = {"token": form_token(services, pending or ""), "next": safe_next(address), "wrong": wrong}
    return Template("console/code.html", context=context, status_code=status)


@post("/console/login/code", include_in_schema=False)
@in_thread
def give_code(request: Asked, services: Wired, form: Sent) -> Template | Redirect:
    """Begin the session that the password earned, with a code of the app or a recovery code."""
    pending = request.cookies.get(pending_cookie(services.settings.public_url))
    require_own_form(request, services, pending or _NOBODY, form)
    code, address, former = form.first("code"), form.first("next"), cookie_of(request, services)
    try:
        begun = services.sessions.finish(pending, code, network_of(request), former)
    except NotSignedIn:
        return _form(services, address, "", "The five minutes for the code are over. Sign in again.", 401)
    except CodeRefused:
        return _code_form(services, pending, address, WRONG_CODE, 401)
    except SlowDown as error:
        return _code_form(services, pending, address, too_many(error), 429)
    return _welcome(services, begun, address, _cookie(services, "", 0, pending_cookie))


@post("/console/logout", include_in_schema=False)
@in_thread
def sign_out(request: Asked, services: Wired, form: Sent) -> Redirect:
    """End the session."""
    cookie = cookie_of(request, services) or ""
    require_own_form(request, services, cookie, form)
    services.sessions.sign_out(cookie)
    return Redirect("/console/login", status_code=303, cookies=[_cookie(services, "", 0)])


@get("/console/setup/{invitation:str}", include_in_schema=False)
@in_thread
def setup(invitation: FromPath[str], services: Wired) -> Template:
    """Whose account it is, and a form for the password. Raises InvitationGone."""
    return _setup_form(services, invitation)


def _setup_form(services: Services, invitation: str, wrong: str = "", status: int = 200) -> Template:
    context = {
        "person": services.users.invited(invitation),
        "token": form_token(services, invitation),
        "shortest": SHORTEST,
        "wrong": wrong,
    }
    return Template("console/setup.html", context=context, status_code=status)


@post("/console/setup/{invitation:str}", include_in_schema=False)
@in_thread
def set_password(
    request: Asked, invitation: FromPath[str], services: Wired, form: Sent
) -> Template | Redirect:
    """Set the password and use the address up; a password that is refused leaves it usable."""
    require_own_form(request, services, invitation, form)
    if form.first("password") != form.first("again"):
        return _setup_form(services, invitation, "The two passwords are not the same.", 422)
    try:
        services.users.set_password(invitation, form.first("password"))
    except Invalid as error:
        return _setup_form(services, invitation, f"{str(error).capitalize()}.", 422)
    return Redirect("/console/login", status_code=303)
