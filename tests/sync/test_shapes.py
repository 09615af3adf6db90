"""The shapes in which a day can be asked for, and the finer reading where Google folds rows into "(other)"."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ga_sync.accounts import views
from ga_sync.analytics import errors as google
from ga_sync.analytics.answers import Flags
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from ga_sync.sync.links import APART
from models.run import RunStatus
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back
from tests.sync.fake_google import BUYERS, RETURNING

FOLDED = Flags(data_loss_from_other_row=True)
COARSE = (BUYERS, RETURNING)


def asked(bench: Bench) -> list[tuple[str, ...]]:
    """The audiences of each membership report so far."""
    return [tuple(sorted(call.audiences)) for call in bench.google.calls if call.audiences]


def fold_together(bench: Bench, *, also: tuple[str, ...] = ()) -> None:
    """Google folds a report of many audiences, and those of the audiences named."""
    bench.google.folds = lambda asked: len(asked) > 1 or asked[0] in also


def test_where_the_dimensions_are_incompatible_each_audience_is_asked_for_by_itself(bench: Bench) -> None:
    bench.change_link(request_shape=APART)
    bench.sync()
    assert asked(bench) == [(RETURNING,), (BUYERS,)] * BACKFILL
    assert bench.days() == {
        day: {number: set(ids) for number, ids in held.items()} for day, held in bench.google.members.items()
    }
    assert {call.columns for call in bench.google.calls if call.audiences} == {1}
    assert bench.last_run.status == RunStatus.SUCCEEDED


def test_pages_of_one_audience_that_disagree_are_read_once_more(bench: Bench) -> None:
    bench.change_link(request_shape=APART)
    bench.google.page_size = 2
    bench.google.row_counts.extend([4, 5])
    bench.sync()
    assert bench.days()[TODAY] == {
        BUYERS: {"buyer-0-0", "buyer-0-1", "buyer-0-2", "often"},
        RETURNING: {"often"},
    }
    assert bench.states()[TODAY] == ("provisional", ("young",))


def test_a_folded_day_is_read_finer_and_the_better_reading_is_kept(bench: Bench) -> None:
    fold_together(bench)
    bench.sync()
    assert asked(bench)[:3] == [tuple(sorted(COARSE)), (RETURNING,), (BUYERS,)]
    assert {call.columns for call in bench.google.calls if call.audiences} == {2}
    assert {state for state, _ in bench.states().values()} == {"provisional", "complete"}


def test_where_the_finer_reading_is_no_better_the_day_is_incomplete(bench: Bench) -> None:
    fold_together(bench, also=(BUYERS, RETURNING))
    bench.sync()
    assert bench.states()[TODAY] == ("incomplete", ("other_row", "young"))
    assert bench.days()[TODAY] == {number: set(ids) for number, ids in bench.google.members[TODAY].items()}


def test_it_is_tried_when_that_first_strikes_and_at_the_sealing_only(bench: Bench) -> None:
    fold_together(bench, also=(BUYERS,))
    bench.sync()
    bench.google.calls.clear()
    bench.clock.advance(INTERVAL)
    bench.sync()
    assert asked(bench) == [tuple(sorted(COARSE))] * BACKFILL
    bench.google.calls.clear()
    bench.clock.advance(timedelta(days=1))
    bench.sync()
    singles = [call.day for call in bench.google.calls if call.audiences == (RETURNING,)]
    assert singles == [TODAY + timedelta(days=1), back(3)]


def test_without_room_in_the_quota_nothing_finer_is_tried(bench: Bench) -> None:
    fold_together(bench)
    bench.google.quota = QuotaState({Kind.THRESHOLDED: QuotaStatus(1, 61)})
    bench.sync()
    assert set(asked(bench)) == {tuple(sorted(COARSE))}


@pytest.mark.parametrize(
    "error",
    [
        google.QuotaExhausted("Exhausted concurrent requests quota", "run_report", Kind.CONCURRENT_REQUESTS),
        google.GoogleUnavailable("x", "run_report"),
    ],
)
def test_a_finer_reading_that_stops_half_way_leaves_the_coarse_one(
    bench: Bench, error: google.AnalyticsError
) -> None:
    fold_together(bench)

    def stop(_method: str) -> None:
        if len(asked(bench)) == 2:
            bench.google.before = lambda _method: None
            bench.google.fail("run_report", *[error] * 3)

    bench.google.before = stop
    bench.sync()
    assert bench.states()[TODAY] == ("incomplete", ("other_row", "young"))


def test_a_sealed_day_is_read_once_more_on_its_fourteenth_day(bench: Bench) -> None:
    bench.clock.advance(-timedelta(hours=11))  # just past midnight in Berlin
    bench.sync()
    bench.google.members[back(4)][BUYERS].append("found later")
    bench.clock.advance(timedelta(days=9))
    bench.sync()
    assert "found later" not in bench.days()[back(4)][BUYERS]
    bench.change_link(first_day=back(5))
    bench.clock.advance(timedelta(days=1))
    bench.google.calls.clear()
    bench.sync(bench.pipeline(backfill=20))
    assert [day for day in bench.google.days_asked() if day <= back(4)] == [back(4), back(5)]
    assert "found later" in bench.days()[back(4)][BUYERS]
    reread = {day: (row.came, row.went) for day, row in bench.readings().items() if row.came is not None}
    assert reread == {back(4): (1, 0), back(5): (0, 0)}
    bench.google.calls.clear()
    bench.sync(bench.pipeline(backfill=20))
    assert [day for day in bench.google.days_asked() if day <= back(4)] == []


def test_a_difference_on_the_fourteenth_day_is_told_to_operators_and_at_the_doors(bench: Bench) -> None:
    bench.sync()
    bench.google.members[back(4)][BUYERS] = ["found later", "often"]
    bench.clock.advance(timedelta(days=10))
    with capture_logs() as logs:
        bench.sync(bench.pipeline(backfill=20))
    told = [line for line in logs if line["event"] == "sealed_day_read_again"]
    assert [
        (line["day"], line["came"], line["went"], line["log_level"]) for line in told if line["came"]
    ] == [(back(4).isoformat(), 1, 3, "warning")]
    assert views.day(back(4), bench.readings()[back(4)], None)["reread"] == {"came": 1, "went": 3}
    assert views.day(TODAY, bench.readings()[TODAY], None)["reread"] is None


def test_a_poorer_second_reading_leaves_the_sealed_day_and_is_not_repeated(bench: Bench) -> None:
    bench.sync()
    before = bench.days()[back(4)]
    bench.google.members[back(4)] = {BUYERS: ["one"]}
    bench.google.totals[back(4)] = 99
    bench.clock.advance(timedelta(days=10))
    bench.sync(bench.pipeline(backfill=20))
    assert (bench.days()[back(4)], bench.states()[back(4)]) == (before, ("complete", ()))
    bench.google.calls.clear()
    bench.sync(bench.pipeline(backfill=20))
    assert back(4) not in bench.google.days_asked()
