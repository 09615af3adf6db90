"""What the services refuse by themselves, whoever asks them past the doors."""

import json

import pytest

from ga_sync.accounts import store
from ga_sync.accounts.errors import Invalid, NotFound
from ga_sync.accounts.export import Exports
from ga_sync.accounts.generation import Window
from tests.web.bench import ACME, GLOBEX, Shared


def test_another_customers_link_is_not_there(shared: Shared) -> None:
    service, link = shared.house.service, shared.link_id
    window = Window()
    for ask in (
        lambda: service.recordings.query(link, GLOBEX, {"segment": "1"}, window, 1, None),
        lambda: service.recordings.segments(link, GLOBEX),
        lambda: service.recordings.members_by_day(link, GLOBEX),
        lambda: service.links.view(link, GLOBEX),
    ):
        with pytest.raises(NotFound):
            ask()


def test_counting_by_something_else_is_refused(shared: Shared) -> None:
    segment = next(iter(shared.inside()))
    with pytest.raises(Invalid):
        shared.house.service.recordings.count(
            shared.link_id, ACME, {"segment": segment}, Window(), "month", None
        )


def test_links_may_be_listed_without_doors(shared: Shared) -> None:
    listed = shared.house.service.links.listed(ACME, store.Page("", 10))
    assert shared.link_id in [link["link_id"] for link in listed]


def test_an_export_is_the_same_whatever_the_size_of_its_reads(shared: Shared) -> None:
    service = shared.house.service
    made = [
        json.loads(
            b"".join(
                Exports(
                    service.stores.data,
                    service.links,
                    service.recordings,
                    clock=shared.house.clock,
                    at_once=size,
                ).document(ACME)
            )
        )
        for size in (1, 2, 500)
    ]
    assert made[0] == made[1] == made[2]
    assert len(made[0]["audit"]) >= 2
