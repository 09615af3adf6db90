"""A listener that takes events down in memory: the protocol `ga_sync.sync.announce.Announcer`."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from models.link import Link
from models.run import RunStatus


@dataclass
class Events:
    """What was announced, in order: (kind, subject, detail)."""

    heard: list[tuple[str, str, str | None]] = field(default_factory=list)

    def of(self, kind: str) -> list[str]:
        """The subjects of one kind."""
        return [subject for heard, subject, _ in self.heard if heard == kind]

    def run_finished(
        self, session: Session, link: Link, run_id: str, status: RunStatus, error: str | None
    ) -> None:
        self.heard.append(("finished", link.link_id, error or status.value))

    def link_broken(self, session: Session, link: Link) -> None:
        self.heard.append(("broken", link.link_id, link.reason))

    def link_recovered(self, session: Session, link: Link) -> None:
        self.heard.append(("recovered", link.link_id, None))

    def grant_dead(self, session: Session, grant_id: str, customer_id: str) -> None:
        self.heard.append(("dead", grant_id, customer_id))
