"""A consent at the sandbox without a browser."""

import re
from urllib.parse import urlsplit

import httpx

from ga_sync.sandbox.server import Sandbox
from oauth.consent import Consents
from oauth.protocol import SCOPE


def consent(consents: Consents, sandbox: Sandbox, http: httpx.Client, customer_id: str, user: str) -> str:
    """An active grant of a customer by one Google user."""
    begun = consents.begin(customer_id, None, None)
    opening = consents.open(begun.ticket.reveal())
    form = re.search(r'name="request" value="([^"]+)"', http.get(opening.location).text)
    assert form is not None
    answer = http.post(
        sandbox.auth_uri, data={"request": form[1], "account": user, "decision": "allow", "scope": SCOPE}
    )
    back = dict(httpx.QueryParams(urlsplit(answer.headers["location"]).query))
    assert consents.complete(back, opening.browser).status == "active"
    return begun.grant_id
