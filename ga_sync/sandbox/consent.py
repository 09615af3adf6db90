"""The OAuth endpoints over HTTP: the consent page, the decision, tokens, revocation."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from urllib.parse import unquote_plus

from jinja2 import Environment

from ga_sync.sandbox.authorize import ConsentError
from ga_sync.sandbox.journal import Entry, Journal, redact
from ga_sync.sandbox.oauth import Answer, OAuth
from ga_sync.sandbox.web import Request, Response, first, json_response

AUTHORIZE, TOKEN, REVOKE = "/oauth/authorize", "/oauth/token", "/oauth/revoke"
HTML = "text/html; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1f2328;
background:#fff}fieldset{border:1px solid #8c959f;margin:1rem 0}label{display:block;padding:.25rem 0}
button{font:inherit;padding:.5rem 1rem;border-radius:.4rem;border:1px solid;background:#fff;color:#0b57d0}
button[value=allow]{background:#0b57d0;color:#fff}@media(prefers-color-scheme:dark){body{background:#16181c;color:#e6e8eb}
button{background:#16181c;color:#9ec1ff}}"""
_LAYOUT = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title>
<style>{{ style }}</style></head><body><main><h1>{{ title }}</h1>"""
_FORM = (
    _LAYOUT
    + """<p>This is the sandbox's consent page. Nothing here reaches Google.</p>
<form method="post" action="{{ action }}"><input type="hidden" name="request" value="{{ request }}">
<fieldset><legend>Account</legend>{% for email in accounts %}
<label><input type="radio" name="account" value="{{ email }}"{% if email == chosen %} checked{% endif %}>
{{ email }}</label>
{% endfor %}</fieldset>
<fieldset><legend>The application wants to</legend>{% for scope in scopes %}
<label><input type="checkbox" name="scope" value="{{ scope }}" checked> {{ scope }}</label>
{% endfor %}</fieldset>
<button name="decision" value="deny">Deny</button> <button name="decision" value="allow">Allow</button>
</form></main></body></html>"""
)
_REFUSAL = _LAYOUT + "<p>Error 400: {{ error }}</p><p>{{ sentence }}</p></main></body></html>"
_PAGES = Environment(autoescape=True)
FORM, REFUSAL = _PAGES.from_string(_FORM), _PAGES.from_string(_REFUSAL)


def client_of(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Read the client's id and secret, from the Authorization header or the body (RFC 6749 section 2.3.1)."""
    scheme, _, packed = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _send(answer: Answer) -> Response:
    if answer.page is not None:
        return Response(answer.status, answer.page.encode(), HTML, HEADERS)
    return Response(
        answer.status,
        json.dumps(answer.body, indent=2).encode(),
        headers={"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate"},
    )


class Consent:
    """Serves the three addresses; every request is noted without its secrets."""

    def __init__(self, oauth: OAuth, journal: Journal, now: Callable[[], datetime]) -> None:
        self._oauth, self._journal, self._now = oauth, journal, now

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        routes: dict[tuple[str, str], tuple[str, Callable[[Request], Response]]] = {
            ("GET", AUTHORIZE): ("Authorize", self._ask),
            ("POST", AUTHORIZE): ("Decide", self._decide),
            ("POST", TOKEN): ("Token", self._token),
            ("POST", REVOKE): ("Revoke", self._revoke),
        }
        found = routes.get((request.method, request.path))
        if found is None:
            return json_response({"error": "not_found"}, 404)
        method, serve = found
        sent = first(request.query) | first(request.form)
        if sent.get("grant_type") == "refresh_token":
            method = "Refresh"
        entry = Entry(self._now(), "oauth", method, parameters=redact(sent), user=sent.get("account"))
        self._journal.begin(entry)
        try:
            response = serve(request)
        except ConsentError as error:
            page = REFUSAL.render(
                title="Access blocked", style=_STYLE, error=error.error, sentence=str(error)
            )
            response = Response(400, page.encode(), HTML, HEADERS)
        self._journal.end(entry, str(response.status))
        return response

    def _ask(self, request: Request) -> Response:
        name, pending = self._oauth.begin(first(request.query), self._now())
        accounts = sorted(self._oauth.users)
        page = FORM.render(
            title="Choose an account",
            style=_STYLE,
            action=AUTHORIZE,
            request=name,
            accounts=accounts,
            chosen=pending.login_hint if pending.login_hint in accounts else accounts[0],
            scopes=pending.scopes,
        )
        return Response(200, page.encode(), HTML, HEADERS)

    def _decide(self, request: Request) -> Response:
        form = first(request.form)
        target = self._oauth.decide(
            form.get("request", ""),
            form.get("account", ""),
            frozenset(request.form.get("scope", ())),
            allow=form.get("decision") == "allow",
            now=self._now(),
        )
        return Response(302, b"", HTML, {**HEADERS, "Location": target})

    def _token(self, request: Request) -> Response:
        form = first(request.form)
        return _send(self._oauth.token(form, client_of(request, form), self._now()))

    def _revoke(self, request: Request) -> Response:
        sent = first(request.query) | first(request.form)
        return _send(self._oauth.revoke(sent.get("token", ""), self._now()))
