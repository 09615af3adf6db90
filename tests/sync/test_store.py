"""Statements that runs rely on and that other tests pass by."""

from datetime import timedelta

from ga_sync.sync import store
from ga_sync.sync.heads import Heading
from models.day import Day
from models.link import Link
from models.segment import Segment
from tests.sync.bench import INTERVAL, TODAY, Bench, back
from tests.sync.fake_google import BUYERS, RETURNING


def label(bench: Bench, text: str | None) -> None:
    with bench.data.transaction() as session:
        link = session.get_one(Link, bench.link_id, with_for_update=True)
        heading = Heading(session, link, bench.sealer())
        row = store.segment_row(session, bench.sealer(), bench.link_id, BUYERS)
        assert row is not None
        store.set_label(bench.sealer(), row, text)
        heading.write()


def held_label(bench: Bench) -> str | None:
    with bench.data.reading() as session:
        return store.segments(session, bench.sealer(), bench.link_id, "acme")[BUYERS].label


def test_the_customer_s_own_label_outlives_runs_and_renames(bench: Bench) -> None:
    bench.sync()
    label(bench, "VIP \u2665")
    bench.google.rename(BUYERS, "Customers")
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert (held_label(bench), bench.names()[BUYERS]) == ("VIP \u2665", ("Customers", 0))
    label(bench, None)
    assert held_label(bench) is None


def test_a_run_is_found_by_its_customer_only(bench: Bench) -> None:
    bench.sync()
    run_id = bench.last_run.run_id
    with bench.data.reading() as session:
        assert store.run(session, run_id, "acme") is not None
        assert store.run(session, run_id, "rival") is None


def test_dropping_a_segment_twice_is_harmless(bench: Bench) -> None:
    bench.sync()
    for _ in range(2):
        with bench.data.transaction() as session:
            store.drop_segments(session, bench.sealer(), bench.link_id, [RETURNING])
    with bench.data.reading() as session:
        assert session.query(Segment).count() == 1


def test_what_the_recording_store_counted_stays_when_a_day_is_replaced(bench: Bench) -> None:
    bench.sync()
    with bench.data.transaction() as session:
        day = session.get(Day, (bench.link_id, TODAY))
        assert day is not None
        day.recorded = 17
    bench.clock.advance(INTERVAL)
    bench.sync()
    with bench.data.reading() as session:
        held = session.get(Day, (bench.link_id, TODAY))
        assert held is not None
        assert held.recorded == 17


def test_a_day_that_expires_while_it_is_read_has_nothing_to_carry_over(bench: Bench) -> None:
    bench.sync()
    bench.google.archive(RETURNING)
    del bench.google.members[TODAY][RETURNING]

    def expire(method: str) -> None:
        if method == "run_report":
            bench.google.before = lambda _method: None
            with bench.data.transaction() as session:
                store.expire_days(session, bench.link_id, TODAY + timedelta(days=1))

    bench.google.before = expire
    bench.sync()
    assert RETURNING not in bench.days()[TODAY]
    assert set(bench.states()) == {back(n) for n in range(4)}
