"""A browser that needs no screen: it follows a consent as a person would, form by form."""

from html.parser import HTMLParser

import httpx


class _Form(HTMLParser):
    """The fields of the page's one form as they stand, ticked and preselected ones among them."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the form's address and its input fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "input" and (given.get("type") not in {"radio", "checkbox"} or "checked" in given):
            self.fields.append((given.get("name", ""), given.get("value", "")))


def consent(address: str, account: str) -> httpx.Response:
    """Open the address, choose the account, allow, and come back: the last page."""
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        page = browser.get(address).raise_for_status()
        form = _Form()
        form.feed(page.text)
        fields = {name: value for name, value in form.fields if name != "account"}
        answer = {**fields, "account": account, "decision": "allow"}
        return browser.post(page.url.join(form.action), data=answer)
