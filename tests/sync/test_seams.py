"""Pages that do not go on where the former one ended, and requests that have to wait a moment."""

from ga_sync.analytics import errors as google
from ga_sync.analytics.quota import Kind
from models.run import RunStatus
from tests.sync.bench import TODAY, Bench
from tests.sync.fake_google import BUYERS

REPORT = "run_report"


def test_a_row_that_comes_twice_reads_the_day_again(bench: Bench) -> None:
    bench.google.page_size = 2
    bench.google.members[TODAY] = {BUYERS: ["a", "b", "c", "d", "e"]}
    bench.google.shifts.extend([0, 1])
    bench.sync()
    offsets = [call.offset for call in bench.google.calls if call.day == TODAY]
    assert offsets == [0, 2, 4, 0, 2, 4]
    assert bench.days()[TODAY] == {BUYERS: {"a", "b", "c", "d", "e"}}
    assert bench.states()[TODAY] == ("provisional", ("young",))


def test_pages_that_shift_again_make_the_day_incomplete(bench: Bench) -> None:
    bench.google.page_size = 2
    bench.google.members[TODAY] = {BUYERS: ["a", "b", "c", "d"]}
    bench.google.shifts.extend([0, 1] * 2)
    bench.sync()
    assert bench.states()[TODAY] == ("incomplete", ("row_count", "rows_below_total", "young"))


def exhausted() -> google.QuotaExhausted:
    return google.QuotaExhausted("Exhausted concurrent requests quota.", REPORT, Kind.CONCURRENT_REQUESTS)


def test_others_concurrent_requests_are_waited_out_once_a_run(bench: Bench) -> None:
    bench.google.fail(REPORT, exhausted())
    bench.sync()
    assert bench.last_run.status == RunStatus.SUCCEEDED
    assert bench.waits == [37.5]


def test_the_second_time_the_run_stops(bench: Bench) -> None:
    bench.google.fail(REPORT, exhausted(), exhausted())
    bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.PARTIAL, "quota_concurrent_requests")


def test_after_four_failures_within_an_hour_none_is_tried_again(bench: Bench) -> None:
    failure = google.GoogleUnavailable("x", REPORT)
    for _ in range(2):
        bench.google.fail(REPORT, failure, failure)
        bench.sync()
    assert [run.status for run in bench.runs()] == [RunStatus.SUCCEEDED, RunStatus.FAILED]
    assert len(bench.waits) == 3
    bench.google.fail(REPORT, failure)
    bench.sync()
    assert len(bench.waits) == 3
    bench.google.calls.clear()
    bench.sync()
    assert (bench.last_run.error, bench.google.days_asked()) == ("quota_server_errors", [])
