"""OAuth as Google's web-server flow has it, as state without a network: consent, codes, tokens, revocation.

Sources: RFC 6749, RFC 7636, RFC 7009, https://developers.google.com/identity/protocols/oauth2/web-server
"""

import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from ga_sync.sandbox.authorize import READONLY, ConsentError, Pending, challenge_of, read_request
from ga_sync.sandbox.moods import Moods

SCOPES_THAT_READ = frozenset({READONLY, "https://www.googleapis.com/auth/analytics"})
WIDER = "https://www.googleapis.com/auth/analytics"
CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE_SECONDS = 3599
UNUSED_LIFE = timedelta(days=182)
LIVE_REFRESH_TOKENS = 100
GRANT_DEAD = "Token has been expired or revoked."


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers: a status and JSON, or an HTML page where `page` is set."""

    status: int
    body: Mapping[str, Any]
    page: str | None = None


@dataclass(slots=True)
class Code:
    """An authorization code; the tokens it gave die when it is used twice."""

    user: str
    scopes: tuple[str, ...]
    pending: Pending
    gives_refresh: bool
    issued: datetime
    used: bool = False


@dataclass(slots=True)
class Token:
    """An access or refresh token of a user."""

    user: str
    scopes: tuple[str, ...]
    expires: datetime | None
    code: str
    used: datetime


def _error(status: int, error: str, description: str, **more: str) -> Answer:
    return Answer(status, {"error": error, "error_description": description, **more})


def _html(status: int) -> Answer:
    page = f"<!DOCTYPE html><html><title>Error {status}</title><p>That&rsquo;s an error. Please try again later.</html>"
    return Answer(status, {}, page)


TOKEN_ERRORS: Mapping[str, Answer] = {
    "invalid_client": _error(401, "invalid_client", "The OAuth client was not found."),
    "unauthorized_client": _error(401, "unauthorized_client", "Unauthorized"),
    "admin_policy_enforced": _error(
        400, "admin_policy_enforced", "Access to this scope is blocked by an admin."
    ),
    "invalid_grant": _error(400, "invalid_grant", GRANT_DEAD),
    "invalid_rapt": _error(
        400, "invalid_grant", "reauth related error (invalid_rapt)", error_subtype="invalid_rapt"
    ),
}


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


@dataclass
class OAuth:
    """All consents, codes and tokens. `mint` makes an unguessable word; `users` are those who may consent."""

    client_id: str
    client_secret: str
    users: frozenset[str]
    mint: Callable[[], str]
    moods: Moods
    pending: dict[str, Pending] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)
    consented: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def begin(self, query: Mapping[str, str], now: datetime) -> tuple[str, Pending]:
        """Take an authorization request in; gives the name under which the form answers. Raises `ConsentError`."""
        request = read_request(query, self.client_id, now)
        name = self.mint()
        with self.lock:
            self.pending[name] = request
        return name, request

    def decide(self, name: str, account: str, ticked: frozenset[str], *, allow: bool, now: datetime) -> str:
        """Take a person's decision; gives the address the browser goes to.

        Raises:
            ConsentError: an unknown or used form, or an account that does not exist.
        """
        with self.lock:
            if name not in self.pending:
                raise ConsentError("invalid_request", "This consent form was used already or has never been.")
            if account not in self.users:
                raise ConsentError("invalid_request", "Choose one of the accounts.")
            request = self.pending.pop(name)
            denied = self.moods.take("deny", user=account, method="Decide") is not None
            if denied or not allow:
                return self._back(request, {"error": "access_denied"})
            scopes = self._granted(request, account, ticked)
            code = "4/0sandbox-" + self.mint()
            gives = request.offline and (request.force_consent or account not in self.consented)
            self.codes[code] = Code(account, scopes, request, gives, now)
            self.consented.add(account)
        return self._back(request, {"code": code, "scope": " ".join(scopes)})

    def _granted(self, request: Pending, account: str, ticked: frozenset[str]) -> tuple[str, ...]:
        scopes = tuple(one for one in request.scopes if one in ticked)
        if self.moods.take("untick", user=account):
            scopes = ()
        if mood := self.moods.take("widen", user=account):
            scopes = (*scopes, str(mood.get("scope", WIDER)))
        return scopes

    @staticmethod
    def _back(request: Pending, answer: dict[str, str]) -> str:
        if request.state is not None:
            answer = {"state": request.state, **answer}
        joint = "&" if urlsplit(request.redirect_uri).query else "?"
        return request.redirect_uri + joint + urlencode(answer)

    def token(self, form: Mapping[str, str], client: tuple[str, str], now: datetime) -> Answer:
        """Answer the token endpoint: `authorization_code` and `refresh_token`; `client` is id and secret as sent."""
        kind = form.get("grant_type")
        method = "Refresh" if kind == "refresh_token" else "Token"
        if mood := self.moods.take("token_http_error", method=method):
            return _html(int(mood.get("status", 503)))
        if mood := self.moods.take("token_error", method=method):
            return TOKEN_ERRORS[mood["error"]]
        if not (_same(client[0], self.client_id) and _same(client[1], self.client_secret)):
            return TOKEN_ERRORS["invalid_client"]
        with self.lock:
            if kind == "authorization_code":
                return self._exchange(form, now)
            if kind == "refresh_token":
                return self._renew(form.get("refresh_token", ""), now)
        return _error(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _exchange(self, form: Mapping[str, str], now: datetime) -> Answer:
        name = form.get("code", "")
        code = self.codes.get(name)
        if code is None:
            return _error(400, "invalid_grant", "Malformed auth code.")
        if code.used:
            self._kill(lambda token: token.code == name)
            return _error(400, "invalid_grant", "Bad Request")
        if form.get("redirect_uri") != code.pending.redirect_uri:
            return _error(400, "redirect_uri_mismatch", "Bad Request")
        if refused := self._unproven(code, form.get("code_verifier"), now):
            return refused
        code.used = True
        return self._grant(name, code, now)

    @staticmethod
    def _unproven(code: Code, verifier: str | None, now: datetime) -> Answer | None:
        if now >= code.issued + CODE_LIFE:
            return _error(400, "invalid_grant", "Bad Request")
        challenge = code.pending.challenge
        if challenge and not verifier:
            return _error(400, "invalid_grant", "Missing code verifier.")
        if challenge and not _same(challenge_of(verifier or ""), challenge):
            return _error(400, "invalid_grant", "Invalid code verifier.")
        if verifier and not challenge:
            return _error(400, "invalid_grant", "code_verifier or verifier is not needed.")
        return None

    def _grant(self, name: str, code: Code, now: datetime) -> Answer:
        body = self._access(code.user, code.scopes, name, now)
        if code.gives_refresh and not self.moods.take("no_refresh_token", user=code.user):
            life = self.moods.take("refresh_token_expires_in", user=code.user)
            expires = None
            if life:
                body["refresh_token_expires_in"] = int(life.get("seconds", 604_799))
                expires = now + timedelta(seconds=body["refresh_token_expires_in"])
            token = "1//sandbox-" + self.mint()
            self.refresh[token] = Token(code.user, code.scopes, expires, name, now)
            body["refresh_token"] = token
            self._drop_oldest(code.user)
        return Answer(200, body)

    def _drop_oldest(self, user: str) -> None:
        mine = [name for name, token in self.refresh.items() if token.user == user]
        for name in mine[:-LIVE_REFRESH_TOKENS]:
            del self.refresh[name]

    def _access(self, user: str, scopes: tuple[str, ...], code: str, now: datetime) -> dict[str, Any]:
        token = "ya29.sandbox-" + self.mint()
        self.access[token] = Token(user, scopes, now + timedelta(seconds=ACCESS_LIFE_SECONDS), code, now)
        return {
            "access_token": token,
            "expires_in": ACCESS_LIFE_SECONDS,
            "scope": " ".join(scopes),
            "token_type": "Bearer",
        }

    def _renew(self, name: str, now: datetime) -> Answer:
        token = self.refresh.get(name)
        if token is None or self._over(token, now) or now >= token.used + UNUSED_LIFE:
            return TOKEN_ERRORS["invalid_grant"]
        token.used = now
        body = self._access(token.user, token.scopes, token.code, now)
        if token.expires:
            body["refresh_token_expires_in"] = int((token.expires - now).total_seconds())
        return Answer(200, body)

    @staticmethod
    def _over(token: Token, now: datetime) -> bool:
        return token.expires is not None and now >= token.expires

    def _kill(self, doomed: Callable[[Token], bool]) -> None:
        self.access = {name: token for name, token in self.access.items() if not doomed(token)}
        self.refresh = {name: token for name, token in self.refresh.items() if not doomed(token)}

    def revoke(self, name: str, now: datetime) -> Answer:
        """Answer the revocation endpoint: end the user's whole grant, every token of theirs, consent included."""
        if mood := self.moods.take("revoke_http_error", method="Revoke"):
            return _html(int(mood.get("status", 503)))
        with self.lock:
            token = self.refresh.get(name) or self.access.get(name)
            if token is None or self._over(token, now):
                return _error(400, "invalid_token", "Token expired or revoked")
            self._kill(lambda one: one.user == token.user)
            self.codes = {word: code for word, code in self.codes.items() if code.user != token.user}
            self.consented.discard(token.user)
        return Answer(200, {})

    def bearer(self, name: str, now: datetime) -> Token | None:
        """Find a live access token; none where it is unknown, expired or revoked."""
        with self.lock:
            token = self.access.get(name)
        return None if token is None or self._over(token, now) else token

    def live(self) -> dict[str, int]:
        """Count the live refresh tokens of each user; no token is shown."""
        with self.lock:
            users = [token.user for token in self.refresh.values()]
        return {user: users.count(user) for user in sorted(set(users))}
