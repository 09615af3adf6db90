"""The forms of names that come from outside (pure)."""

import re
from collections.abc import Iterable
from datetime import date
from urllib.parse import urlsplit

from ga_sync.accounts.errors import Invalid

_CUSTOMER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROPERTY = re.compile(r"properties/[0-9]{1,20}")
LONGEST_ID = 100
LONGEST_LABEL = 200
LONGEST_URL = 2000


def check_customer(customer_id: str) -> str:
    """A customer's id, 1 to 64 of ``A-Za-z0-9._-``; raises Invalid otherwise."""
    if not _CUSTOMER.fullmatch(customer_id):
        raise Invalid("customer_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return customer_id


def is_plain(object_id: str) -> bool:
    """Whether this can be the id of an object of ours; anything else is not even looked up."""
    return _PLAIN.fullmatch(object_id) is not None


def check_property(name: str) -> str:
    """``properties/N``; raises Invalid otherwise."""
    if not _PROPERTY.fullmatch(name):
        raise Invalid("property must look like properties/123456789")
    return name


def check_day(text: str) -> date:
    """A day written as ``YYYY-MM-DD`` and in no other way; raises Invalid otherwise."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.isoformat() != text:
        raise Invalid("the day must look like 2026-01-31")
    return day


def check_recording_ids(ids: Iterable[str], most: int, least: int = 0) -> list[str]:
    """Recording ids are opaque strings of 1 to 100 characters; raises Invalid over any limit."""
    checked = list(ids)
    if not least <= len(checked) <= most:
        raise Invalid(f"recording_ids takes {least} to {most} ids")
    if not {*range(1, LONGEST_ID + 1)}.issuperset(map(len, checked)):
        raise Invalid("a recording id has 1 to 100 characters")
    try:
        "".join(checked).encode()
    except UnicodeEncodeError:
        raise Invalid("a recording id is Unicode text without lone surrogates") from None
    return checked


def check_return_url(url: str | None, origins: Iterable[str]) -> str | None:
    """A return address whose origin is allowed exactly (RFC 9700 §2.1); raises Invalid otherwise."""
    if url is None:
        return None
    parts = urlsplit(url)
    plain = parts.username is None and "\\" not in url and url.isprintable() and len(url) <= LONGEST_URL
    if not plain or f"{parts.scheme}://{parts.netloc}" not in set(origins):
        raise Invalid("return_url must have one of the origins in GA_SYNC_RETURN_ORIGINS")
    return url
