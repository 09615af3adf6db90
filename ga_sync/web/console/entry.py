"""Signing in and out, and the one-time address at which a person sets a password."""

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect, Template

from ga_sync.accounts.errors import Invalid, NotSignedIn, SignInRefused, SlowDown
from ga_sync.accounts.passwords import SHORTEST
from ga_sync.accounts.sessions import SignedIn, session_cookie
from ga_sync.web.console.viewer import Asked, cookie_of
from ga_sync.web.forms import Sent, form_token, require_own_form
from ga_sync.web.services import Services, Wired
from ga_sync.web.threads import in_thread

HOME = "/console"
_NOBODY = ""


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
    network = request.client.host if request.client else ""
    try:
        begun = services.sessions.sign_in(
            email, form.first("password"), network, cookie_of(request, services)
        )
    except SignInRefused:
        return _form(services, address, email, "The e-mail address or the password is wrong.", 401)
    except SlowDown as error:
        wait = f"Too many attempts. Wait {error.retry_after} seconds, then try again."
        return _form(services, address, email, wait, 429)
    return _welcome(services, begun, address)


def _welcome(services: Services, begun: SignedIn, address: str) -> Redirect:
    cookie = _cookie(services, begun.cookie, begun.max_age)
    return Redirect(safe_next(address), status_code=303, cookies=[cookie])


def _cookie(services: Services, value: str, max_age: int) -> Cookie:
    return Cookie(
        key=session_cookie(services.settings.public_url),
        value=value,
        max_age=max_age,
        path="/",
        secure=services.settings.public_url.startswith("https"),
        httponly=True,
        samesite="lax",
    )


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
