"""Commands about a customer's rights."""

import json

import pytest

from tests.cli.conftest import CUSTOMER, Linked
from tests.cli.ended import Cli


def test_a_recording_is_forgotten(linked: Linked) -> None:
    cli, link_id = linked.cli, linked.link_id
    segment = cli.value("segments", link_id)[0]["segment_id"]
    first, *rest = cli("filter", link_id, segment).out.split()
    assert cli("forget", link_id, first).code == 1
    assert cli.value("forget", link_id, first, "never seen", "--yes") == {"forgotten": 2}
    assert cli("filter", link_id, segment).out.split() == rest


@pytest.mark.parametrize("customer", [CUSTOMER, "globex"])
def test_everything_held_is_written_down(linked: Linked, customer: str) -> None:
    document = linked.cli.value("export", customer)
    assert json.loads(linked.cli("export", customer).out).keys() == document.keys()
    assert document["customer_id"] == customer
    assert [one["link"]["link_id"] for one in document["links"]] == [linked.link_id] * (customer == CUSTOMER)


def test_what_is_not_there_is_neither_forgotten_nor_exported(installed: Cli) -> None:
    assert installed("forget", "nobody", "a", "--yes").code == 4
    assert installed("export", "no customer").code == 2
