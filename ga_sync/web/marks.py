"""What every answer carries, whichever way it went: the id of its request, and what browsers are told."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from ga_sync.web.services import Services

REQUEST_ID = "x-request-id"
_REQUEST_ID = REQUEST_ID.encode()
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
Headers = Iterable[tuple[bytes, bytes]]


def request_id(headers: Headers, random: Callable[[int], bytes]) -> str:
    """The caller's own id where it sends a plain one of 8 to 64 characters, so that traces join; else a new one."""
    given = next((value for name, value in headers if name.lower() == _REQUEST_ID), b"")
    return given.decode("ascii") if _PLAIN.fullmatch(given) else random(8).hex()


def fixed_headers(services: Services) -> list[tuple[bytes, bytes]]:
    """The headers of every answer that does not say otherwise."""
    auth = urlsplit(services.settings.google_auth_uri)
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {auth.scheme}://{auth.netloc}"  # the form's answer leads on to Google
    )
    fixed = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    if services.settings.public_url.startswith("https"):
        fixed["strict-transport-security"] = "max-age=63072000"
    return [(name.encode(), value.encode()) for name, value in fixed.items()]


def lines(headers: Headers) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%s: %s\r\n" % header for header in headers])
