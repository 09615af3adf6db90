"""The shape of a property's reports is found by probes when it is linked."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from google.analytics import data_v1beta as data

from ga_sync.accounts.errors import DimensionUnknown
from ga_sync.accounts.linking import Linking
from ga_sync.analytics.answers import ReportPage
from ga_sync.analytics.client import Google, Property
from ga_sync.analytics.errors import Incompatible
from ga_sync.bootstrap import new_id
from models.link import Link
from tests.web.bench import ACME, PARAMETER, House

TWO = 2


@dataclass
class Choosy:
    """The house's Google, but of a mind about which columns go together."""

    google: Google
    refuses: Callable[[int], bool]

    def property(self, token: str, name: str) -> Property:
        return self.google.property(token, name)

    def run_report(self, token: str, request: data.RunReportRequest) -> ReportPage:
        if self.refuses(len(request.dimensions)):
            raise Incompatible("The request's dimensions & metrics are incompatible.", "run_report")
        return self.google.run_report(token, request)


def linked(house: House, refuses: Callable[[int], bool]) -> str:
    """The shape of the link that comes out of it."""
    service = house.service
    google: Google = Choosy(service.google, refuses)  # type: ignore[assignment]  # linking asks for nothing else
    linking = Linking(
        service.stores.data,
        service.keyring,
        google,
        service.tokens,
        service.links,
        clock=house.clock,
        new_id=new_id,
        backfill_days=3,
    )
    grant_id = house.consent()
    wish = linking.wish(grant_id, house.property_of(grant_id), PARAMETER, None)
    view, _ = linking.create(wish, ACME, "test")
    with service.stores.data.reading() as session:
        row = session.get(Link, view["link_id"])
        assert row is not None
        return row.request_shape


def test_both_dimensions_at_once_where_google_takes_them(fresh: House) -> None:
    assert linked(fresh, lambda _columns: False) == "together"


def test_one_audience_at_a_time_where_it_does_not_and_linking_again_asks_anew(fresh: House) -> None:
    assert linked(fresh, lambda columns: columns == TWO) == "apart"
    assert linked(fresh, lambda _columns: False) == "together"


def test_where_neither_goes_the_link_is_refused(fresh: House) -> None:
    with pytest.raises(DimensionUnknown):
        linked(fresh, lambda _columns: True)
