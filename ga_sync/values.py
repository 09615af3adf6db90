"""How values of settings are written: durations, origins, addresses, databases (pure)."""

import re
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DATABASES = ("sqlite:///", "postgresql+psycopg://", "postgresql://")


def duration(value: object) -> object:
    """``90s``, ``30m``, ``1h``, ``1d``, or seconds; raises ValueError."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,9})\s*([smhd]?)", value.strip())
    if match is None:
        raise ValueError("must be a duration such as 90s, 30m, 1h or 1d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2] or "s"])


def is_database(url: str) -> bool:
    """Whether it names a database of a kind that is supported, and can be read.

    What is wrong with it is not repeated, since it may hold a password.
    """
    if not url.startswith(_DATABASES):
        return False
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        return False
    return True


def origins(value: object) -> object:
    """Origins separated by commas, without their final slash; raises ValueError."""
    if not isinstance(value, str):
        return value
    found = tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    if any(re.fullmatch(r"https?://[^/?#@\s]+", origin) is None for origin in found):
        raise ValueError("must be origins such as https://console.example.com, separated by commas")
    return found


def _split(url: str) -> SplitResult:
    return urlsplit(url if "://" in url else f"https://{url}")


def is_loopback(url: str) -> bool:
    """Whether a URL or a bare host names this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        host = _split(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def parts(url: str) -> tuple[str, str]:
    """Scheme and host; both empty where it is no address."""
    try:
        found = urlsplit(url)
    except ValueError:
        return "", ""
    return found.scheme, found.hostname or ""
