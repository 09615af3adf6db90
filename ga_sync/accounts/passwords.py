"""Passwords: Argon2id (RFC 9106), and what a new one must be (NIST SP 800-63B §5.1.1: long, composed as one likes)."""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ga_sync.accounts.errors import Invalid

SHORTEST, LONGEST = 12, 200
AT_ONCE = 2
_FEWEST_DIFFERENT = 5


def check_new(password: str, email: str) -> str:
    """A password that a person may choose, as it is hashed.

    Raises:
        Invalid: shorter than 12 characters or longer than 200, nearly one character, or the person's own address.
    """
    normal = _normal(password)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise Invalid(f"a password has {SHORTEST} to {LONGEST} characters")
    if len(set(normal)) < _FEWEST_DIFFERENT:
        raise Invalid("the password repeats too few characters: choose several words")
    name = email.partition("@")[0].casefold()
    if normal.casefold() in {email.casefold(), name} or email.casefold() in normal.casefold():
        raise Invalid("the password holds the e-mail address: choose several words")
    return normal


def _normal(password: str) -> str:
    """Equal however the keyboard composed it (NIST SP 800-63B: NFKC or NFKD)."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and compares; at most two at once, for each takes 64 MiB of memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, normal: str) -> str:
        """What is stored of a password: parameters, salt and hash."""
        with self._turns:
            return self._hasher.hash(normal)

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; the same work where nothing is stored."""
        normal = _normal(password[: LONGEST + 1]).encode(errors="replace")
        with self._turns:
            if stored is None:
                self._hasher.hash(normal)
                return False
            try:
                return self._hasher.verify(stored, normal)
            except (VerificationError, InvalidHashError):
                return False

    def renewed(self, stored: str, password: str) -> str:
        """What to store of a password that matched: hashed anew where it was with other parameters than today's."""
        return self.hash(_normal(password)) if self._hasher.check_needs_rehash(stored) else stored
