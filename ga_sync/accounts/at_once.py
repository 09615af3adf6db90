"""The questions asked most, answered with one look at the database and from memory, for doors that must not wait.

Everything that is not plain is None here: no such key, another customer's link or none, one that is paused, a refused
filter, an index that is not in memory, work that is kept for later questions. Who asked then goes the long way
(:mod:`ga_sync.accounts.recordings`), which waits, and says what is wrong in the right order and words. So nothing is
answered here that would not be answered there, and nothing is refused here.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from ga_sync.accounts import answers, key_store
from ga_sync.accounts.errors import Refusal
from ga_sync.accounts.generation import Generations, Opened, Window
from ga_sync.accounts.keys import Keys, id_of
from ga_sync.accounts.names import check_recording_ids, is_plain
from ga_sync.accounts.views import View
from ga_sync.index.cache import IndexCache
from ga_sync.index.errors import FilterIndexError
from ga_sync.index.expression import Expression, size_of
from ga_sync.index.store import AskedLink
from models.forgets import LINK
from models.keyring import Keyring, Owner
from models.link import LinkStatus
from models.look import Unseen
from models.session import Store

MAX_PAGE, MAX_CANDIDATES, MAX_SIZE = 100, 200, 24
"""More ids, candidates, or segments and operators of a filter are work for a thread."""
_OPEN = frozenset({LinkStatus.ACTIVE, LinkStatus.BROKEN})


class Admitted(NamedTuple):
    """Who asks, and the link that they may ask about, both as of one moment."""

    key_id: str
    link: AskedLink


class AtOnce:
    """Answers without waiting, or not at all."""

    def __init__(
        self,
        data: Store,
        keys: Keys,
        keyring: Keyring,
        cache: IndexCache,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._keys, self._keyring, self._random = keys, keyring, random
        self._look = data.look(key_store.KEY_AND_LINK, key_store.key_and_link)
        self._generations = Generations(data, keyring, cache, clock)
        self.waits = not data.is_sqlite
        """Whether the look at the database crosses a network: then it belongs into a thread."""

    def admit(self, key: str | None, link_id: str, roles: Sequence[str]) -> Admitted | None:
        """Whoever may ask this link something, after one look at the database; also where that could not be had now."""
        key_id = id_of(key)
        if key_id is None or not is_plain(link_id):
            return None
        try:
            held, link = self._look({"key_id": key_id, "link_id": link_id}) or (None, None)
            return self._judged(held, link, key, roles)
        except (Unseen, Refusal):
            return None

    def _judged(
        self, held: key_store.HeldKey | None, link: AskedLink | None, key: str | None, roles: Sequence[str]
    ) -> Admitted | None:
        principal = self._keys.judge(held, key)
        principal.require_role(*roles)
        if link is None or link.status not in _OPEN or not principal.may_see(link.customer_id):
            return None
        return Admitted(principal.key_id, link)

    def query(self, link: AskedLink, filter_: object, window: Window, limit: int) -> View | None:
        """A first page."""
        sealer = self._keyring.held(Owner(LINK, link.link_id))
        if sealer is None or not 1 <= limit <= MAX_PAGE:
            return None
        ready = self._ready(link, filter_, window, among=False)
        if ready is None:
            return None
        opened, expression = ready
        page = opened.page(expression, None, limit)
        return answers.Paging(link.customer_id, link.link_id, window).view(page, sealer, self._random)

    def match(
        self, link: AskedLink, filter_: object, candidates: Sequence[tuple[str, date | None]], window: Window
    ) -> View | None:
        """Which of a few candidates the filter is true of, and which it may be true of."""
        try:
            check_recording_ids([recording_id for recording_id, _ in candidates], MAX_CANDIDATES)
        except Refusal:
            return None
        ready = self._ready(link, filter_, window, among=True)
        return None if ready is None else answers.matches(*ready, candidates)

    def count(self, link: AskedLink, filter_: object, window: Window) -> View | None:
        """How many."""
        ready = self._ready(link, filter_, window, among=False)
        return None if ready is None else answers.total(*ready, None)

    def _ready(
        self, link: AskedLink, filter_: object, window: Window, *, among: bool
    ) -> tuple[Opened, Expression] | None:
        """What is asked, where nothing has to be read or worked out first.

        Among candidates a filter may be unbounded; and what is worked out of a window serves all other questions alone.
        """
        opened = self._generations.warm(link, window)
        if opened is None:
            return None
        try:
            expression = self._generations.parse(filter_, opened.served.segments, bounded=not among)
        except FilterIndexError:
            return None
        days = opened.window
        ready = among or opened.served.index.is_warm(expression, days.first, days.last)
        return (opened, expression) if ready and size_of(expression) <= MAX_SIZE else None
