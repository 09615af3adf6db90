"""The authorization request as Google reads it: client, redirect URI, scopes, PKCE. Pure.

Sources: RFC 6749 section 4.1.1, RFC 7636, https://developers.google.com/identity/protocols/oauth2/web-server
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

READONLY = "https://www.googleapis.com/auth/analytics.readonly"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/"
SIGN_IN_SCOPES = frozenset({"openid", "email", "profile"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ConsentError(ValueError):
    """An authorization request that Google answers with a page of its own; `error` is the OAuth error word."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error


@dataclass(frozen=True, slots=True)
class Pending:
    """A checked authorization request that waits for a person's decision."""

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    challenge: str | None
    offline: bool
    force_consent: bool
    login_hint: str
    begun: datetime


def acceptable_redirect(uri: str) -> bool:
    """Whether a redirect URI is https, or http on loopback, and has no fragment."""
    parts = urlsplit(uri)
    if parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def challenge_of(verifier: str) -> str:
    """Derive the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def read_request(query: Mapping[str, str], client_id: str, now: datetime) -> Pending:
    """Check an authorization request.

    Raises:
        ConsentError: an unknown client, a foreign redirect URI, another response type, a bad scope or PKCE method.
    """
    if query.get("client_id") != client_id:
        raise ConsentError("invalid_client", "The OAuth client was not found.")
    redirect_uri = query.get("redirect_uri", "")
    if not acceptable_redirect(redirect_uri):
        raise ConsentError("redirect_uri_mismatch", "The redirect URI is not one of this client's.")
    if query.get("response_type") != "code":
        raise ConsentError("unsupported_response_type", "The response type must be code.")
    scopes = tuple(query.get("scope", "").split())
    if not scopes or not all(one.startswith(GOOGLE_SCOPE) or one in SIGN_IN_SCOPES for one in scopes):
        raise ConsentError("invalid_scope", "Some requested scopes were invalid.")
    challenge = query.get("code_challenge")
    if challenge and query.get("code_challenge_method") != "S256":
        raise ConsentError("invalid_request", "The code challenge method must be S256.")
    prompts = query.get("prompt", "").split()
    offline = query.get("access_type") == "offline"
    hint = query.get("login_hint", "")
    state = query.get("state")
    return Pending(redirect_uri, scopes, state, challenge, offline, "consent" in prompts, hint, now)
