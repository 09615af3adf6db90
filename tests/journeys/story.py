"""Who takes part in the story, and what must hold at every turn of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from tests.journeys.doors import Api
from tests.journeys.processes import Machine, Process
from tests.journeys.truth import Control, Truth


@dataclass
class Customer:
    """A customer with a Google account, one property and, once it has said yes, a link."""

    name: str
    account: str
    property: str
    parameter: str
    api: Api
    store: Api
    grant_id: str = ""
    link_id: str = ""
    first_day: date = date.min


@dataclass
class Story:
    """Everybody who takes part."""

    machine: Machine
    control: Control
    serve: Process
    workers: list[Process]
    acme: Customer
    globex: Customer
    store_key: str

    @property
    def customers(self) -> tuple[Customer, Customer]:
        """Both."""
        return self.acme, self.globex

    def truth(self, who: Customer) -> Truth:
        """What is true of a customer's property in the days that its link wants."""
        return self.control.truth(who.property, who.first_day)

    def synced(self, who: Customer, begin: Callable[[], str]) -> Truth:
        """The truth that a run saw: it was the same before and after it."""
        for _ in range(4):
            before = self.truth(who)
            run = who.api.run_until_ended(who.link_id, begin())
            assert run["status"] == "succeeded", run
            assert run["days_left"] == 0
            if before == self.truth(who):
                return before
            begin = lambda: who.api.sync(who.link_id)  # noqa: E731 -- something came to light meanwhile
        raise AssertionError("the world changed during every run")


def same_as_truth(who: Customer, truth: Truth) -> None:
    """Every segment's recordings, paged; every name; nothing built-in."""
    listed = who.api.all(f"/v1/links/{who.link_id}/segments", "segments")
    assert {one["segment_id"]: one["name"] for one in listed} == truth.names
    assert not truth.built_in & {one["segment_id"] for one in listed}
    for one in listed:
        expected = truth.on(one["segment_id"])
        found = who.api.ids(who.link_id, limit=97, filter={"segment": one["segment_id"]})
        assert Counter(found) == Counter(expected), one
        assert one["recordings"] == len(expected)
