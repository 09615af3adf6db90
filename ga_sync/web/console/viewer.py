"""Who is looking at a page of the console."""

from dataclasses import dataclass
from typing import Any

from litestar import Request

from ga_sync.accounts import store
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.names import is_plain
from ga_sync.accounts.sessions import session_cookie
from ga_sync.accounts.users import Person
from ga_sync.web.forms import Form, form_token, require_own_form
from ga_sync.web.services import Services
from models.api_key import ANY_CUSTOMER
from models.link import LinkStatus

Asked = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person who is signed in; ``token`` goes into every form."""

    person: Person
    token: str

    @property
    def actor(self) -> str:
        """For the audit log."""
        return self.person.actor

    @property
    def only(self) -> str | None:
        """The customer whose objects this person sees; None sees all of them."""
        own = self.person.customer_id
        return None if own == ANY_CUSTOMER else own

    @property
    def is_admin(self) -> bool:
        """Whether the administrators' pages are for this person."""
        return self.person.role == "admin"


def cookie_of(request: Asked, services: Services) -> str | None:
    """The session's cookie, as the browser sent it."""
    return request.cookies.get(session_cookie(services.settings.public_url))


def network_of(request: Asked) -> str:
    """The browser's network address, by which attempts are counted."""
    return request.client.host if request.client else ""


def viewer(request: Asked, services: Services, *, admin: bool = False) -> Viewer:
    """Who is signed in.

    Raises:
        NotSignedIn: nobody.
        Forbidden: somebody who is no administrator, where one is asked for.
    """
    cookie = cookie_of(request, services)
    person = services.sessions.person(cookie)
    person.principal.require_role("admin" if admin else "console")
    return Viewer(person, form_token(services, cookie or ""))


def viewer_of_form(request: Asked, services: Services, form: Form, *, admin: bool = False) -> Viewer:
    """As :func:`viewer`, for what changes something. Raises also Forged."""
    found = viewer(request, services, admin=admin)
    require_own_form(request, services, cookie_of(request, services) or "", form)
    return found


def customer_of_link(services: Services, who: Viewer, link_id: str) -> str:
    """Whose link this is. Raises NotFound where it is not this person's to see, as if it did not exist."""
    with services.stores.data.reading() as session:
        row = store.link_owner(session, link_id) if is_plain(link_id) else None
    if row is None or row[1] == LinkStatus.REMOVED or not who.person.principal.may_see(row[0]):
        raise NotFound("there is no such link")
    return row[0]


def customer_of_grant(services: Services, grant_id: str) -> str:
    """Whose grant this is. Raises NotFound."""
    with services.stores.data.reading() as session:
        found = store.grant_customer(session, grant_id) if is_plain(grant_id) else None
    if found is None:
        raise NotFound("there is no such grant")
    return found
