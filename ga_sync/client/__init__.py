"""What a recording store imports to ask which recordings are in which segments.

```
from ga_sync.client import Client, all_, not_, segment

with Client("https://ga.example.com", key) as client:
    page = client.query(link_id, all_(segment("111"), not_(segment("222"))))
```
It stands alone: nothing of the rest is imported. Every call is safe to repeat, and is repeated: on 429, 503 and when
the network fails, after a growing, jittered pause, or as long as the server's `Retry-After` says.
"""

from ga_sync.client.answers import (
    Answered,
    Change,
    Changes,
    Completeness,
    Count,
    DayInfo,
    Evidence,
    Explained,
    Explanation,
    Exported,
    Group,
    Held,
    LinkInfo,
    Matches,
    Memberships,
    Page,
    Reason,
    SegmentInfo,
)
from ga_sync.client.asking import EVER, Candidate, Filter, Window, all_, any_, not_, segment
from ga_sync.client.errors import (
    Busy,
    ClientError,
    Expired,
    Interrupted,
    Refused,
    Unintelligible,
    Unreachable,
)
from ga_sync.client.questions import Client
from ga_sync.client.wire import Patience

__all__ = [
    "EVER",
    "Answered",
    "Busy",
    "Candidate",
    "Change",
    "Changes",
    "Client",
    "ClientError",
    "Completeness",
    "Count",
    "DayInfo",
    "Evidence",
    "Expired",
    "Explained",
    "Explanation",
    "Exported",
    "Filter",
    "Group",
    "Held",
    "Interrupted",
    "LinkInfo",
    "Matches",
    "Memberships",
    "Page",
    "Patience",
    "Reason",
    "Refused",
    "SegmentInfo",
    "Unintelligible",
    "Unreachable",
    "Window",
    "all_",
    "any_",
    "not_",
    "segment",
]
