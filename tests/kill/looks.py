"""What must hold of any house at any time: it is whole, every seal opens in its place, nothing contradicts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select, text
from sqlalchemy.orm import Session, undefer

from ga_sync.bootstrap import Service
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import decode
from ga_sync.sync.stage import members_of
from models.audit import first_break
from models.change import Change
from models.data_key import DataKey
from models.day import Day, Reading
from models.grant import Grant, GrantStatus
from models.job import Job
from models.keyring import OUTBOX, SYSTEM, Owner
from models.link import Link, LinkStatus
from models.revocation import Revocation
from models.run import Run
from models.segment import Segment
from oauth import places

Members = dict[str, dict[str, set[str]]]


@dataclass
class Findings:
    """What was looked at, and what did not hold."""

    checked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def check(self, invariant: str, where: object = "", *, holds: bool) -> None:
        """One look at one invariant."""
        self.checked[invariant] += 1
        if not holds:
            self.violations.append(f"{invariant}: {where}")


def members(service: Service, link_id: str) -> Members:
    """What the published days of a link say: day → audience → ids."""
    sealer = service.keyring.sealer(Owner("link", link_id))
    with service.stores.data.reading() as session:
        rows = list(_published(session, link_id))
    found = {
        row.day.isoformat(): members_of(decode(sealer.open(row.place(), row.value), sealer.key(LOOKUP)))
        for row in rows
    }
    return {day: {one: set(ids) for one, ids in held.items() if ids} for day, held in found.items()}


def _published(session: Session, link_id: str) -> Iterator[Reading]:
    query = select(Reading).join(Day, Day.reading_id == Reading.reading_id).options(undefer(Reading.value))
    yield from session.scalars(query.where(Day.link_id == link_id))


def look(service: Service, found: Findings) -> None:
    """At everything."""
    with service.stores.data.reading() as session:
        _files(service, session, found)
        found.check("the audit chain is whole", holds=first_break(session) is None)
        grants, links = list(session.scalars(select(Grant))), list(session.scalars(select(Link)))
        _keys(service, grants, links, found)
        for grant in grants:
            _grant(service, session, grant, found)
        for one in links:
            if one.status != LinkStatus.REMOVED:
                _link(service, session, one, found)
        removed = {one.link_id for one in links if one.status == LinkStatus.REMOVED}
        for kind in (Reading, Day, Segment, Change):
            left = removed & set(session.scalars(select(kind.link_id)))
            found.check("of a removed link no row is left", left, holds=not left)


def _files(service: Service, session: Session, found: Findings) -> None:
    if not service.stores.data.is_sqlite:
        return
    with service.stores.keyring.reading() as keyring:
        for one in (session, keyring):
            said = one.scalar(text("PRAGMA integrity_check"))
            found.check("SQLite finds its file whole", said, holds=said == "ok")


def _keys(service: Service, grants: list[Grant], links: list[Link], found: Findings) -> None:
    with service.stores.keyring.reading() as session:
        held = {Owner(row.owner_kind, row.owner_id) for row in session.scalars(select(DataKey))}
    buried = service.keyring.buried()
    found.check("what is buried has no key", buried & held, holds=not buried & held)
    for owner in held:
        service.keyring.sealer(owner)  # raises
        found.check("every key is unwrapped and is the right one", holds=True)
    living = {Owner("link", one.link_id) for one in links if one.status != LinkStatus.REMOVED}
    living |= {Owner("grant", one.grant_id) for one in grants if one.token is not None}
    found.check("what is sealed has its key", living - held, holds=living <= held)


def _grant(service: Service, session: Session, grant: Grant, found: Findings) -> None:
    outbox = session.get(Revocation, grant.grant_id)
    revoking = grant.status in (GrantStatus.REVOKING, GrantStatus.REVOKED)
    found.check("a token is with its grant or in the outbox", holds=not (grant.token and outbox))
    found.check("a revoked grant has no token", holds=not (revoking and grant.token))
    if grant.token is not None:
        place = places.grant_token(grant.customer_id, grant.grant_id, grant.token_generation)
        service.keyring.sealer(places.grant_owner(grant.grant_id)).open(place, grant.token)
        found.check("every seal opens in its place", holds=True)
    if outbox is not None:
        place = places.outbox_token(grant.customer_id, grant.grant_id)
        service.keyring.sealer(OUTBOX).open(place, outbox.token)
        found.check("every seal opens in its place", holds=True)


def _link(service: Service, session: Session, link: Link, found: Findings) -> None:
    sealer = service.keyring.sealer(Owner("link", link.link_id))
    boxes = [(link.place(one), getattr(link, one)) for one in ("property", "display_name", "parameter_name")]
    for row in session.scalars(select(Segment).where(Segment.link_id == link.link_id)):
        boxes += [
            (row.place("segment_id"), row.segment_id),
            (row.place("name", row.name_generation), row.name),
        ]
    query = select(Change).where(Change.link_id == link.link_id).options(undefer(Change.value))
    for change in session.scalars(query):
        boxes.append((change.place(), change.value))
        found.check("no change is of a generation to come", holds=change.generation <= link.generation)
    for place, box in boxes:
        sealer.open(place, box)
        found.check("every seal opens in its place", holds=True)
    readings = {row.reading_id: row for row in _published(session, link.link_id)}
    for reading in readings.values():
        held = decode(sealer.open(reading.place(), reading.value), sealer.key(LOOKUP))
        counts = len(held.ids), sum(len(one) for one in held.segments.values())
        right = counts == (reading.recordings, reading.memberships)
        found.check("a day's counts are what it holds", f"{reading.day}: {counts}", holds=right)
        found.check("what is shown is published", holds=reading.published)
    named = set(
        session.scalars(
            select(Day.reading_id).where(Day.link_id == link.link_id, Day.reading_id.is_not(None))
        )
    )
    found.check("every day that is held has its reading", holds=named == set(readings))
    shown = select(Reading.reading_id).where(Reading.link_id == link.link_id, Reading.published)
    found.check("what is published is shown", holds=set(session.scalars(shown)) == set(readings))


def settled(service: Service, found: Findings) -> None:
    """At what must not be left once the worker has done its work."""
    with service.stores.keyring.reading() as keyring, service.stores.data.reading() as session:
        needed = set(session.scalars(select(Grant.grant_id).where(Grant.token.is_not(None))))
        needed |= set(session.scalars(select(Link.link_id).where(Link.status != LinkStatus.REMOVED)))
        query = select(DataKey.owner_id).where(DataKey.owner_kind != SYSTEM.kind)
        spare = set(keyring.scalars(query)) - needed
        # A key is made before the row that needs it: a kill between leaves one that has sealed nothing.
        found.check("at most one key was made for nothing", spare, holds=len(spare) <= 1)
        staged = list(session.scalars(select(Reading.reading_id).where(~Reading.published)))
        found.check("no staged reading is left", staged, holds=not staged)
        jobs = list(session.scalars(select(Job.kind).where(Job.kind.in_(("revoke", "bury")))))
        found.check("no destruction is left half done", jobs, holds=not jobs)
        runs = list(session.scalars(select(Run.status).where(Run.status.in_(("queued", "running")))))
        found.check("no run is left half done", runs, holds=not runs)
        left = list(session.scalars(select(Revocation.grant_id)))
        found.check("no token is left in the outbox", left, holds=not left)
