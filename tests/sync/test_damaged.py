"""A row of a link that does not open any more: an alarm, a turn put off, and nobody else who waits."""

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from models.link import Link, LinkStatus
from models.run import RunStatus
from models.sealed import Place, Sealed
from models.segment import Segment
from tests.sync.bench import INTERVAL, Bench
from tests.sync.fake_google import PROPERTY


def elsewhere(bench: Bench) -> Sealed:
    """What was sealed for another place opens in none of the link's."""
    return bench.sealer().seal(Place("x", "x", "x", "x"), b"elsewhere")


def damage_link(bench: Bench) -> None:
    bench.change_link(parameter_name=elsewhere(bench))


def damage_segment(bench: Bench) -> None:
    with bench.data.transaction() as session:
        row = session.scalars(select(Segment).where(Segment.link_id == bench.link_id)).first()
        assert row is not None
        row.name = elsewhere(bench)


@pytest.mark.parametrize("damage", [damage_link, damage_segment])
def test_a_damaged_row_fails_the_run_alarms_operators_and_puts_the_link_off(
    bench: Bench, damage: type
) -> None:
    bench.sync()
    held, generation = bench.states(), bench.row().generation
    damage(bench)
    bench.google.calls.clear()
    with capture_logs() as logs:
        outcome = bench.sync()
    assert outcome.at == bench.regular() > bench.clock()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "damaged")
    assert bench.last_run.finished_at == bench.clock()
    alarms = [line for line in logs if line["event"] == "sync_needs_operator"]
    assert [(line["error"], line["link_id"]) for line in alarms] == [("damaged", bench.link_id)]
    assert bench.google.calls == []
    assert (bench.states(), bench.row().generation) == (held, generation)
    assert bench.row().status == LinkStatus.ACTIVE


def test_each_damaged_link_has_an_alarm_of_its_own_once_an_hour(bench: Bench) -> None:
    first, second = bench.link_id, bench.make_link(customer="rival")
    told = []
    for link_id in (first, second, first):
        bench.link_id = link_id
        if bench.row().parameter_name != elsewhere(bench):
            damage_link(bench)
        with capture_logs() as logs:
            bench.sync(wanted=False)
        told += [line["link_id"] for line in logs if line["event"] == "sync_needs_operator"]
    assert told == [first, second]


def test_no_other_link_waits_for_a_damaged_one_not_even_of_the_same_property(bench: Bench) -> None:
    damaged = bench.link_id
    damage_link(bench)
    bench.sync()
    bench.link_id = bench.make_link(PROPERTY, customer="rival")
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    bench.link_id = damaged
    assert bench.last_run.status == RunStatus.FAILED


def test_a_row_that_was_restored_is_read_at_the_next_turn(bench: Bench) -> None:
    with bench.data.reading() as session:
        row = session.get(Link, bench.link_id)
        assert row is not None
        good = row.parameter_name
    damage_link(bench)
    bench.sync()
    bench.change_link(parameter_name=good)
    bench.clock.advance(INTERVAL)
    bench.sync(wanted=False)
    assert bench.last_run.status == RunStatus.SUCCEEDED
