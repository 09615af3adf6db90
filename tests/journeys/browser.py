"""A customer's browser: cookies, redirects and forms, by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

FOUND, SEE_OTHER = 302, 303


@dataclass
class Form(HTMLParser):
    """The one form of a page: where it goes, what it carries."""

    action: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert given.get("method") == "post"
            self.action = given["action"]
        kind = given.get("type")
        if tag == "input" and (kind == "hidden" or (kind == "checkbox" and "checked" in given)):
            self.fields.setdefault(given["name"], []).append(given["value"])


def form_of(page: httpx.Response) -> Form:
    """Read the form of a page."""
    assert page.status_code == httpx.codes.OK, page.text
    form = Form()
    form.feed(page.text)
    form.action = urljoin(str(page.url), form.action)
    return form


@contextmanager
def opened() -> Iterator[httpx.Client]:
    """A browser with no cookies; it follows no redirect by itself."""
    with httpx.Client(trust_env=False, timeout=30) as browser:
        yield browser


def begin(browser: httpx.Client, address: str) -> str:
    """Open our address, guided page or not; where it leads: Google's consent page."""
    answer = browser.get(address)
    if answer.status_code == httpx.codes.OK:
        answer = browser.post(form_of(answer).action)
    assert answer.status_code in {FOUND, SEE_OTHER}, answer.text
    return answer.headers["location"]


def decide(browser: httpx.Client, address: str, account: str, decision: str = "allow") -> str:
    """Answer Google's consent page; where it leads: our callback."""
    form = form_of(browser.get(address))
    answer = browser.post(form.action, data=form.fields | {"account": [account], "decision": [decision]})
    assert answer.status_code == FOUND, answer.text
    return answer.headers["location"]


def consent(address: str, account: str, decision: str = "allow") -> httpx.Response:
    """Walk the whole way; the answer of our callback."""
    with opened() as browser:
        return browser.get(decide(browser, begin(browser, address), account, decision))
