"""What can stop a synchronisation.

SyncError
├── LinkGone     the link was removed, paused or fenced while we worked: stop, keep nothing
├── Busy         another link of the same property is being read: come back in a moment
└── Parked       a quota leaves no room for us: come back later
"""

from datetime import datetime

from ga_sync.analytics.quota import Kind


class SyncError(Exception):
    """Root of this package's errors."""


class LinkGone(SyncError):
    """Whoever removed or paused the link was first; nothing may be committed any more."""


class Busy(SyncError):
    """A property is read by one run at a time, whoever's links point to it."""


class Parked(SyncError):
    """We are guests in the customer's property and stop before the wall.

    Attributes:
        kind: the quota that is short.
        until: when it is worth asking again.
    """

    def __init__(self, kind: Kind, until: datetime) -> None:
        self.kind, self.until = kind, until
        super().__init__(f"the property's quota {kind.value} leaves no room before {until.isoformat()}")
