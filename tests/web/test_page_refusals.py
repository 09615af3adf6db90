"""Our errors as pages: each with its status, a sentence, and nothing of what a database or a keyring said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.response import Template
from sqlalchemy.exc import OperationalError

from ga_sync.accounts.errors import Invalid, InvitationGone, NotFound, Refusal, SlowDown, Unavailable
from ga_sync.accounts.proof import Proof
from ga_sync.index.errors import InvalidWindow
from ga_sync.web import guest
from ga_sync.web.admin.fleet import _view
from ga_sync.web.customer.offers import MOST_REMEMBERED, Offers
from ga_sync.web.refusals import PAGE_HANDLERS, Forged, NoPass
from models.errors import DataKeyGone, KekUnusable
from tests.web.bench import ACME, House

SECRET = "secret of the store"
REQUEST: Any = None


def _told(error: Exception) -> tuple[int, str, dict[str, str]]:
    handler = next(PAGE_HANDLERS[kind] for kind in type(error).__mro__ if kind in PAGE_HANDLERS)
    page: Template = handler(REQUEST, error)
    assert page.status_code is not None
    return page.status_code, repr(page.context), dict(page.headers)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (NoPass(), 403, "another browser"),
        (Forged(), 403, "Nothing was changed"),
        (NotFound("there is no such link"), 404, "There is no such link."),
        (InvitationGone("ask for a new one"), 404, "This address does not work"),
        (InvalidWindow("from lies after to!"), 422, "From lies after to!"),
        (DataKeyGone("gone"), 404, "removed in this moment"),
        (OperationalError(SECRET, {}, Exception(SECRET)), 503, "Try again in a minute"),
        (KekUnusable(SECRET), 503, "operators have been told"),
    ],
)
def test_every_refusal_is_a_page_that_says_what_to_do(error: Exception, status: int, says: str) -> None:
    code, context, _ = _told(error)
    assert code == status
    assert says in context
    assert SECRET not in context


@pytest.mark.parametrize("error", [SlowDown("wait", 30), Unavailable("later", 30)])
def test_a_refusal_that_passes_says_when(error: Refusal) -> None:
    assert _told(error)[2]["retry-after"] == "30"


def test_a_pass_of_a_grant_that_never_was_opens_nothing(shared_house: House) -> None:
    cookie = guest.issue(shared_house.service, "no-such-grant")
    client = shared_house.client
    headers = {"cookie": f"{cookie.key}={cookie.value}"}
    assert client.get("/connect/no-such-grant", headers=headers).status_code == 403


def test_people_get_a_page_where_there_is_none_and_programs_a_problem(shared_house: House) -> None:
    client = shared_house.client
    person = client.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert (person.status_code, "There is no such page" in person.text) == (404, True)
    for path, accept in (("/nowhere", "*/*"), ("/v1/nowhere", "text/html")):
        program = client.get(path, headers={"accept": accept})
        assert program.status_code == 404
        assert program.json()["type"] == "/problems/not-found"


def test_a_link_that_is_removed_in_this_moment_is_left_out(shared_house: House) -> None:
    assert _view(shared_house.service, "nobody", ACME) is None


def test_a_parameter_that_cannot_exist_is_refused_before_google_is_asked(fresh: House) -> None:
    service = fresh.service
    grant_id = fresh.consent()
    proof = Proof(service.linking, service.google, service.clock)
    with pytest.raises(Invalid):
        proof.seen_yesterday(grant_id, ACME, fresh.property_of(grant_id), "a:b")
    assert not any(asked["method"] == "RunReport" for asked in fresh.requests())


class FakeLinking:
    """Offers one property to every grant, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def properties(self, grant_id: str, customer_id: str) -> list[dict[str, str]]:
        self.asked += 1
        return [{"property": f"properties/{grant_id}", "customer": customer_id}]


def test_only_so_many_lists_are_remembered_the_oldest_goes_first() -> None:
    linking, now = FakeLinking(), datetime(2026, 11, 23, tzinfo=UTC)
    offers = Offers(linking, lambda: now)  # type: ignore[arg-type]
    for number in range(MOST_REMEMBERED + 1):
        offers.properties(str(number), ACME)
    offers.properties(str(MOST_REMEMBERED), ACME)
    assert linking.asked == MOST_REMEMBERED + 1
    offers.properties("0", ACME)
    assert linking.asked == MOST_REMEMBERED + 2
    offers.forget("0")
    offers.forget("nobody")
    offers.properties("0", ACME)
    assert linking.asked == MOST_REMEMBERED + 3
    later = Offers(linking, lambda: now + timedelta(days=1))  # type: ignore[arg-type]
    assert later.properties("0", ACME)[0]["property"] == "properties/0"
