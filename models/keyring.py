"""Data keys: made, wrapped by the key-encryption key, handed out as sealers, destroyed for ever.

The hierarchy: KEK → data key (one per grant, one per link, one for the system, one for the outbox) → HKDF-SHA256
(RFC 5869) → a key per column, a key per blind index, and a check value that fixes which key a ``dek_id`` means.
"""

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, func, inspect, select
from sqlalchemy.orm import Session

from models import record
from models.data_key import DataKey, Tombstone, newest
from models.errors import DataKeyGone, KekUnusable, KeyringExists, KeyringMissing, SealBroken
from models.floors import Floors
from models.forget import Forget
from models.forgets import LINK, Forgets
from models.kek import KEY_BYTES, Kek, Random
from models.messages import Count, Messages
from models.meta import KEK_PRIMARY, KEYRING_ID, KeyringFact
from models.outcomes import Outcomes
from models.sealed import Place, Sealed
from models.session import Store

CACHE_SECONDS = 300.0
SYSTEM_CUSTOMER = "*"
Alarm = Callable[[Place], object]


def _nobody(*_told: object) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key: ``kind`` is grant, link or system."""

    kind: str
    id: str


SYSTEM = Owner("system", "system")
OUTBOX = Owner("system", "outbox")


def derive(data_key: bytes, info: str, length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 without salt: the data key is uniformly random already (RFC 5869 §3.1)."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info.encode()).derive(data_key)


class Sealer:
    """Seals and opens under one owner's data key; the key itself never leaves this object."""

    def __init__(
        self, dek_id: int, data_key: bytes, random: Random, alarm: Alarm = _nobody, count: Count = _nobody
    ) -> None:
        self._dek_id, self._data_key, self._random, self._alarm = dek_id, data_key, random, alarm
        self._count = count
        self._derived: dict[str, bytes] = {}

    def key(self, purpose: str) -> bytes:
        """A 32-byte key of its own for ``purpose`` (a lookup hash, a cursor)."""
        if purpose not in self._derived:
            self._derived[purpose] = derive(self._data_key, purpose)
        return self._derived[purpose]

    def blind(self, purpose: str, value: str) -> bytes:
        """HMAC-SHA256 of ``value``: equal values are found without being readable."""
        return hmac.new(self.key(f"bidx|{purpose}"), value.encode(), hashlib.sha256).digest()

    def seal(self, place: Place, plaintext: bytes) -> Sealed:
        """Seal for one place. Raises DataKeySpent, DataKeyGone where the key may seal no more, or is gone."""
        self._count(self._dek_id, record.messages(len(plaintext)))
        return record.seal(self._column_key(place), self._dek_id, place, plaintext, self._random)

    def open(self, place: Place, sealed: Sealed) -> bytes:
        """Open in its place.

        Raises:
            SealBroken: altered, moved, or sealed under another key.
        """
        return self.open_prefix(place, sealed, len(sealed.ciphertext))

    def open_prefix(self, place: Place, prefix: Sealed, whole: int) -> bytes:
        """Open the chunks at the beginning of a value of ``whole`` sealed bytes: each is authenticated by itself.

        Raises:
            SealBroken: altered, moved, cut inside a chunk, of another length, or sealed under another key.
        """
        try:
            self._require_own(prefix)
            return record.open_prefix(self._column_key(place), place, prefix, whole)
        except SealBroken:
            self._alarm(place)
            raise

    def _require_own(self, sealed: Sealed) -> None:
        if record.dek_id_of(sealed) != self._dek_id:
            raise SealBroken("a sealed value does not open in its place")

    def _column_key(self, place: Place) -> bytes:
        return self.key(f"enc|{place.table}|{place.column}")


def _context(owner: Owner, customer_id: str) -> bytes:
    return f"ga-sync data key|{owner.kind}|{owner.id}|{customer_id}".encode()


class Keyring:
    """The keyring store and its key-encryption key."""

    def __init__(
        self,
        store: Store,
        kek: Kek,
        random: Random,
        monotonic: Callable[[], float],
        alarm: Alarm = _nobody,
        messages: Messages | None = None,
    ) -> None:
        """The keys in ``store``; ``alarm`` is told the place of every value that does not open there."""
        self._store, self._kek, self._random, self._monotonic = store, kek, random, monotonic
        self._alarm = alarm
        self._cache: dict[Owner, tuple[float, Sealer]] = {}
        self._lock = threading.Lock()
        self._destructions = 0
        self.forgets = Forgets(store, _take_turns)
        self.outcomes = Outcomes(store)
        self.floors = Floors(store)
        self.messages = messages or Messages(store)

    def initialise(self, now: datetime) -> str:
        """Give the store its id and the system's own keys.

        Raises:
            KeyringExists: it has them already.
        """
        with self._store.transaction() as session:
            if session.get(KeyringFact, KEYRING_ID) is not None:
                raise KeyringExists("the keyring is initialised already; it is never overwritten")
            keyring_id = self._random(16).hex()
            session.add(KeyringFact(name=KEYRING_ID, value=keyring_id))
            for owner in (SYSTEM, OUTBOX):
                session.add(self._new_key(session, owner, SYSTEM_CUSTOMER, now))
        return keyring_id

    def keyring_id(self) -> str:
        """The keyring's id, after proof that the key-encryption key is the right one.

        Raises:
            KeyringMissing: not initialised.
            KekUnusable: the key is absent or another one.
            DBAPIError: the store does not answer, which is no reason to make a new one.
        """
        with self._store.reading() as session:
            made = inspect(session.connection()).has_table(KeyringFact.__tablename__)
            fact = session.get(KeyringFact, KEYRING_ID) if made else None
        if fact is None:
            raise KeyringMissing("there is no keyring yet: run `ga-sync keyring init`")
        self.sealer(SYSTEM)
        return fact.value

    def create(self, owner: Owner, customer_id: str, now: datetime) -> Sealer:
        """Make, wrap and store a new data key.

        Raises:
            DataKeyGone: the owner's key was destroyed; it is never made anew.
            IntegrityError: the owner has a key.
        """
        with self._store.transaction() as session:
            _take_turns(session)
            if session.get(Tombstone, (owner.kind, owner.id)) is not None:
                raise DataKeyGone(f"the key of {owner.kind} {owner.id} was destroyed and is never made anew")
            session.add(self._new_key(session, owner, customer_id, now))
        return self.sealer(owner)

    def held(self, owner: Owner) -> Sealer | None:
        """The sealer of an owner if it is in memory, and not too old: without a look at the store."""
        held = self._cache.get(owner)
        return held[1] if held is not None and held[0] > self._monotonic() else None

    def sealer(self, owner: Owner) -> Sealer:
        """The sealer of an owner.

        Raises:
            DataKeyGone: the key was destroyed or never made.
            KekUnusable: it cannot be unwrapped.
        """
        while (held := self.held(owner)) is None:
            destructions, sealer = self._destructions, self._read(owner)
            with self._lock:
                # A key may have been destroyed while it was unwrapped: then look again instead of keeping it.
                if destructions == self._destructions:
                    self._cache[owner] = (self._monotonic() + CACHE_SECONDS, sealer)
                    return sealer
        return held

    def _read(self, owner: Owner) -> Sealer:
        with self._store.reading() as session:
            row = newest(session, owner.kind, owner.id)
        if row is None:
            with self._lock:
                self._cache.pop(owner, None)
            raise DataKeyGone(f"the key of {owner.kind} {owner.id} is gone")
        return Sealer(row.dek_id, self._unwrap(owner, row), self._random, self._alarm, self.messages.take)

    def destroy(self, owners: Iterable[Owner], customer_id: str, now: datetime) -> bool:
        """Destroy keys and bury their owners, in one transaction; safe to repeat.

        From here on nobody gets the keys. True when their wrapped form has left every file of the store too; False
        while a reader holds up SQLite's write-ahead log: repeat it later.
        """
        owners = list(owners)
        try:
            with self._store.transaction() as session:
                _take_turns(session)
                for owner in owners:
                    _bury(session, owner, customer_id, now)
        finally:  # also where the answer to the commit was lost
            self.forget_cached(owners)
        return self._store.checkpoint()

    def clean(self) -> bool:
        """Let what was destroyed leave every file, where a reader held that up; as :meth:`destroy`."""
        return self._store.checkpoint()

    def buried(self) -> set[Owner]:
        """Everything that was ever destroyed."""
        with self._store.reading() as session:
            rows = session.execute(select(Tombstone.object_kind, Tombstone.object_id))
            return {Owner(kind, object_id) for kind, object_id in rows}

    def counts(self) -> dict[str, int]:
        """How many data keys and tombstones there are."""
        with self._store.reading() as session:
            keys = session.scalar(select(func.count()).select_from(DataKey)) or 0
            tombstones = session.scalar(select(func.count()).select_from(Tombstone)) or 0
        return {"data_keys": keys, "tombstones": tombstones}

    def forget_cached(self, owners: Iterable[Owner]) -> None:
        """Drop unwrapped keys from memory, also those that are being unwrapped now."""
        with self._lock:
            self._destructions += 1
            for owner in owners:
                self._cache.pop(owner, None)

    def describe_kek(self) -> str:
        """Where the key-encryption key lives."""
        return self._kek.describe()

    def rewrapped(self, owner: Owner, row: DataKey, version: int) -> tuple[int, bytes]:
        """A data key of this store, wrapped under another version of the key-encryption key. Raises KekUnusable."""
        return self._kek.wrap(self._unwrap(owner, row), _context(owner, row.customer_id), version)

    def take_turns(self, session: Session) -> None:
        """Wait, in a transaction of the keyring store, for whoever makes or destroys keys now."""
        _take_turns(session)

    def _new_key(self, session: Session, owner: Owner, customer_id: str, now: datetime) -> DataKey:
        data_key, primary = self._random(KEY_BYTES), session.get(KeyringFact, KEK_PRIMARY)
        chosen = int(primary.value) if primary is not None else None
        version, wrapped = self._kek.wrap(data_key, _context(owner, customer_id), chosen)
        return DataKey(
            owner_kind=owner.kind,
            owner_id=owner.id,
            customer_id=customer_id,
            version=1,
            kek_version=version,
            wrapped=wrapped,
            check_value=derive(data_key, "kcv", 16),
            created_at=now,
        )

    def _unwrap(self, owner: Owner, row: DataKey) -> bytes:
        data_key = self._kek.unwrap(row.kek_version, row.wrapped, _context(owner, row.customer_id))
        if not hmac.compare_digest(derive(data_key, "kcv", 16), row.check_value):
            raise KekUnusable("a data key does not match its check value: restore the keyring store")
        return data_key


def _take_turns(session: Session) -> None:
    """Wait for whoever makes or destroys keys now: no key is made while its owner is being buried."""
    session.get(KeyringFact, KEYRING_ID, with_for_update=True)


def _bury(session: Session, owner: Owner, customer_id: str, now: datetime) -> None:
    session.execute(delete(DataKey).where(DataKey.owner_kind == owner.kind, DataKey.owner_id == owner.id))
    if owner.kind == LINK:
        session.execute(delete(Forget).where(Forget.link_id == owner.id))
    if session.get(Tombstone, (owner.kind, owner.id)) is None:
        session.add(
            Tombstone(object_kind=owner.kind, object_id=owner.id, customer_id=customer_id, buried_at=now)
        )
