"""Everything held about one customer, as one JSON document in pieces: access and portability. No token stands in it.

``{"format", "customer_id", "exported_at", "api_keys", "accounts", "consents", "grants", "links", "audit"}``. A link
carries its ``segments``, ``runs`` and ``days`` beside itself (``link``); a day carries ``members``, the recording ids
of each segment. Of a link whose data was destroyed its id and status are left. One day at a time is in memory beside
the link's index.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import chain

import msgspec

from ga_sync.accounts import store, views
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.links import Links
from ga_sync.accounts.recordings import Recordings
from ga_sync.accounts.views import View
from models.api_key import ApiKey
from models.consent import Consent
from models.errors import DataKeyGone
from models.link import LinkStatus
from models.session import Store

FORMAT = "ga-sync customer export 1"
_AT_ONCE = 500


class Exports:
    """Writes customers down."""

    def __init__(
        self,
        data: Store,
        links: Links,
        recordings: Recordings,
        *,
        clock: Callable[[], datetime],
        at_once: int = _AT_ONCE,
        accounts: Callable[[str], list[View]] = lambda _customer_id: [],
    ) -> None:
        """Read ``at_once`` rows at a time; ``accounts`` lists the people of a customer."""
        self._at_once, self._accounts = at_once, accounts
        self._data, self._links, self._recordings, self._clock = data, links, recordings, clock

    def document(self, customer_id: str) -> Iterator[bytes]:
        """The document in pieces; a customer of whom nothing is held has empty lists."""
        head = {
            "format": FORMAT,
            "customer_id": customer_id,
            "exported_at": views.moment(self._clock()),
            "api_keys": self._keys(customer_id),
            "accounts": self._accounts(customer_id),
            "consents": self._consents(customer_id),
        }
        yield msgspec.json.encode(head)[:-1]
        yield b',"grants":'
        yield from _array([msgspec.json.encode(grant)] for grant in self._grants(customer_id))
        yield b',"links":'
        yield from _array(self._every_link(customer_id))
        yield b',"audit":'
        yield from _array([msgspec.json.encode(event)] for event in self._audit(customer_id))
        yield b"}\n"

    def _keys(self, customer_id: str) -> list[View]:
        with self._data.reading() as session:
            return [_key(row) for row in store.customers_keys(session, customer_id)]

    def _consents(self, customer_id: str) -> list[View]:
        with self._data.reading() as session:
            return [_consent(row) for row in store.consents(session, customer_id)]

    def _grants(self, customer_id: str) -> Iterator[View]:
        after = ""
        while True:
            with self._data.reading() as session:
                rows = store.grants(session, customer_id, store.Page(after, self._at_once))
                links = {row.grant_id: store.links_of(session, row.grant_id, customer_id) for row in rows}
            for row in rows:
                yield views.grant(row, [link.link_id for link in links[row.grant_id]], self._clock())
            if len(rows) < self._at_once:
                return
            after = rows[-1].grant_id

    def _every_link(self, customer_id: str) -> Iterator[Iterable[bytes]]:
        with self._data.reading() as session:
            listed = store.all_links(session, customer_id)
        for link_id, status in listed:
            if status != LinkStatus.REMOVED:
                try:
                    yield self._link(link_id, customer_id)
                    continue
                except (NotFound, DataKeyGone):  # removed in this moment
                    pass
            gone = {"link": {"link_id": link_id, "status": LinkStatus.REMOVED}}
            yield [msgspec.json.encode({**gone, "segments": [], "runs": [], "days": []})]

    def _link(self, link_id: str, customer_id: str) -> Iterator[bytes]:
        """The pieces of a link, opened before the first of them. Raises NotFound, DataKeyGone."""
        segments, about = self._recordings.segments(link_id, customer_id)
        members = self._recordings.members_by_day(link_id, customer_id)
        days = self._links.days(link_id, customer_id, None, None)
        link = {**self._links.view(link_id, customer_id), **about}
        runs = list(self._runs(link_id, customer_id))
        head = msgspec.json.encode({"link": link, "segments": segments, "runs": runs})

        def one(day: View) -> list[bytes]:
            return [msgspec.json.encode({**day, "members": members(date.fromisoformat(day["day"]))})]

        return chain([head[:-1], b',"days":'], _array(map(one, days)), [b"}"])

    def _runs(self, link_id: str, customer_id: str) -> Iterator[View]:
        after = ""
        while True:
            found = self._links.runs(link_id, customer_id, after, self._at_once)
            yield from found
            if len(found) < self._at_once:
                return
            after = found[-1]["run_id"]

    def _audit(self, customer_id: str) -> Iterator[View]:
        before: int | None = None
        while True:
            with self._data.reading() as session:
                rows = store.audit(session, customer_id, before, self._at_once)
            yield from map(views.event, rows)
            if len(rows) < self._at_once:
                return
            before = rows[-1].number


def _array(items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """A JSON array of items that come in pieces."""
    mark = b"["
    for item in items:
        yield mark
        yield from item
        mark = b","
    yield b"]" if mark == b"," else b"[]"


def _key(row: ApiKey) -> View:
    return {
        "key_id": row.key_id,
        "role": row.role,
        "created_at": views.moment(row.created_at),
        "last_used_at": views.moment(row.last_used_at),
        "revoked_at": views.moment(row.revoked_at),
    }


def _consent(row: Consent) -> View:
    return {
        "grant_id": row.grant_id,
        "return_url": row.return_url,
        "expires_at": views.moment(row.expires_at),
        "consumed_at": views.moment(row.consumed_at),
    }
