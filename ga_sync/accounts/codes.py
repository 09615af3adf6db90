"""Codes of a second factor (pure): six digits from an authenticator app, and recovery codes on paper.

The digits are TOTP (RFC 6238) as every app knows it: SHA-1, 30 seconds, a secret of 160 bits (RFC 4226 §4, R6).
"""

import base64
import hmac
import re
from collections.abc import Callable
from datetime import datetime

import pyotp

from models.sealed import Secret

DRIFT = 1
RECOVERY_CODES = 10
ISSUER = "ga-sync"
_SECRET_BYTES, _RECOVERY_BYTES, _GROUP = 20, 10, 4
_DIGITS, _RECOVERY = re.compile(r"[0-9]{6}"), re.compile(r"[a-z2-7]{16}")


def new_secret(random: Callable[[int], bytes]) -> Secret:
    """A new secret, in base32 as apps take it."""
    return Secret(base64.b32encode(random(_SECRET_BYTES)).decode())


def app_address(secret: Secret, email: str) -> Secret:
    """What the QR code says (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
    return Secret(pyotp.TOTP(secret.reveal()).provisioning_uri(name=email, issuer_name=ISSUER))


def grouped(text: str, joint: str = " ") -> str:
    """In fours, as people read and type.

    >>> grouped("abcdefghij", "-")
    'abcd-efgh-ij'
    """
    return joint.join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def plain(code: str) -> str:
    """A code as it is compared, however it was typed: without spaces and hyphens, in small letters."""
    return re.sub(r"[\s-]", "", code).lower()


def is_digits(code: str) -> bool:
    """Whether a plain code has the form of an app's."""
    return _DIGITS.fullmatch(code) is not None


def is_recovery(code: str) -> bool:
    """Whether a plain code has the form of a recovery code."""
    return _RECOVERY.fullmatch(code) is not None


def step_of(secret: Secret, code: str, now: datetime) -> int | None:
    """The step of 30 seconds whose code this is: the present one, or one before or after (RFC 6238 §5.2).

    All three are compared, each in constant time; where two have the same code, the later one counts.
    """
    app = pyotp.TOTP(secret.reveal())
    at, given, found = app.timecode(now), code.encode(errors="replace"), None
    for step in range(at - DRIFT, at + DRIFT + 1):
        if hmac.compare_digest(app.generate_otp(step).encode(), given):
            found = step
    return found


def recovery_codes(random: Callable[[int], bytes]) -> list[str]:
    """Ten codes of 80 random bits, as they are shown."""
    texts = (base64.b32encode(random(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return [grouped(text, "-") for text in texts]
