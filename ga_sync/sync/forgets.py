"""Recordings that must stay forgotten: found in days by their keyed hash, taken out, never staged again."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from sqlalchemy.orm import Session

from ga_sync.index.cipher import LOOKUP, IdCipher
from ga_sync.index.codec import DayData, encode
from ga_sync.index.day import without
from ga_sync.index.errors import DamagedDay
from ga_sync.index.ids import IdColumn, Positions, column
from ga_sync.sync import change_store, stage, store
from ga_sync.sync.changelog import Changelog, opened_account
from ga_sync.sync.changes import only_left
from models.change import Change
from models.day import Reading
from models.errors import SealBroken
from models.forgets import Forgotten
from models.keyring import Sealer
from models.link import Link

_PURPOSE = "forget"
_HASH_BYTES = 8
_FORM = b"\x02"
"""Stands behind a lookup: how the hash was made. Earlier ones have nothing there."""
_COPIED = (
    "link_id",
    "customer_id",
    "run_id",
    "day",
    "time_zone",
    "began_at",
    "fetched_at",
    "state",
    "reasons",
    "seen",
    "rows",
    "junk",
    "came",
    "went",
)


def entries(recording_ids: Sequence[str], sealer: Sealer) -> list[tuple[bytes, bytes]]:
    """What the keyring remembers of each id: (reference, lookup)."""
    lookups = column(recording_ids, IdCipher(sealer.key(LOOKUP))).hashes.astype("<u8")
    return [
        (sealer.blind(_PURPOSE, one), lookup.tobytes() + _FORM)
        for one, lookup in zip(recording_ids, lookups, strict=True)
    ]


def held(data: DayData, forgotten: Forgotten, sealer: Sealer) -> list[str]:
    """The recordings of a day that must be forgotten."""
    if not forgotten:
        return []
    candidates = data.ids.strings(_candidates(data.ids, forgotten.lookups))
    return [one for one in candidates if sealer.blind(_PURPOSE, one) in forgotten.references]


def _candidates(ids: IdColumn, lookups: Collection[bytes]) -> Positions:
    """The positions of what may have to be forgotten: all of them, where a lookup is of another form than hashes."""
    hashes = [lookup[:_HASH_BYTES] for lookup in lookups if lookup[_HASH_BYTES:] == _FORM]
    if len(hashes) < len(lookups):
        return np.arange(len(ids), dtype=np.int64)
    return np.flatnonzero(np.isin(ids.hashes, np.frombuffer(b"".join(hashes), "<u8"))).astype(np.int64)


def cleaned(data: DayData, forgotten: Forgotten, sealer: Sealer) -> DayData:
    """The day without them; itself where it holds none."""
    gone = held(data, forgotten, sealer)
    return without(data, gone, sealer.key(LOOKUP)) if gone else data


def clean_staged(reading: Reading, forgotten: Forgotten, sealer: Sealer, new_id: Callable[[], str]) -> None:
    """A reading that is not published yet, rewritten where it holds any; its former value opens in no row any more."""
    data = _opened(reading, sealer) if forgotten else None
    if data is not None and held(data, forgotten, sealer):
        reading.reading_id = new_id()
        _write(reading, cleaned(data, forgotten, sealer), sealer)


def _opened(reading: Reading, sealer: Sealer) -> DayData | None:
    """A day; None for a damaged one, which nobody is served and which is read anew."""
    try:
        return stage.unseal(reading, sealer)
    except (SealBroken, DamagedDay):
        return None


def _write(reading: Reading, data: DayData, sealer: Sealer) -> None:
    reading.recordings, reading.memberships = data.recordings, data.memberships
    reading.value = sealer.seal(reading.place(), encode(data))


def apply(
    session: Session,
    link: Link,
    sealer: Sealer,
    forgotten: Forgotten,
    changelog: Changelog,
    new_id: Callable[[], str],
) -> None:
    """Take what must be forgotten out of everything that a locked link holds: published, staged, and logged."""
    for reading in store.published(session, link.link_id, link.customer_id):
        _apply_to_day(session, reading, sealer, forgotten, changelog, new_id)
    for staged in change_store.staged(session, link.link_id):
        clean_staged(staged, forgotten, sealer, new_id)
    for change in change_store.rows(session, link.link_id):
        _clean_account(change, forgotten, sealer)
    link.forgotten = len(forgotten)


def _apply_to_day(
    session: Session,
    old: Reading,
    sealer: Sealer,
    forgotten: Forgotten,
    changelog: Changelog,
    new_id: Callable[[], str],
) -> None:
    data = _opened(old, sealer)
    gone = [] if data is None else held(data, forgotten, sealer)
    session.expire(old, ["value"])  # not all days at once in memory
    if data is None or not gone:
        return
    clean = without(data, gone, sealer.key(LOOKUP))
    changelog.goes(old)
    changelog.comes(old.day, clean)
    new = Reading(reading_id=new_id(), published=False, **{name: getattr(old, name) for name in _COPIED})
    _write(new, clean, sealer)
    session.add(new)
    store.point_day(session, new)


def _clean_account(change: Change, forgotten: Forgotten, sealer: Sealer) -> None:
    """Of a forgotten recording the log says only that it left, so that whoever follows it forgets it, too."""
    account = opened_account(change, sealer)
    gone = held(account, forgotten, sealer)
    if gone:
        account = only_left(account, gone, sealer.key(LOOKUP))
        change.events = account.memberships
        change.value = sealer.seal(change.place(), encode(account))
