"""Stores and keyrings that stop once at a chosen step, as a process that is killed does. Nothing is patched."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models.keyring import Owner
from models.session import Store


class Killed(BaseException):
    """The process ends here; nothing catches it."""


class Steps:
    """Counts steps that change something, and kills before or after one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def __call__(self) -> None:
        """One more step."""
        self.seen += 1
        if self.seen == self.at:
            raise Killed


class MortalStore:
    """A store whose transactions and checkpoints are steps: killed before the first statement, or after the commit."""

    def __init__(self, store: Store, step: Callable[[], None]) -> None:
        self._store, self._step = store, step

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A writing transaction between two steps."""
        self._step()
        with self._store.transaction() as session:
            yield session
        self._step()

    def checkpoint(self) -> bool:
        """A checkpoint after a step."""
        self._step()
        return self._store.checkpoint()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- all else as it is
        return getattr(self._store, name)


class MortalKeyring:
    """A keyring whose destructions are steps."""

    def __init__(self, keyring: Any, step: Callable[[], None]) -> None:  # noqa: ANN401 -- a keyring
        self._keyring, self._step = keyring, step

    def destroy(self, owners: Iterable[Owner], customer_id: str, now: datetime) -> bool:
        """Destroy between two steps."""
        self._step()
        clean: bool = self._keyring.destroy(owners, customer_id, now)
        self._step()
        return clean

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- all else as it is
        return getattr(self._keyring, name)


class BusyStore(MortalStore):
    """A store whose write-ahead log a reader holds up, as long as ``busy``."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, lambda: None)
        self.busy = True

    def checkpoint(self) -> bool:
        """Not emptied while it is busy."""
        return not self.busy and self._store.checkpoint()
