"""Making links: what a grant's Google account can see, and a real report before a property is called linked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.accounts.errors import (
    Conflict,
    DimensionUnknown,
    Invalid,
    NotFound,
    PropertyUnreadable,
    Unavailable,
)
from ga_sync.accounts.links import Links
from ga_sync.accounts.names import LONGEST_LABEL, check_property
from ga_sync.accounts.queue import wake, wanted_run
from ga_sync.accounts.views import View
from ga_sync.analytics import errors as google_errors
from ga_sync.analytics import requests
from ga_sync.analytics.client import Google, Property
from ga_sync.sync.links import APART, TOGETHER
from ga_sync.sync.window import first_day, local_day
from models.audit import append
from models.grant import Grant, GrantStatus
from models.keyring import SYSTEM, Keyring, Owner
from models.link import Link, LinkStatus
from models.session import Store
from oauth.errors import GrantError, OauthError, OurFault
from oauth.tokens import Tokens

log = structlog.get_logger()
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new link should be."""

    grant_id: str
    property: str
    parameter_name: str
    retention_days: int


class Linking:
    """Makes links."""

    def __init__(
        self,
        data: Store,
        keyring: Keyring,
        google: Google,
        tokens: Tokens,
        links: Links,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        backfill_days: int,
    ) -> None:
        self._data, self._keyring, self._google, self._tokens = data, keyring, google, tokens
        self._links, self._clock, self._new_id = links, clock, new_id
        self._backfill_days = backfill_days

    def wish(
        self, grant_id: str, property_name: str, parameter_name: str, retention_days: int | None
    ) -> Wish:
        """Check the values of a new link. Raises Invalid."""
        if not parameter_name or len(parameter_name) > LONGEST_LABEL:
            raise Invalid("parameter_name must be the event parameter's name, such as sessioncam_id")
        kept = self._links.check_retention(retention_days)
        return Wish(grant_id, check_property(property_name), parameter_name, kept)

    def create(self, wish: Wish, customer_id: str, actor: str) -> tuple[View, bool]:
        """The link's view, and whether it is new; probed with a real report first.

        Raises:
            Conflict: the grant is not active.
            PropertyUnreadable, DimensionUnknown: Google's answer to the probe.
            Unavailable: Google failed.
        """
        self._require_active(wish.grant_id, customer_id)
        facts, shape = self._probe(wish)
        existing = self._existing(wish, customer_id)
        if existing is None:
            try:
                return self._links.view(
                    self._insert(wish, facts, shape, customer_id, actor), customer_id
                ), True
            except IntegrityError:  # somebody was faster
                existing = self._existing(wish, customer_id)
                if existing is None:
                    raise
        self._adopt(existing, wish.grant_id, shape, customer_id, actor)
        return self._links.view(existing, customer_id), False

    def _require_active(self, grant_id: str, customer_id: str) -> Grant:
        with self._data.reading() as session:
            grant = store.grant(session, grant_id, customer_id)
        if grant is None:
            raise NotFound("there is no such grant for this key")
        if grant.status != GrantStatus.ACTIVE:
            raise Conflict(f"the grant is {grant.status}: finish or repeat the consent first")
        return grant

    def _probe(self, wish: Wish) -> tuple[Property, str]:
        """The property, and the shape in which it answers reports."""
        return self._asked(wish.grant_id, lambda token: self._probe_with(token, wish))

    def _asked(self, grant_id: str, ask: Callable[[str], _Answer]) -> _Answer:
        """Google's answer to a call with an access token; a refused token is renewed once."""
        with self._google_answers(grant_id):
            token = self._tokens.access_token(grant_id)
            try:
                return ask(token)
            except google_errors.Unauthenticated:
                return ask(self._tokens.access_token(grant_id, refused=token))

    def _probe_with(self, token: str, wish: Wish) -> tuple[Property, str]:
        facts = self._google.property(token, wish.property)
        yesterday = local_day(self._clock(), facts.time_zone) - timedelta(days=1)
        try:
            together = requests.probe(wish.property, wish.parameter_name, yesterday)
            apart = requests.probe_alone(wish.property, wish.parameter_name, yesterday)
        except ValueError as error:
            raise Invalid(str(error)) from error
        try:
            self._google.run_report(token, together)
        except google_errors.Incompatible:
            self._google.run_report(token, apart)
            return facts, APART
        return facts, TOGETHER

    @contextmanager
    def _google_answers(self, grant_id: str) -> Iterator[None]:
        """Google's refusals while a person waits, as ours."""
        try:
            yield
        except (google_errors.PropertyForbidden, google_errors.NotFound) as error:
            raise PropertyUnreadable(error.action) from error
        except (google_errors.DimensionUnknown, google_errors.Incompatible) as error:
            raise DimensionUnknown(error.action) from error
        except google_errors.ScopeInsufficient as error:
            raise Conflict(error.action) from error
        except GrantError as error:
            raise Conflict(str(error)) from error
        except (google_errors.AnalyticsError, OauthError) as error:
            raise _unavailable(error, grant_id) from error

    def _reference(self, customer_id: str, wish: Wish) -> bytes:
        return self._keyring.sealer(SYSTEM).blind(
            "link", f"{customer_id}\n{wish.property}\n{wish.parameter_name}"
        )

    def property_reference(self, property_name: str) -> bytes:
        """What finds every link of one property without naming it."""
        return self._keyring.sealer(SYSTEM).blind("property", property_name)

    def _existing(self, wish: Wish, customer_id: str) -> str | None:
        with self._data.reading() as session:
            found = store.link_by_reference(session, self._reference(customer_id, wish))
            return None if found is None else found.link_id

    def _insert(self, wish: Wish, facts: Property, shape: str, customer_id: str, actor: str) -> str:
        now, link_id = self._clock(), self._new_id()
        sealer = self._keyring.create(Owner("link", link_id), customer_id, now)
        row = Link(
            link_id=link_id,
            customer_id=customer_id,
            grant_id=wish.grant_id,
            unique_ref=self._reference(customer_id, wish),
            property_ref=self.property_reference(wish.property),
            time_zone=facts.time_zone,
            service_level=facts.service_level,
            request_shape=shape,
            status=LinkStatus.ACTIVE,
            retention_days=wish.retention_days,
            created_at=now,
            first_day=first_day(local_day(now, facts.time_zone), self._backfill_days),
        )
        row.property = sealer.seal(row.place("property"), wish.property.encode())
        row.display_name = sealer.seal(row.place("display_name"), facts.display_name.encode())
        row.parameter_name = sealer.seal(row.place("parameter_name"), wish.parameter_name.encode())
        try:
            self._store(row, actor)
        except Exception:  # nothing was stored: nothing is left of its key either
            self._keyring.destroy([Owner("link", link_id)], customer_id, now)
            raise
        return link_id

    def _store(self, row: Link, actor: str) -> None:
        with self._data.transaction() as session:
            wake(session, row.link_id, row.customer_id, row.created_at, self._new_id)
            grant = self._held_grant(session, row.grant_id, row.customer_id)
            grant.purge_at = None
            session.add(row)
            session.flush()
            wanted_run(session, row, row.created_at, self._new_id)
            append(session, row.created_at, actor, "link.create", row.link_id, row.customer_id)

    def _held_grant(self, session: Session, grant_id: str, customer_id: str) -> Grant:
        """The grant, active and locked. Raises Conflict."""
        grant = store.grant(session, grant_id, customer_id, lock=True)
        if grant is None or grant.status != GrantStatus.ACTIVE:
            raise Conflict("the grant was revoked meanwhile: make a new one")
        return grant

    def _adopt(self, link_id: str, grant_id: str, shape: str, customer_id: str, actor: str) -> None:
        """A link whose own grant is dead moves to the grant it was asked for under; a broken one is tried again."""
        with self._data.transaction() as session:
            wake(session, link_id, customer_id, self._clock(), self._new_id)
            grant = self._held_grant(session, grant_id, customer_id)
            row = store.any_link(session, link_id, customer_id, lock=True)
            if row is None or row.status == LinkStatus.REMOVED:
                raise Conflict("the link was removed meanwhile: ask again")
            own = store.grant(session, row.grant_id, customer_id)
            moves = own is None or own.status != GrantStatus.ACTIVE
            if moves:
                row.grant_id, grant.purge_at = grant_id, None
            row.request_shape = shape
            if row.status == LinkStatus.BROKEN:
                row.status, row.reason = LinkStatus.ACTIVE, None
            if row.status != LinkStatus.PAUSED:
                wanted_run(session, row, self._clock(), self._new_id)
            if moves:
                append(session, self._clock(), actor, "link.move", link_id, customer_id)

    def properties(self, grant_id: str, customer_id: str) -> list[View]:
        """What the grant's Google account can see."""
        self._require_active(grant_id, customer_id)
        found = self._asked(grant_id, lambda token: list(self._google.account_summaries(token)))
        references = {item.property: self.property_reference(item.property) for item in found}
        with self._data.reading() as session:
            linked = store.linked(session, customer_id, list(references.values()))
        return [
            {
                "property": item.property,
                "display_name": item.display_name,
                "account": item.account,
                "linked": linked.get(references[item.property]),
            }
            for item in found
        ]

    def asked(self, grant_id: str, customer_id: str, ask: Callable[[str], _Answer]) -> _Answer:
        """Google's answer to a question under an active grant; its refusals as ours. Raises as :meth:`create`."""
        self._require_active(grant_id, customer_id)
        return self._asked(grant_id, ask)

    def dimensions(self, grant_id: str, property_name: str, customer_id: str) -> list[View]:
        """The property's event-scoped custom dimensions, the likeliest one suggested."""
        self._require_active(grant_id, customer_id)
        check_property(property_name)
        listed = self._asked(
            grant_id, lambda token: list(self._google.custom_dimensions(token, property_name))
        )
        found = [item for item in listed if item.scope == "EVENT"]
        likely = suggested([item.parameter_name for item in found])
        return [
            {
                "parameter_name": item.parameter_name,
                "display_name": item.display_name,
                "suggested": item.parameter_name == likely,
            }
            for item in found
        ]


def _unavailable(error: Exception, grant_id: str) -> Unavailable:
    """Nobody's fault who waits; where it is ours, operators hear of it."""
    if isinstance(error, OurFault) or getattr(error, "blames", None) == "ours":
        log.error("google_refuses_us", grant_id=grant_id, error=type(error).__name__)
        return Unavailable("Google does not accept our request; the operators have been told", 300)
    return Unavailable("Google could not answer; try again in a minute", 60)


def suggested(names: list[str]) -> str | None:
    """The parameter that most likely carries the recording id: by its name, or the only one there is."""
    for word in ("sessioncam", "recording", "session", "replay"):
        for name in names:
            if word in name.lower():
                return name
    return names[0] if len(names) == 1 else None
