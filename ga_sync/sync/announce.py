"""What a run tells the world outside, in the transaction that makes it true; who listens is the root's choice."""

from typing import Protocol

from sqlalchemy.orm import Session

from models.link import Link
from models.run import RunStatus


class Announcer(Protocol):
    """Takes events down inside the caller's transaction."""

    def run_finished(
        self, session: Session, link: Link, run_id: str, status: RunStatus, error: str | None
    ) -> None:
        """A run has ended."""
        ...

    def link_broken(self, session: Session, link: Link) -> None:
        """A link that was well is broken."""
        ...

    def link_recovered(self, session: Session, link: Link) -> None:
        """A broken link is well again."""
        ...

    def grant_dead(self, session: Session, grant_id: str, customer_id: str) -> None:
        """A grant was found dead; safe to repeat."""
        ...


class Silence:
    """Nobody listens."""

    def run_finished(
        self, session: Session, link: Link, run_id: str, status: RunStatus, error: str | None
    ) -> None:
        """Nothing."""

    def link_broken(self, session: Session, link: Link) -> None:
        """Nothing."""

    def link_recovered(self, session: Session, link: Link) -> None:
        """Nothing."""

    def grant_dead(self, session: Session, grant_id: str, customer_id: str) -> None:
        """Nothing."""
