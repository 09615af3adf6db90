"""What can be wrong with a filter, a cursor or a stored day.

```
FilterIndexError                 slug
├── InvalidFilter                invalid            the filter's shape, its text, or one of its limits
│   └── AmbiguousName            invalid            a quoted name that several segments carry
├── InvalidWindow                invalid            `from` after `to`
├── UnknownSegment               unknown-segment    a name or id that this link does not have
├── UnboundedFilter              filter-unbounded   true of a recording in no segment
├── CursorInvalid                cursor-invalid     forged, damaged, or of another question
├── DamagedDay                   damaged            bytes that are not a day: quarantine it, fetch it again
└── Closing                      unavailable        the process is ending: ask another one
```
Each carries a `slug` (the name callers branch on) and a sentence that says what to do; no sentence
repeats a recording id.
"""

from typing import ClassVar


class FilterIndexError(Exception):
    """Root of this package's tree; `slug` is the stable identity, `str(error)` the sentence."""

    slug: ClassVar[str] = "invalid"


class InvalidFilter(FilterIndexError):
    """The filter is not of the documented shape, or is over one of its limits."""


class AmbiguousName(InvalidFilter):
    """A quoted name belongs to more than one segment: the caller must use the id."""


class InvalidWindow(FilterIndexError):
    """`from` lies after `to`."""


class UnknownSegment(FilterIndexError):
    """The filter names a segment that this link does not have."""

    slug: ClassVar[str] = "unknown-segment"


class UnboundedFilter(FilterIndexError):
    """The filter is true of a recording in no segment, and the index knows no such recording."""

    slug: ClassVar[str] = "filter-unbounded"


class CursorInvalid(FilterIndexError):
    """The cursor was not issued for this customer, link, filter and window."""

    slug: ClassVar[str] = "cursor-invalid"


class DamagedDay(FilterIndexError):
    """Stored bytes are not a day: the day is to be quarantined and fetched again."""

    slug: ClassVar[str] = "damaged"


class Closing(FilterIndexError):
    """The process is ending, and assembles nothing any more."""

    slug: ClassVar[str] = "unavailable"
