"""The protocol, pure: what is sent to Google's OAuth endpoints and what their answers mean.

https://developers.google.com/identity/protocols/oauth2/web-server, RFC 6749 (OAuth 2.0), RFC 7636 (PKCE),
RFC 7009 (revocation), RFC 9207 (issuer).
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import msgspec
from google_auth_oauthlib.flow import Flow

from models.sealed import Secret
from oauth.errors import (
    GrantDead,
    NoRefreshToken,
    OauthError,
    OurFault,
    ScopeMissing,
    ScopeWider,
    StateRefused,
    TryLater,
)

SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
GOOGLE_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
GOOGLE_REVOKE_URI = "https://oauth2.googleapis.com/revoke"
GOOGLE_ISSUER = "https://accounts.google.com"
CALLBACK = "/oauth/callback"

UNSAID_LIFE = 300
"""Seconds that an access token is trusted for where the answer does not say (RFC 6749 §5.1 only recommends it)."""
LONGEST_LIFE = 86_400
"""Seconds beyond which no access token is trusted, whatever the answer says."""
LONGEST_WAIT = timedelta(hours=1)

Revoked = Literal["revoked", "already_dead"]

_PRINTABLE = re.compile(r"[\x21-\x7e]+", re.ASCII)  # RFC 6749 appendix A, without the space
_DEAD = {"invalid_grant", "admin_policy_enforced"}
_CLIENT = {"invalid_client", "unauthorized_client", "deleted_client", "disabled_client"}
_REQUEST = {"invalid_request", "invalid_scope", "redirect_uri_mismatch", "unsupported_grant_type"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Google's OAuth lives; anything else than Google's own addresses is a Google of a test."""

    auth_uri: str = GOOGLE_AUTH_URI
    token_uri: str = GOOGLE_TOKEN_URI
    revoke_uri: str = GOOGLE_REVOKE_URI


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A good answer of the token endpoint; lives are in seconds from the moment of asking.

    ``refresh_token`` is absent where Google keeps the former one; ``refresh_token_expires_in`` is present where the
    permission has an end of its own, such as 7 days for a consent screen in testing.
    """

    access_token: Secret
    refresh_token: Secret | None
    expires_in: int
    scopes: frozenset[str]
    refresh_token_expires_in: int | None


class _Granted(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: int = UNSAID_LIFE
    scope: str | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None


class _Refused(msgspec.Struct):
    error: str


_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def opaque(random_bytes: bytes) -> str:
    """Random bytes as text for an address, a cookie or a verifier (43 to 128 characters: RFC 7636 §4.1)."""
    return urlsafe_b64encode(random_bytes).rstrip(b"=").decode("ascii")


def fingerprint(text: str) -> bytes:
    """SHA-256 of a secret of at least 32 random bytes: what is stored in its place."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def same(expected: bytes, given: str | None) -> bool:
    """Whether ``given`` has the fingerprint ``expected``, compared in constant time."""
    return hmac.compare_digest(expected, fingerprint(given or ""))


def redirect_uri(public_url: str) -> str:
    """Our one callback address: from configuration, never from a request's headers."""
    return public_url.rstrip("/") + CALLBACK


def authorize_url(
    endpoints: Endpoints, client_id: str, public_url: str, state: Secret, verifier: Secret
) -> str:
    """The address of Google's consent page: one scope, offline, always asking, PKCE S256.

    The client's secret is not given to the library, for this step does not need it.
    """
    flow = Flow.from_client_config(
        {
            "web": {
                "client_id": client_id,
                "auth_uri": _secure(endpoints.auth_uri),
                "token_uri": endpoints.token_uri,
            }
        },
        scopes=[SCOPE],
        redirect_uri=redirect_uri(public_url),
        code_verifier=verifier.reveal(),
    )
    url, _ = flow.authorization_url(state=state.reveal(), access_type="offline", prompt="consent")
    return endpoints.auth_uri.partition(":")[0] + str(url).removeprefix("https")


def _secure(auth_uri: str) -> str:
    """The library builds addresses only on https, even on loopback: the true scheme is put back afterwards."""
    return "https:" + auth_uri.partition(":")[2]


def exchange_form(
    client_id: str, secret: Secret, code: str, verifier: Secret, callback: str
) -> dict[str, str]:
    """The body that turns a code into tokens (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier.reveal(),
        "redirect_uri": callback,
        "client_id": client_id,
        "client_secret": secret.reveal(),
    }


def refresh_form(client_id: str, secret: Secret, refresh_token: Secret) -> dict[str, str]:
    """The body that turns a refresh token into an access token (RFC 6749 §6)."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token.reveal(),
        "client_id": client_id,
        "client_secret": secret.reveal(),
    }


def require_issuer(params: Mapping[str, str], endpoints: Endpoints) -> None:
    """Refuse an answer of another authorization server (RFC 9207 §2.4); only Google's own has a known name.

    Raises:
        StateRefused: ``iss`` is present and is not Google's.
    """
    issuer = params.get("iss")
    if issuer is not None and endpoints.auth_uri == GOOGLE_AUTH_URI and issuer != GOOGLE_ISSUER:
        raise StateRefused


def read_code(params: Mapping[str, str]) -> str | None:
    """The code of a callback; None where there is none that could be one (an error, or odd characters)."""
    code = params.get("code", "")
    return code if "error" not in params and _PRINTABLE.fullmatch(code) else None


def why_no_code(params: Mapping[str, str]) -> str:
    """A word for a callback without a code: an administrator's policy, or anything else."""
    policy = "admin_policy_enforced"
    return policy if params.get("error") == policy else "no_code"


def read_token_answer(status: int, content_type: str, body: bytes) -> TokenAnswer:
    """What the token endpoint said.

    Raises:
        ScopeMissing, ScopeWider: the granted set is not exactly the one that was asked.
        GrantDead: the code or refresh token is refused for good.
        OurFault: our client or our request is refused.
        TryLater: anything that is not a clear answer.
    """
    if status != 200:  # noqa: PLR2004 -- the protocol's one good status
        raise _refusal(status, content_type, body)
    granted = _decode(content_type, body, _Granted)
    if granted is None or not _well_formed(granted):
        raise TryLater("the answer is not one of a token endpoint")
    scopes = _checked_scopes(granted.scope)
    return TokenAnswer(
        access_token=Secret(granted.access_token),
        refresh_token=Secret(granted.refresh_token) if granted.refresh_token else None,
        expires_in=min(granted.expires_in, LONGEST_LIFE),
        scopes=scopes,
        refresh_token_expires_in=granted.refresh_token_expires_in,
    )


def require_refresh_token(answer: TokenAnswer) -> Secret:
    """The refresh token that an exchanged code must bring.

    Raises:
        NoRefreshToken: there is none.
    """
    if answer.refresh_token is None:
        raise NoRefreshToken
    return answer.refresh_token


def ends_at(asked_at: datetime, answer: TokenAnswer) -> datetime | None:
    """When the permission itself ends, where Google says so."""
    life = answer.refresh_token_expires_in
    return None if life is None else asked_at + timedelta(seconds=life)


def read_revoke_answer(status: int, content_type: str, body: bytes) -> Revoked:
    """What the revoke endpoint said (RFC 7009 §2.2); a dead token is as good as a revoked one.

    Raises:
        TryLater: anything else: the token must be taken to be alive.
    """
    if status == 200:  # noqa: PLR2004 -- the protocol's one good status
        return "revoked"
    if status == 400 and _error_of(content_type, body) == "invalid_token":  # noqa: PLR2004 -- see above
        return "already_dead"
    raise TryLater(f"status {status}")


def backoff(attempts: int) -> timedelta:
    """How long to wait after ``attempts`` earlier failures: 1 s, 2 s, 4 s … 1 h."""
    return min(timedelta(seconds=2 ** min(attempts, 12)), LONGEST_WAIT)


def _well_formed(granted: _Granted) -> bool:
    tokens = [granted.access_token, *([granted.refresh_token] if granted.refresh_token else [])]
    lives = [granted.expires_in, granted.refresh_token_expires_in or 0]
    return (
        granted.token_type.lower() == "bearer"
        and all(_PRINTABLE.fullmatch(token) for token in tokens)
        and all(0 <= life < 2**31 for life in lives)
    )


def _checked_scopes(said: str | None) -> frozenset[str]:
    """The granted set; an absent one means "as asked" (RFC 6749 §5.1)."""
    asked = frozenset({SCOPE})
    granted = asked if said is None else frozenset(said.split())
    if granted - asked:
        raise ScopeWider
    if granted != asked:
        raise ScopeMissing
    return granted


def _refusal(status: int, content_type: str, body: bytes) -> OauthError:
    error = _error_of(content_type, body) if 400 <= status < 500 else ""  # noqa: PLR2004 -- client errors
    if error in _DEAD:
        return GrantDead(error)
    if error in _CLIENT:
        return OurFault("client")
    if error in _REQUEST:
        return OurFault("request")
    return TryLater(f"status {status}")


def _error_of(content_type: str, body: bytes) -> str:
    refused = _decode(content_type, body, _Refused)
    return refused.error if refused is not None else ""


def _decode(content_type: str, body: bytes, shape: type[_Shape]) -> _Shape | None:
    """The body in its shape; None where it is not JSON, or not of that shape."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
