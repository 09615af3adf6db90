"""Walking through pages without a browser: forms read from the page and sent back as they stand."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
from litestar import Litestar
from litestar.testing import TestClient

from tests.web.bench import House

PASSWORD = "correct horse battery staple"


@dataclass
class _Forms(HTMLParser):
    forms: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "fields": {}})
        elif tag == "input" and self.forms and "name" in given:
            ticked = given.get("type") not in {"radio", "checkbox"} or "checked" in given
            if ticked:
                self.forms[-1]["fields"].setdefault(given["name"], []).append(given.get("value", ""))


def form(page: httpx.Response, action: str) -> tuple[str, dict[str, Any]]:
    """The address and the fields of the page's form whose address ends so."""
    found = _Forms()
    found.feed(page.text)
    one = next(form for form in found.forms if form["action"].endswith(action))
    return urljoin(str(page.url), one["action"]), one["fields"]


def send(
    client: TestClient[Litestar],
    page: httpx.Response,
    action: str,
    **more: Any,  # noqa: ANN401 -- any field
) -> httpx.Response:
    """Send a form of the page, with ``more`` filled in; the answer, no redirect followed."""
    address, fields = form(page, action)
    return client.post(address, data={**fields, **more}, follow_redirects=False)


def sign_in(house: House, email: str, role: str = "console", customer: str = "acme") -> None:
    """Make an account, set its password by the pages, and sign in."""
    made = house.service.users.add(email, role, customer, "test")
    page = house.client.get(made.address(house.service.settings.public_url))
    done = send(house.client, page, "", password=PASSWORD, again=PASSWORD)
    assert done.status_code == 303, done.text
    page = house.client.get("/console/login")
    done = send(house.client, page, "/console/login", email=email, password=PASSWORD)
    assert done.status_code == 303, done.text
