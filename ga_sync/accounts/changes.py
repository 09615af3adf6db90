"""``GET /v1/links/{link_id}/changes``: the present state of a link's segments, page by page, then the log."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.accounts.errors import CursorExpired, Invalid, NotFound, Paused
from ga_sync.accounts.following import Place, open_place, seal_place
from ga_sync.accounts.retention import Retention, oldest_day
from ga_sync.accounts.views import View, moment
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.codec import DayData
from ga_sync.index.slices import slice_of_day
from ga_sync.index.store import AskedLink
from ga_sync.sync import change_store
from ga_sync.sync.changelog import FROM_NOTHING, UNKNOWN, opened_account
from ga_sync.sync.changes import ENTERED, only_left
from ga_sync.sync.forgets import held
from ga_sync.sync.links import sealer_of
from models.change import Change
from models.errors import DataKeyGone
from models.keyring import Keyring, Sealer
from models.link import LinkStatus
from models.session import Store

MAX_LIMIT, DEFAULT_LIMIT = 10_000, 1_000
_ROWS = 20


class Changes:
    """Tells who is where, and who comes and goes."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        cache: IndexCache,
        retention: Retention,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._data, self._keyring, self._cache, self._retention = data, keyring, cache, retention
        self._clock, self._random = clock, random

    def page(self, link_id: str, customer_id: str, since: str | None, limit: int = DEFAULT_LIMIT) -> View:
        """The changes of about ``limit`` recordings behind ``since``; without it, from the beginning.

        Raises:
            Invalid: limit.
            NotFound: removed, or another customer's link.
            Paused: restricted.
            CursorInvalid: ``since`` is none of this link's.
            CursorExpired: ``since`` is older than the log, or of another history: begin again without it.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"limit must be between 1 and {MAX_LIMIT}")
        try:
            sealer = sealer_of(self._keyring, link_id)
            place = None if since is None else open_place(sealer, link_id, customer_id, since)
            self._keep_to_retention(link_id, customer_id)
            with self._data.reading() as session:
                changes, reached, more = self._told(session, link_id, customer_id, sealer, place, limit)
        except DataKeyGone:
            raise NotFound("there is no such link for this key") from None
        following = seal_place(sealer, link_id, customer_id, reached, self._random)
        return {"changes": changes, "next": following, "more": more}

    def _keep_to_retention(self, link_id: str, customer_id: str) -> None:
        """Every other answer leaves out a day in the moment in which it leaves retention; so does this one."""
        with self._data.reading() as session:
            link = _open(index_store.link(session, link_id, customer_id))
            late = store.has_day_before(session, link_id, oldest_day(link, self._clock()))
        if late:
            self._retention.apply_to(link_id, customer_id)

    def _told(
        self,
        session: Session,
        link_id: str,
        customer_id: str,
        sealer: Sealer,
        place: Place | None,
        limit: int,
    ) -> tuple[list[View], Place, bool]:
        """The changes, how far they go, and whether there are more."""
        link = _open(index_store.link(session, link_id, customer_id))
        if place is not None and place.generation and not _known(session, link, place):
            raise CursorExpired("since is too old, or of another history: begin again without it")
        if place is None or not (place.generation or place.telling):
            place = Place(link.generation, link.generated_at, telling=True)
        if not place.telling:
            return self._log(session, link, sealer, place, limit)
        return self._state(session, link, place, limit)

    def _state(
        self, session: Session, link: AskedLink, place: Place, limit: int
    ) -> tuple[list[View], Place, bool]:
        served = self._cache.serve(session, link)
        page = served.index.slice_by_hash(place.after, limit)
        as_of = moment(served.as_of)
        changes = [
            _view(segment, recording_id, "entered", as_of)
            for recording_id, segments in page.recordings
            for segment in segments
        ]
        if page.last is not None:
            return changes, place.behind(page.last), True
        return changes, Place(place.generation, place.stamp), link.generation != place.generation

    def _log(
        self, session: Session, link: AskedLink, sealer: Sealer, place: Place, limit: int
    ) -> tuple[list[View], Place, bool]:
        changes: list[View] = []
        left = limit
        for change in change_store.rows_after(session, link.link_id, place.generation, _ROWS):
            if change.events == UNKNOWN:
                raise CursorExpired("what was held before could not be read: begin again without since")
            if change.events == FROM_NOTHING:
                anew = Place(0, None)
                return (changes, anew, True) if changes else self._told_anew(session, link, limit)
            page = slice_of_day(self._account(change, sealer), place.after, left)
            changes += _views(page.recordings, moment(change.as_of))
            if page.last is not None:
                return changes, place.behind(page.last), True
            place = Place(change.generation, change.as_of)
            left = limit - len(changes)
            if left < 1:
                break
        return changes, place, place.generation != link.generation

    def _told_anew(self, session: Session, link: AskedLink, limit: int) -> tuple[list[View], Place, bool]:
        """Nothing was held just before: the present state says all that has come since."""
        return self._state(session, link, Place(link.generation, link.generated_at, telling=True), limit)

    def _account(self, change: Change, sealer: Sealer) -> DayData:
        """One row of the log; a restored one tells nothing of the forgotten but that they left."""
        account = opened_account(change, sealer)
        gone = held(account, self._keyring.forgets.of(change.link_id), sealer)
        return only_left(account, gone, sealer.key(LOOKUP)) if gone else account


def _open(link: AskedLink | None) -> AskedLink:
    if link is None:
        raise NotFound("there is no such link for this key")
    if link.status == LinkStatus.PAUSED:
        raise Paused("the link is paused: resume it first")
    return link


def _known(session: Session, link: AskedLink, place: Place) -> bool:
    """Whether the log holds everything since, in the history that the place is of."""
    if place.generation == link.generation:
        return place.stamp == link.generated_at
    row = change_store.row(session, link.link_id, place.generation)
    return row is not None and row.as_of == place.stamp


def _views(recordings: Iterable[tuple[str, list[str]]], as_of: str | None) -> list[View]:
    return [
        _view(name[1:], recording_id, "entered" if name.startswith(ENTERED) else "left", as_of)
        for recording_id, names in recordings
        for name in names
    ]


def _view(segment_id: str, recording_id: str, change: str, as_of: str | None) -> View:
    return {"segment_id": segment_id, "recording_id": recording_id, "change": change, "as_of": as_of}
