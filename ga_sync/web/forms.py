"""Forms of our own pages: read with limits, and proved to come from our own page.

A form carries a token that only the page could know (an HMAC over the browser's cookie), and the browser says where it
comes from (``Origin``, ``Sec-Fetch-Site``): https://cheatsheetseries.owasp.org (cross-site request forgery).
"""

import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ga_sync.accounts.errors import Invalid
from ga_sync.web.refusals import Forged
from ga_sync.web.services import Services
from models.keyring import SYSTEM

MAX_FORM, MAX_FIELDS = 64 * 1024, 500
TOKEN_FIELD = "form_token"  # noqa: S105 -- a field's name


@dataclass(frozen=True, slots=True)
class Form:
    """What a form sent: every field's values, in order."""

    fields: dict[str, list[str]]

    def first(self, name: str) -> str:
        """The first value of a field; nothing where it is absent."""
        return self.all(name)[0] if self.all(name) else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self.fields.get(name, [])


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """The body of a form (``application/x-www-form-urlencoded``). Raises Invalid over the limits."""
    raw = await request.body()
    if len(raw) > MAX_FORM:
        raise Invalid("the form is too long: choose fewer at once")
    try:
        fields = parse_qs(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:  # too many fields, or not UTF-8
        raise Invalid("the form could not be read: choose fewer at once") from None
    return Form(fields)


def form_token(services: Services, cookie: str) -> str:
    """What the forms of the pages under this cookie carry."""
    return services.keyring.sealer(SYSTEM).blind("form", cookie).hex()


def require_own_form(request: Request[Any, Any, Any], services: Services, cookie: str, form: Form) -> None:
    """Raises Forged unless the form comes from a page of ours in this browser."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    # Under our referrer policy a browser may call its own origin "null"; then the other header says where it is.
    elsewhere = origin not in {None, "null", services.settings.public_url} or site not in {
        None,
        "same-origin",
    }
    given = form.first(TOKEN_FIELD).encode(errors="replace")
    if elsewhere or not hmac.compare_digest(given, form_token(services, cookie).encode()):
        raise Forged


Sent = Annotated[NamedDependency[SkipValidation[Form]], "the form that was sent"]
