"""Column types: times with zones, boxes and nothing else."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from models.base import SealedBytes, UtcDateTime
from models.job import Lease
from models.revocation import Revocation
from models.sealed import Sealed
from models.session import Store
from tests.clock import NOON

KATHMANDU = timezone(timedelta(hours=5, minutes=45))
NAIVE = datetime(2026, 11, 23, 12)  # noqa: DTZ001 -- that is the point


def store_lease(store: Store, until: datetime) -> None:
    with store.transaction() as session:
        session.add(Lease(name="l", owner="o", until=until))


def stored_until(store: Store) -> datetime:
    with store.reading() as session:
        return session.scalars(select(Lease.until)).one()


@pytest.mark.parametrize("microsecond", [0, 1, 999999])
def test_an_instant_comes_back_in_utc_to_the_microsecond(data: Store, microsecond: int) -> None:
    moment = NOON.replace(microsecond=microsecond)
    store_lease(data, moment.astimezone(KATHMANDU))
    assert stored_until(data) == moment
    assert stored_until(data).tzinfo is UTC


def test_a_time_without_a_zone_is_not_stored(data: Store) -> None:
    with pytest.raises(StatementError, match="time zone"):
        store_lease(data, NAIVE)


def test_instants_are_compared_as_instants(data: Store) -> None:
    store_lease(data, NOON)
    for moment, expected in ((NOON, ["l"]), (NOON - timedelta(microseconds=1), [])):
        with data.reading() as session:
            where = Lease.until <= moment.astimezone(KATHMANDU)
            assert list(session.scalars(select(Lease.name).where(where))) == expected


def test_nothing_stays_nothing(data: Store) -> None:
    dialect = data.engine.dialect
    for kind in (UtcDateTime(), SealedBytes()):
        assert kind.process_bind_param(None, dialect) is None
        assert kind.process_result_value(None, dialect) is None


def test_a_box_comes_back_as_the_same_box(data: Store) -> None:
    with data.transaction() as session:
        session.add(Revocation(grant_id="g", customer_id="c", token=Sealed(b"\0\xff"), deadline=NOON))
    with data.reading() as session:
        assert session.scalars(select(Revocation.token)).one() == Sealed(b"\0\xff")


@pytest.mark.parametrize("plain", ["canary", b"canary"])
def test_a_plain_value_is_not_stored_in_a_sealed_column_and_not_quoted(data: Store, plain: object) -> None:
    def store_plain() -> None:
        with data.transaction() as session:
            session.add(Revocation(grant_id="g", customer_id="c", token=plain, deadline=NOON))

    with pytest.raises(StatementError, match="only sealed values") as caught:
        store_plain()
    assert "canary" not in str(caught.value)
