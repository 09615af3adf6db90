"""A fake of Google's OAuth endpoints that lives in the process, behind `httpx.MockTransport`.

What it does as Google: one consent page; single-use codes bound to client, redirect URI and PKCE challenge (S256);
a refresh token only where offline access and the consent page were asked for; access tokens of 3,599 seconds; refresh
tokens that stay the same when used; `POST /revoke` that ends the account's whole permission for this client, and 400
`invalid_token` for a token that is dead. What a test may set: the moods below, each for the next answers or until it
is cleared. It is held to `google_contract.py`, as every other Google that our tests talk to.
"""

import base64
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx

from oauth.protocol import SCOPE, Endpoints

CLIENT_ID = "client-of-this-test"
CLIENT_SECRET = "CANARY-client-secret"
REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback"
ACCOUNT = "analyst@shop.example"
ENDPOINTS = Endpoints(
    "http://127.0.0.1:9/o/oauth2/auth", "http://127.0.0.1:9/token", "http://127.0.0.1:9/revoke"
)


@dataclass
class _Code:
    account: str
    redirect_uri: str
    challenge: str
    scope: str
    lasting: bool


@dataclass
class FakeGoogle:
    """The fake; `http()` speaks to it, `consent` and `deny` are the person at the consent page.

    Moods: `untick`, `widen`, `differ`, `no_scope`, `no_refresh_token`, `rotate`, `invalid_grant`, `invalid_rapt`,
    `admin_policy_enforced`, `invalid_client`, `redirect_uri_mismatch`, `html_503`, `garbage`, `timeout`, `redirect`,
    `endless`, `squeezed`, `testing` (a permission of 7 days).
    """

    mood: str | None = None
    expires_in: int = 3599
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    while_asked: Callable[[], None] | None = None
    _codes: dict[str, _Code] = field(default_factory=dict)
    _refresh_tokens: dict[str, str] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def set_mood(self, mood: str | None) -> None:
        """From now on; None is a good day."""
        self.mood = mood

    def consent(self, location: str, account: str = ACCOUNT) -> dict[str, str]:
        """The person allows; what Google's redirect then carries to our callback."""
        asked = dict(parse_qsl(urlsplit(location).query, strict_parsing=True))
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        assert asked["code_challenge_method"] == "S256"
        code = self._new("code")
        scope = "" if self.mood == "untick" else asked["scope"]
        lasting = asked.get("access_type") == "offline" and asked.get("prompt") == "consent"
        self._codes[code] = _Code(account, asked["redirect_uri"], asked["code_challenge"], scope, lasting)
        return {"state": asked["state"], "code": code, "scope": scope}

    def deny(self, location: str) -> dict[str, str]:
        """The person declines."""
        return {"state": dict(parse_qsl(urlsplit(location).query))["state"], "error": "access_denied"}

    def end(self, account: str = ACCOUNT) -> None:
        """The person removes the access in the Google account."""
        self._refresh_tokens = {t: a for t, a in self._refresh_tokens.items() if a != account}

    def live_tokens(self, account: str = ACCOUNT) -> list[str]:
        """The refresh tokens that Google honours, in the order of their making."""
        return [token for token, holder in self._refresh_tokens.items() if holder == account]

    def calls(self, path: str) -> int:
        """How often an endpoint was asked."""
        return sum(asked == path for asked, _ in self.requests)

    def _new(self, kind: str) -> str:
        return f"CANARY-{kind}-{next(self._numbers)}"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.requests.append((request.url.path, form))
        assert request.method == "POST"
        assert not request.url.query
        if self.while_asked is not None:
            self.while_asked()
        if (moody := self._moody(request)) is not None:
            return moody
        return self._revoke(form) if request.url.path == "/revoke" else self._token(form)

    def _moody(self, request: httpx.Request) -> httpx.Response | None:
        if self.mood == "timeout":
            raise httpx.ReadTimeout("CANARY-request timed out", request=request)
        refusals = {
            "invalid_grant": (400, {"error": "invalid_grant", "error_description": "CANARY"}),
            "invalid_rapt": (400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}),
            "admin_policy_enforced": (400, {"error": "admin_policy_enforced"}),
            "invalid_client": (401, {"error": "invalid_client", "error_description": "Unauthorized"}),
            "redirect_uri_mismatch": (400, {"error": "redirect_uri_mismatch"}),
        }
        if self.mood in refusals:
            status, body = refusals[self.mood]
            return httpx.Response(status, json=body)
        answers = {
            "html_503": httpx.Response(503, html="<html>CANARY</html>"),
            "garbage": httpx.Response(200, json=["CANARY"]),
            "redirect": httpx.Response(307, headers={"location": "http://127.0.0.1:9/elsewhere"}),
            "endless": httpx.Response(200, content=iter([b" " * 4096] * 64)),
            "squeezed": httpx.Response(200, content=iter([b"x"]), headers={"content-encoding": "gzip"}),
        }
        return answers.get(self.mood or "")

    def _token(self, form: dict[str, str]) -> httpx.Response:
        if (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            return httpx.Response(401, json={"error": "invalid_client"})
        if form["grant_type"] == "refresh_token":
            return self._refreshed(form["refresh_token"])
        code = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if code is None or (code.redirect_uri, code.challenge) != (
            form["redirect_uri"],
            challenge.decode().rstrip("="),
        ):
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Bad Request"})
        lasting = code.lasting and self.mood != "no_refresh_token"
        return self._granted(code.scope, self._issued(code.account) if lasting else None)

    def _issued(self, account: str) -> str:
        token = self._new("refresh")
        self._refresh_tokens[token] = account
        return token

    def _refreshed(self, token: str) -> httpx.Response:
        account = self._refresh_tokens.get(token)
        if account is None:
            return httpx.Response(
                400,
                json={"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
            )
        if self.mood == "rotate":
            del self._refresh_tokens[token]
            return self._granted(SCOPE, self._issued(account))
        return self._granted("" if self.mood == "untick" else SCOPE, None)

    def _granted(self, scope: str, refresh_token: str | None) -> httpx.Response:
        said = {
            "widen": f"{scope} https://www.googleapis.com/auth/analytics.edit",
            "differ": "openid",
        }.get(self.mood or "", scope)
        body: dict[str, object] = {
            "access_token": self._new("access"),
            "expires_in": self.expires_in,
            "scope": said,
            "token_type": "Bearer",
        }
        if self.mood == "no_scope":
            del body["scope"]
        if self.mood == "testing":
            body["refresh_token_expires_in"] = 604_799
        if refresh_token is not None:
            body["refresh_token"] = refresh_token
        return httpx.Response(200, json=body)

    def _revoke(self, form: dict[str, str]) -> httpx.Response:
        account = self._refresh_tokens.get(form["token"])
        if account is None:
            return httpx.Response(400, json={"error": "invalid_token", "error_description": "Token expired"})
        self.end(account)
        return httpx.Response(200, json={})
