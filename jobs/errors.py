"""What can go wrong with work, and what a handler says about it.

JobsError
├── RetryAt       come back at this time: the handler knows when trying again can help
├── GiveUp        trying again cannot help: the job ends here
└── LostLease     the job belongs to somebody else by now, or was removed: commit nothing more
"""

from datetime import datetime


class JobsError(Exception):
    """Root of this package's errors; their texts hold no secret."""


class RetryAt(JobsError):
    """Try the job again at ``when``, an aware time; ``why`` is a short slug or sentence without secrets.

    It counts as a failed attempt. Raises ValueError for a time without a zone.
    """

    def __init__(self, when: datetime, why: str) -> None:
        if when.tzinfo is None:
            raise ValueError("the time of a retry must carry its time zone")
        super().__init__(f"{why}: again at {when.isoformat()}")
        self.when, self.why = when, why


class GiveUp(JobsError):
    """End the job: no retry can help; ``why`` is a short slug or sentence without secrets."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class LostLease(JobsError):
    """The job was claimed by another worker, handed back or removed: what its former holder does no longer counts."""
