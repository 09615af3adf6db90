"""What can go wrong between a recording store and us.

```
ClientError
├── Unreachable      the network failed, also when it was tried again
├── Interrupted      a stream broke off: begin the export anew
├── Unintelligible   the answer is not of the documented shape
└── Refused          the server said no: `status`, `slug` and `detail` (RFC 9457) say why
    ├── Expired      410: the place in `changes` is older than the log; begin without `since`
    └── Busy         429 or 503, also when it was tried again
```
"""


class ClientError(Exception):
    """Root of this tree."""


class Unreachable(ClientError):
    """The network failed each time; the cause is the last failure."""


class Interrupted(ClientError):
    """A stream broke off in the middle; what came before is true, and not all."""


class Unintelligible(ClientError):
    """The answer is not of the documented shape: another service, or another version."""


class Refused(ClientError):
    """The server said no.

    Attributes:
        status: HTTP's.
        slug: What kind of problem; `malformed`, `unauthenticated`, `unknown-segment`, …
        detail: What to do about it.
    """

    def __init__(self, status: int, slug: str, detail: str) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status, self.slug, self.detail = status, slug, detail


class Expired(Refused):
    """The place in the log of changes is too old: take the present state, by `changes` without `since`."""


class Busy(Refused):
    """The server could not answer in time, also when it was asked again."""
