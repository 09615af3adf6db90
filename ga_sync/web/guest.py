"""The pass of a customer without an account: the browser that gave a consent may see that grant, and nothing else.

The cookie names the grant and its own end, under an HMAC of the system's key; nothing of it is stored.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from ga_sync.accounts import store
from ga_sync.accounts.names import is_plain
from ga_sync.web.forms import Form, form_token, require_own_form
from ga_sync.web.refusals import NoPass
from ga_sync.web.services import Services
from models.keyring import SYSTEM

PASS_LIFE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a pass admits: to one grant of one customer; ``token`` goes into every form."""

    grant_id: str
    customer_id: str
    token: str

    @property
    def actor(self) -> str:
        """For the audit log."""
        return f"guest:{self.grant_id}"


def _cookie_name(services: Services, grant_id: str) -> str:
    """One cookie a grant, so that a person who links two customers keeps both pages."""
    host = "__Host-" if services.settings.public_url.startswith("https") else ""
    return f"{host}ga_sync_pass_{grant_id}"


def _proof(services: Services, grant_id: str, until: str) -> str:
    return services.keyring.sealer(SYSTEM).blind("pass", f"{grant_id}\n{until}").hex()


def issue(services: Services, grant_id: str) -> Cookie:
    """The cookie for the browser that has just given a grant's consent."""
    until = str(int((services.clock() + PASS_LIFE).timestamp()))
    return Cookie(
        key=_cookie_name(services, grant_id),
        value=f"{until}.{_proof(services, grant_id, until)}",
        max_age=int(PASS_LIFE.total_seconds()),
        path="/",
        secure=services.settings.public_url.startswith("https"),
        httponly=True,
        samesite="lax",
    )


def admit(request: Request[Any, Any, Any], services: Services, grant_id: str) -> Guest:
    """Whom the browser's cookie admits to this grant. Raises NoPass."""
    value = request.cookies.get(_cookie_name(services, grant_id), "") if is_plain(grant_id) else ""
    until, _, proof = value.partition(".")
    genuine = until.isascii() and until.isdigit() and proof.isascii()
    if not genuine or not hmac.compare_digest(proof, _proof(services, grant_id, until)):
        raise NoPass
    if datetime.fromtimestamp(int(until), UTC) <= services.clock():
        raise NoPass
    with services.stores.data.reading() as session:
        customer_id = store.grant_customer(session, grant_id)
    if customer_id is None:
        raise NoPass
    return Guest(grant_id, customer_id, form_token(services, value))


def admit_form(request: Request[Any, Any, Any], services: Services, grant_id: str, form: Form) -> Guest:
    """As :func:`admit`, for what changes something. Raises NoPass, Forged."""
    guest = admit(request, services, grant_id)
    cookie = request.cookies[_cookie_name(services, grant_id)]
    require_own_form(request, services, cookie, form)
    return guest
