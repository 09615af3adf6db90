"""Two who link the same at once, and links that vanish while they are linked."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ga_sync import bootstrap
from ga_sync.accounts.errors import Conflict
from ga_sync.accounts.linking import Linking, suggested
from models.data_key import DataKey
from models.run import Run
from tests.web.bench import ACME, PARAMETER, House


def _linking(house: House, new_id: Callable[[], str]) -> Linking:
    service = house.service
    return Linking(
        service.stores.data,
        service.keyring,
        service.google,
        service.tokens,
        service.links,
        clock=house.clock,
        new_id=new_id,
        backfill_days=3,
    )


class Ids:
    """Fresh ids; before one of them something else happens first."""

    def __init__(self, first: Callable[[], object]) -> None:
        self._first: Callable[[], object] | None = first

    def __call__(self) -> str:
        """An id."""
        first, self._first = self._first, None
        if first is not None:
            first()
        return bootstrap.new_id()


def _link_keys(house: House) -> set[str]:
    with house.service.stores.keyring.reading() as session:
        return set(session.scalars(select(DataKey.owner_id).where(DataKey.owner_kind == "link")))


def test_of_two_who_link_the_same_at_once_both_get_the_one_link(fresh: House) -> None:
    grant_id = fresh.consent()
    others: list[str] = []
    linking = _linking(fresh, Ids(lambda: others.append(fresh.link(grant_id))))
    wish = linking.wish(grant_id, "properties/300007001", PARAMETER, None)
    view, new = linking.create(wish, ACME, "test")
    assert (view["link_id"], new) == (others[0], False)
    assert _link_keys(fresh) == set(others)


def test_a_grant_that_is_revoked_while_it_is_linked_leaves_no_key(fresh: House) -> None:
    grant_id = fresh.consent()
    linking = _linking(fresh, Ids(lambda: fresh.call("DELETE", f"/v1/grants/{grant_id}")))
    with pytest.raises(Conflict):
        linking.create(linking.wish(grant_id, "properties/300007001", PARAMETER, None), ACME, "test")
    assert _link_keys(fresh) == set()


def test_a_link_that_is_removed_while_it_is_linked_again_is_a_conflict(fresh: House) -> None:
    grant_id, link_id = fresh.linked(user="user0@agency.example")
    fresh.link(grant_id, 1)
    linking = _linking(fresh, Ids(lambda: fresh.call("DELETE", f"/v1/links/{link_id}")))
    with pytest.raises(Conflict):
        linking.create(linking.wish(grant_id, "properties/300007001", PARAMETER, None), ACME, "test")


def test_another_collision_is_an_error_and_leaves_no_key(fresh: House) -> None:
    grant_id, link_id = fresh.linked(user="user0@agency.example")
    with fresh.service.stores.data.reading() as session:
        taken = session.scalars(select(Run.run_id)).one()
    ids = iter([bootstrap.new_id(), bootstrap.new_id(), taken])
    linking = _linking(fresh, lambda: next(ids))
    wish = linking.wish(grant_id, fresh.property_of(grant_id, 1), PARAMETER, None)
    with pytest.raises(IntegrityError):
        linking.create(wish, ACME, "test")
    assert _link_keys(fresh) == {link_id}


@pytest.mark.parametrize(
    ("names", "likely"),
    [
        ([], None),
        (["a"], "a"),
        (["a", "b"], None),
        (["page", "SessionCam_ID"], "SessionCam_ID"),
        (["replay_id", "session_ref"], "session_ref"),
    ],
)
def test_the_likeliest_parameter(names: list[str], likely: str | None) -> None:
    assert suggested(names) == likely
