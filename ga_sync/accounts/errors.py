"""Why something a person or a program asked for is refused.

Refusal
├── Unauthenticated      no or bad key
│   ├── SignInRefused        the e-mail address or the password is wrong
│   ├── CodeRefused          the code of the second factor is wrong, or was used
│   ├── CodeWanted           the password is right; a code is asked for
│   └── NotSignedIn          no session, or it has ended
├── Forbidden            the role may not do this
├── NotFound             no such object, or not this key's
│   └── InvitationGone       a one-time address that was used, has expired, or never was
├── Conflict             the object is not in a state for this
├── Malformed            not JSON, or no body where one belongs
├── Invalid              the request's values
├── PropertyUnreadable   Google refuses the property to this Google account
├── DimensionUnknown     no event-scoped custom dimension of this name
├── CursorExpired        older than what is kept to answer it
├── Paused               the link is paused
├── SlowDown             too many attempts; wait
└── Unavailable          Google or we ourselves cannot answer now; try again
"""

from typing import ClassVar


class Refusal(Exception):
    """Root: ``slug`` is the problem type, the text says what to do and holds no secret."""

    slug: ClassVar[str] = "invalid"


class Unauthenticated(Refusal):
    """No key, a malformed one, a wrong one or a revoked one: always the same words."""

    slug: ClassVar[str] = "unauthenticated"


class SignInRefused(Unauthenticated):
    """The e-mail address or the password is wrong: always the same words."""


class CodeRefused(Unauthenticated):
    """The code of the second factor is wrong, or was used already: always the same words."""


class CodeWanted(Unauthenticated):
    """The password is right, and this account has a second factor: no session yet.

    ``cookie`` is for this browser alone and good for one right code; ``max_age`` is in seconds.
    """

    def __init__(self, cookie: str, max_age: int) -> None:
        super().__init__("the code of the second factor is asked for")
        self.cookie, self.max_age = cookie, max_age


class NotSignedIn(Unauthenticated):
    """No session, or it has ended: sign in."""


class Forbidden(Refusal):
    """The key's role may not do this."""

    slug: ClassVar[str] = "forbidden"


class NotFound(Refusal):
    """No such object for this key."""

    slug: ClassVar[str] = "not-found"


class InvitationGone(NotFound):
    """A one-time address that was used, has expired, or never was: ask for a new one."""


class Conflict(Refusal):
    """The object's state forbids this."""

    slug: ClassVar[str] = "conflict"


class Malformed(Refusal):
    """What came is not JSON."""

    slug: ClassVar[str] = "malformed"


class Invalid(Refusal):
    """A value is refused; never clamped."""

    slug: ClassVar[str] = "invalid"


class PropertyUnreadable(Refusal):
    """The Google account may not read this property."""

    slug: ClassVar[str] = "property-unreadable"


class DimensionUnknown(Refusal):
    """The property has no such event-scoped custom dimension, or it cannot be reported."""

    slug: ClassVar[str] = "dimension-unknown"


class CursorExpired(Refusal):
    """Where to go on is no longer known: begin again."""

    slug: ClassVar[str] = "cursor-expired"


class Paused(Refusal):
    """The link is paused: nothing is read from Google and nothing is answered."""

    slug: ClassVar[str] = "paused"


class SlowDown(Refusal):
    """Too many attempts; ``retry_after`` is in seconds."""

    slug: ClassVar[str] = "slow-down"

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """Not now; ``retry_after`` is in seconds."""

    slug: ClassVar[str] = "unavailable"

    def __init__(self, sentence: str, retry_after: int = 30) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
