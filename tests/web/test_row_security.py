"""Whoever comes with a customer's key acts for that customer alone, down to the database."""

from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from anyio import to_thread
from sqlalchemy import select

from ga_sync.web.auth import Door, allow
from models.grant import Grant
from tests.web.bench import ACME, GLOBEX, House


def seen(house: House) -> list[str]:
    """Every grant that a query without any condition finds."""
    with house.service.stores.data.reading() as session:
        return sorted(session.scalars(select(Grant.customer_id)))


async def admitted(house: House, customer: str) -> list[str]:
    """What a handler finds behind the door."""
    state = SimpleNamespace(door=Door(house.service))
    connection = SimpleNamespace(
        headers=house.headers("console", customer),
        path_params={},
        query_params={},
        scope={"state": {}, "method": "GET"},
        app=SimpleNamespace(state=state),
    )
    await allow("console")(cast("Any", connection), cast("Any", None))
    return await to_thread.run_sync(seen, house)


def test_a_query_that_forgot_its_customer_finds_the_customers_own_rows(fresh: House) -> None:
    if fresh.service.stores.data.is_sqlite:
        pytest.skip("SQLite has no row-level security: there the queries stand alone")
    for customer in (ACME, GLOBEX):
        fresh.begin(customer)
        fresh.headers("console", customer)
    assert anyio.run(admitted, fresh, ACME) == [ACME]
    assert anyio.run(admitted, fresh, GLOBEX) == [GLOBEX]
    assert anyio.run(admitted, fresh, "*") == [ACME, GLOBEX]
    assert seen(fresh) == [ACME, GLOBEX]
