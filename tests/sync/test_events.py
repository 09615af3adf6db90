"""What runs announce, and that they announce nothing that did not come true."""

import pytest

from ga_sync.analytics import errors as google
from ga_sync.sync.announce import Silence
from models.link import LinkStatus
from tests.sync.bench import Bench, held_signals
from tests.sync.events import Events

REPORT = "run_report"


def test_a_run_that_went_well_is_told_once(bench: Bench) -> None:
    events = Events()
    bench.sync(bench.pipeline(announcer=events))
    assert events.heard == [("finished", bench.link_id, "succeeded")]


def test_a_link_that_breaks_and_recovers_is_told_once_each(bench: Bench) -> None:
    events = Events()
    pipeline = bench.pipeline(announcer=events)
    for _ in range(2):
        bench.google.fail(REPORT, google.PropertyForbidden("x", REPORT))
        bench.sync(pipeline)
    for _ in range(2):
        bench.sync(pipeline)
    assert [kind for kind, _, _ in events.heard] == [
        "broken",
        "finished",
        "finished",
        "recovered",
        "finished",
        "finished",
    ]
    assert events.heard[0] == ("broken", bench.link_id, "property_forbidden")


def test_a_dead_grant_is_told(bench: Bench) -> None:
    events = Events()
    bench.oauth.set_mood("invalid_grant")
    bench.sync(bench.pipeline(announcer=events))
    assert events.heard == [("finished", bench.link_id, "grant_dead"), ("dead", bench.grant_id, "acme")]


def test_a_run_that_nobody_foresaw_is_told_as_failed(bench: Bench) -> None:
    events = Events()

    def burst(_method: str) -> None:
        raise ZeroDivisionError

    bench.google.before = burst
    with pytest.raises(ZeroDivisionError):
        bench.pipeline(announcer=events)(bench.claim(), held_signals())
    assert events.heard == [("finished", bench.link_id, "internal")]


def test_a_link_that_was_removed_while_that_happened_has_nothing_to_tell(bench: Bench) -> None:
    events = Events()

    def burst(_method: str) -> None:
        bench.change_link(status=LinkStatus.REMOVED)
        raise ZeroDivisionError

    bench.google.before = burst
    with pytest.raises(ZeroDivisionError):
        bench.pipeline(announcer=events)(bench.claim(), held_signals())
    assert events.heard == []


def test_silence_takes_everything_and_keeps_nothing(bench: Bench) -> None:
    bench.oauth.set_mood("invalid_grant")
    bench.sync(bench.pipeline(announcer=Silence()))
    bench.oauth.set_mood("")
    with bench.data.transaction() as session:
        row = bench.row()
        Silence().link_broken(session, row)
        Silence().link_recovered(session, row)
        Silence().grant_dead(session, bench.grant_id, "acme")
