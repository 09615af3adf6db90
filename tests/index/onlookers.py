"""Who looks at the machine's link from elsewhere: a database, and somebody who knows nothing but its changes."""

from dataclasses import dataclass, field
from datetime import date

from ga_sync.index.codec import DayData, LazyDay, open_day
from ga_sync.index.ids import Words
from ga_sync.index.query import LinkIndex
from ga_sync.index.slices import slice_of_day
from ga_sync.sync.changes import ENTERED
from tests.index.worlds import KEY


@dataclass
class Stored:
    """A day as the database has it, for the first page of a link that is not in memory."""

    day: date
    data: DayData
    bytes: bytes

    @property
    def leads(self) -> Words:
        return self.data.ids.leads

    def open(self) -> LazyDay:
        return open_day(self.bytes, KEY, self.data.ids.cipher.bits)


@dataclass
class Follower:
    """Somebody who knows nothing but the changes: first the present state in slices, then account after account."""

    generation: int
    telling: bool = True
    after: int | None = None
    held: set[tuple[str, str]] = field(default_factory=set)

    def told(self, index: LinkIndex, log: list[DayData], limit: int) -> bool:
        """Read a page as `/changes` gives it; whether there is more."""
        if not self.telling and self.generation == len(log):
            return False
        page = (
            index.slice_by_hash(self.after, limit)
            if self.telling
            else slice_of_day(log[self.generation], self.after, limit)
        )
        for recording_id, names in page.recordings:
            for name in names:
                entered = self.telling or name.startswith(ENTERED)
                pair = (name if self.telling else name[1:], recording_id)
                (self.held.add if entered else self.held.discard)(pair)
        self.after = page.last
        if page.last is None:
            self.generation += not self.telling
            self.telling = False
        return self.after is not None or self.generation < len(log)
