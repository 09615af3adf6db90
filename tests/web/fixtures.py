"""Houses for tests of the doors: one that all share and nobody changes, and fresh ones."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.web.bench import House, HouseMaker, Shared, Template, house, template
from tests.web.line import largest


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def empty_stores(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """Databases of each kind at the newest schema, to copy from."""
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    with template(tmp_path_factory.mktemp("template"), server) as found:
        yield found


@pytest.fixture(scope="session")
def shared(empty_stores: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A link that was synchronised once; ask it, and leave it as it is."""
    with house(empty_stores, tmp_path_factory.mktemp("shared"), backfill=8) as found:
        grant_id = found.consent(user="analytics@agency.example")
        property_name = found.property_of(grant_id)
        link_id = found.link(grant_id)
        rows = [
            {
                "property": property_name,
                "rows": [{"day": "2026-11-21", "user": "odd", "id": odd, "events": 3}],
            }
            for odd in ("nul\0inside", "semi;colon", "z" * 100)
        ]
        for body in rows:
            httpx.post(f"{found.sandbox.control_url}/sessions", json=body).raise_for_status()
        found.work()
        yield Shared(found, grant_id, link_id, property_name)


@pytest.fixture
def warm(shared: Shared) -> Shared:
    """Everything that the whole range needs is worked out, and the keys are at hand."""
    # a count waits for the index, a page only begins it; a page unwraps the link's key
    for what in ("count", "query"):
        shared.house.call("POST", f"{shared.at}/recordings/{what}", {"filter": largest(shared)}, role="store")
    for held in shared.house.service.index._held.values():  # noqa: SLF001 -- nothing that is public waits for it
        held.index.warm()
    return shared


@pytest.fixture
def make_house(empty_stores: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HouseMaker]:
    """Makes houses that the test may turn upside down."""
    with ExitStack() as undo:

        def make(**more: Any) -> House:  # noqa: ANN401
            return undo.enter_context(house(empty_stores, tmp_path_factory.mktemp("house"), **more))

        yield make


@pytest.fixture
def fresh(make_house: HouseMaker) -> House:
    """A house with nothing in it."""
    return make_house()


@pytest.fixture
def shared_house(shared: Shared) -> House:
    """The house of the shared link."""
    return shared.house
