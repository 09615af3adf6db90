"""A usable access token, now: held in memory only, renewed before it ends, one renewal at a time per grant.

Every call reads the grant's row first, so that no token is handed out once the grant is revoked, reconnected or
given up, whichever process did it. Lives are measured on the monotonic clock from the moment of asking.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.grant import Grant, GrantStatus
from models.keyring import Keyring
from models.sealed import Secret
from models.session import Store
from oauth import places, protocol, store
from oauth.errors import GrantDead, GrantNotUsable, GrantUnknown, OurFault, TryLater
from oauth.google import Google
from oauth.protocol import TokenAnswer

DEAD_LIFE = timedelta(days=30)
"""How long a dead grant is kept before it is purged as if revoked."""
RENEW_AT = 0.8
"""The share of its life after which an access token is renewed."""
PAUSE_SECONDS = 60.0
"""How long a token that still lives is used on before Google, which did not answer, is asked again."""
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Held:
    """An access token in memory, and the token it came from; times are monotonic seconds."""

    token: Secret
    generation: int
    renew_at: float
    ends_at: float

    def serves(self, generation: int, refused: str | None, until: float, now: float) -> bool:
        return self.generation == generation and self.token.reveal() != refused and now < until


class Tokens:
    """Access tokens of every grant; ``monotonic`` gives seconds that never go back."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        google: Google,
        *,
        client_id: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._data, self._keyring, self._google = data, keyring, google
        self._client_id, self._clock, self._monotonic = client_id, clock, monotonic
        self._held: dict[str, _Held] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def access_token(self, grant_id: str, *, refused: str | None = None) -> str:
        """An access token for a call that is made now; ``refused`` is one that Google answered 401 to.

        Raises:
            GrantUnknown: there is no such grant.
            GrantNotUsable: it is pending, failed, being revoked or revoked.
            GrantDead: Google ended the permission; the grant is ``reconsent_required``.
            ScopeMissing, ScopeWider: the permission is not what was asked; the answer was discarded.
            OurFault: Google refuses our client, or the grant belongs to another one.
            TryLater: Google did not answer usefully.
            models.errors.ModelsError: the stored token does not open.
        """
        with self._alone(grant_id):
            grant = self._usable(grant_id)
            held = self._held.get(grant_id)
            now = self._monotonic()
            if held is not None and held.serves(grant.token_generation, refused, held.renew_at, now):
                return held.token.reveal()
            try:
                return self._renew(grant)
            except TryLater:
                if held is None or not held.serves(grant.token_generation, refused, held.ends_at, now):
                    raise
                return self._used_on(grant_id, held)

    def keep_alive(self, grant_id: str) -> None:
        """Ask Google for a new access token whatever is held: a revocation there is noticed here.

        Raises:
            As :meth:`access_token`.
        """
        with self._alone(grant_id):
            self._renew(self._usable(grant_id))

    def forget(self, grant_id: str) -> None:
        """Drop what is held of a grant, without waiting for a renewal that is under way."""
        self._held.pop(grant_id, None)

    def _alone(self, grant_id: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(grant_id, threading.Lock())

    def _usable(self, grant_id: str) -> Grant:
        with self._data.reading() as session:
            grant = store.grant(session, grant_id)
        if grant is None:
            raise GrantUnknown
        if grant.status != GrantStatus.ACTIVE or grant.token is None:
            self._held.pop(grant_id, None)
            if grant.status == GrantStatus.RECONSENT_REQUIRED:
                raise GrantDead(grant.reason or "invalid_grant")
            raise GrantNotUsable(grant.status)
        return grant

    def _renew(self, grant: Grant) -> str:
        """Ask Google; where another process changed the grant meanwhile, ask anew with what is there now."""
        for _ in range(_ROUNDS):
            token = self._renew_once(grant)
            if token is not None:
                return token
            grant = self._usable(grant.grant_id)
        raise TryLater("the grant keeps changing")

    def _renew_once(self, grant: Grant) -> str | None:
        """An access token; None where this refresh token is no longer the grant's."""
        refresh_token = self._opened(grant)
        if refresh_token is None:
            return None
        asked_at = self._monotonic()
        try:
            answer = self._google.refresh(refresh_token)
        except GrantDead as dead:
            self._held.pop(grant.grant_id, None)
            if self._gave_up(grant, dead.reason):
                raise
            return None
        generation = self._kept(grant, answer, refresh_token)
        return None if generation is None else self._hold(grant.grant_id, answer, generation, asked_at)

    def _opened(self, grant: Grant) -> Secret | None:
        """The grant's refresh token; only the client that it was given to may use it. None where it was just replaced.

        It is opened as one of the newest generation that was ever committed: an older row put back does not open.
        """
        if grant.client_id != self._client_id:
            raise OurFault("client_id")
        assert grant.token is not None
        floor = self._keyring.floors.of(places.GRANT, grant.grant_id)
        if grant.token_generation < floor and self._usable(grant.grant_id).token_generation >= floor:
            return None
        newest = max(grant.token_generation, floor)
        place = places.grant_token(grant.customer_id, grant.grant_id, newest)
        sealer = self._keyring.sealer(places.grant_owner(grant.grant_id))
        opened = Secret(sealer.open(place, grant.token).decode("ascii"))
        self._keyring.floors.rise(places.GRANT, grant.grant_id, newest)
        return opened

    def _gave_up(self, grant: Grant, reason: str) -> bool:
        """A grant that is purged sooner anyway (it has no links) keeps that date."""
        purge_at = self._clock() + DEAD_LIFE
        if grant.purge_at is not None:
            purge_at = min(purge_at, grant.purge_at)
        with self._data.transaction() as session:
            return store.mark_dead(session, grant.grant_id, grant.token_generation, reason, purge_at)

    def _kept(self, grant: Grant, answer: TokenAnswer, refresh_token: Secret) -> int | None:
        """Note the renewal, and a rotated refresh token; the generation then valid, None where it is not ours.

        An answer without a refresh token, or with the same one, changes no stored token.
        """
        now, generation = self._clock(), grant.token_generation
        ends_at = protocol.ends_at(now, answer) or grant.token_expires_at
        rotated = answer.refresh_token
        if rotated is None or rotated.reveal() == refresh_token.reveal():
            with self._data.transaction() as session:
                noted = store.mark_refreshed(session, grant.grant_id, generation, now, ends_at)
            return generation if noted else None
        place = places.grant_token(grant.customer_id, grant.grant_id, generation + 1)
        sealed = self._keyring.sealer(places.grant_owner(grant.grant_id)).seal(
            place, rotated.reveal().encode("ascii")
        )
        with self._data.transaction() as session:
            replaced = store.replace_token(session, grant.grant_id, generation, sealed, now, ends_at)
        if not replaced:
            return None
        self._keyring.floors.rise(places.GRANT, grant.grant_id, generation + 1)
        return generation + 1

    def _hold(self, grant_id: str, answer: TokenAnswer, generation: int, asked_at: float) -> str:
        life = answer.expires_in
        self._held[grant_id] = _Held(
            answer.access_token, generation, asked_at + RENEW_AT * life, asked_at + life
        )
        return answer.access_token.reveal()

    def _used_on(self, grant_id: str, held: _Held) -> str:
        self._held[grant_id] = replace(held, renew_at=min(held.ends_at, self._monotonic() + PAUSE_SECONDS))
        return held.token.reveal()
