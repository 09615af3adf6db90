"""Erasure of single recordings: forgotten now, and by every later synchronisation and every restored backup.

First the keyring remembers (keyed hashes, also of ids that were never seen), then one transaction takes them out of
everything that the link holds. A crash in between is made good by whoever looks next: the hourly job, the next
publication, the next start.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from ga_sync.accounts import store
from ga_sync.accounts.errors import NotFound, Paused
from ga_sync.accounts.names import check_recording_ids
from ga_sync.accounts.retention import Retention
from ga_sync.accounts.views import View
from ga_sync.index.cache import IndexCache
from ga_sync.sync.forgets import entries
from ga_sync.sync.links import sealer_of
from models.audit import append
from models.errors import DataKeyGone
from models.keyring import Keyring
from models.link import Link, LinkStatus
from models.session import Store

MAX_FORGOTTEN = 10_000


class Forgetting:
    """Forgets recordings."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        retention: Retention,
        index: IndexCache,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._data, self._keyring, self._retention, self._index = data, keyring, retention, index
        self._clock = clock

    def forget(self, link_id: str, customer_id: str, recording_ids: Sequence[str], actor: str) -> View:
        """Forget recordings of a link; how many ids were asked. Again: the same answer.

        Raises:
            Invalid: more than 10,000 ids, or one that is no recording id.
            NotFound: removed, or another customer's link.
            Paused: restricted.
        """
        asked = check_recording_ids(recording_ids, MAX_FORGOTTEN)
        with self._data.reading() as session:
            _require_open(store.any_link(session, link_id, customer_id))
        try:
            told = entries(asked, sealer_of(self._keyring, link_id))
            self._keyring.forgets.remember(link_id, customer_id, told, self._clock())
        except DataKeyGone:
            raise NotFound("there is no such link for this key") from None
        with self._data.transaction() as session:
            link = _require_live(store.any_link(session, link_id, customer_id, lock=True))
            self._retention.apply_within(session, link)
            append(session, self._clock(), actor, "recordings.forget", link_id, customer_id)
        self._index.drop(link_id)
        self._data.checkpoint()
        return {"forgotten": len(asked)}


def _require_live(link: Link | None) -> Link:
    if link is None or link.status == LinkStatus.REMOVED:
        raise NotFound("there is no such link for this key")
    return link


def _require_open(link: Link | None) -> None:
    if _require_live(link).status == LinkStatus.PAUSED:
        raise Paused("the link is paused: resume it first")
