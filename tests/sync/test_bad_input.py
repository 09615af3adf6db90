"""What properties can throw at a run: crowds, twins, audiences that come and go beside it, ends in the midst of it."""

from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ga_sync.analytics import errors as google
from ga_sync.analytics.quota import Kind
from ga_sync.sync.segments import Known, unasked
from models.link import LinkStatus
from models.run import RunStatus
from tests.clock import NOON
from tests.sync.bench import BACKFILL, INTERVAL, TODAY, Bench, back
from tests.sync.fake_google import BUYERS, RETURNING, audience

REPORT = "run_report"


def admin_calls(bench: Bench) -> list[str]:
    return [call.method for call in bench.google.calls if call.method != REPORT]


def test_a_hundred_audiences_and_five_days_cost_five_reports_and_one_listing(bench: Bench) -> None:
    numbers = [str(1000 + number) for number in range(100)]
    bench.google.listed = [audience(number, f"Segment {number}") for number in numbers]
    for day in bench.google.members:
        bench.google.members[day] = {number: [f"of-{number}", "often"] for number in numbers}
    bench.change_link(first_day=back(4))
    bench.sync()
    assert len(bench.google.days_asked()) == 5
    assert bench.google.seen_asked() == [back(4)]  # the one that this reading seals
    assert admin_calls(bench) == ["property", "audiences"]
    assert bench.last_run.requests == 6
    assert bench.days()[TODAY] == {number: {f"of-{number}", "often"} for number in numbers}
    bench.google.calls.clear()
    bench.clock.advance(timedelta(minutes=30))
    bench.sync(wanted=False)
    assert (len(bench.google.calls), admin_calls(bench)) == (4, [])


def test_names_that_collide_keep_their_members_apart(bench: Bench) -> None:
    names = {
        "7": "Buyers",
        "8": "Buyers",
        "9": "buyers",
        "10": "Buyers ",
        "11": "Bu\u0301yers",
        "13": "All Users",
    }
    bench.google.listed = [audience(number, name) for number, name in names.items()]
    bench.google.members[TODAY] = {number: [f"only-{number}"] for number in names}
    bench.sync()
    assert {number: name for number, (name, _) in bench.names().items()} == names
    assert bench.days()[TODAY] == {number: {f"only-{number}"} for number in names}


def after_reports(bench: Bench, reports: int, *errors: google.AnalyticsError) -> None:
    """What Google says to the n-th report."""

    def refuse(_method: str) -> None:
        if len(bench.google.days_asked()) == reports:
            bench.google.before = lambda _method: None
            bench.google.fail(REPORT, *errors)

    bench.google.before = refuse


def test_a_dimension_archived_in_the_midst_of_a_run_keeps_what_was_read_and_tells_the_customer(
    bench: Bench,
) -> None:
    text = "Field customEvent:sessioncam_id is not a valid dimension. For a list of valid dimensions …"
    after_reports(bench, 3, google.DimensionUnknown(text, REPORT))
    bench.sync()
    assert set(bench.states()) == {back(0), back(1)}
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "dimension_unknown")
    assert (bench.row().status, bench.row().reason) == (LinkStatus.BROKEN, "dimension_unknown")
    bench.sync()
    assert (bench.last_run.status, bench.row().status) == (RunStatus.SUCCEEDED, LinkStatus.ACTIVE)
    assert len(bench.states()) == BACKFILL


@pytest.mark.parametrize("page", range(1, 6))
def test_a_token_revoked_at_any_page_ends_the_run_and_keeps_whole_days_only(bench: Bench, page: int) -> None:
    bench.google.page_size = 2  # three pages a day
    refused = google.Unauthenticated("Request had invalid authentication credentials.", REPORT)

    def revoke(_method: str) -> None:
        if len(bench.google.days_asked()) == page:
            bench.google.before = lambda _method: None
            bench.oauth.set_mood("invalid_grant")
            bench.google.fail(REPORT, refused)

    bench.google.before = revoke
    bench.sync()
    assert (bench.last_run.status, bench.last_run.error) == (RunStatus.FAILED, "grant_dead")
    assert bench.grant_status() == "reconsent_required"
    assert len(bench.google.days_asked()) == page
    whole = {TODAY} if page > 3 else set()
    assert set(bench.days()) == whole
    assert all(
        members[BUYERS] >= {"often"} and len(members[BUYERS]) == 4 for members in bench.days().values()
    )


# Audiences that come and go beside a run.


def archived_unlisted(bench: Bench) -> None:
    """Buyers are archived at a moment at which nobody lists, and Google gives no row of them any more."""
    bench.google.archive(BUYERS)
    for members in bench.google.members.values():
        members.pop(BUYERS, None)


def test_an_audience_archived_between_the_listing_and_the_reports_loses_nothing(bench: Bench) -> None:
    bench.sync()
    before = bench.days()
    archived_unlisted(bench)
    bench.clock.advance(timedelta(minutes=30))
    bench.google.calls.clear()
    bench.sync(wanted=False)  # between two listings
    assert admin_calls(bench) == ["audiences"]
    assert bench.days() == before
    assert bench.names()[BUYERS] == ("Buyers", 1)
    bench.clock.advance(INTERVAL)
    bench.sync(wanted=False)
    assert (bench.days(), bench.names()[BUYERS][1]) == (before, 2)


def test_one_that_is_still_listed_is_empty_and_asked_about_once_a_run(bench: Bench) -> None:
    bench.sync()
    for members in bench.google.members.values():
        members.pop(BUYERS)
    bench.clock.advance(timedelta(minutes=30))
    bench.google.calls.clear()
    bench.sync(wanted=False)
    assert admin_calls(bench) == ["audiences"]
    assert set(bench.days()[TODAY]) == {RETURNING}
    assert bench.names()[BUYERS] == ("Buyers", 0)


def test_where_nobody_can_ask_what_is_held_stays(bench: Bench) -> None:
    bench.sync()
    before = bench.days()
    archived_unlisted(bench)
    bench.clock.advance(timedelta(minutes=30))
    bench.google.fail("audiences", google.QuotaExhausted("per minute", "audiences", Kind.ADMIN_PER_MINUTE))
    with capture_logs() as logs:
        bench.sync(wanted=False)
    assert "listing_put_off" in [line["event"] for line in logs]
    assert (bench.last_run.status, bench.days()) == (RunStatus.SUCCEEDED, before)


def test_an_audience_listed_late_is_asked_for_on_the_sealed_days_it_had_members_on(bench: Bench) -> None:
    bench.sync()
    assert bench.states()[back(5)][0] == bench.states()[back(4)][0] == "complete"
    made = datetime(2026, 11, 19, 9, tzinfo=NOON.tzinfo)
    bench.google.listed.append(audience("20", "Late", made=made))
    bench.google.members[back(4)]["20"] = ["buyer-4-0"]
    bench.google.calls.clear()
    bench.clock.advance(INTERVAL)
    bench.sync(wanted=False)
    assert [day for day in bench.google.days_asked() if day <= back(4)] == [back(4)]
    assert bench.days()[back(4)]["20"] == {"buyer-4-0"}
    bench.google.calls.clear()
    bench.clock.advance(INTERVAL)
    bench.sync(wanted=False)
    assert [day for day in bench.google.days_asked() if day <= back(4)] == []


@pytest.mark.parametrize(
    ("found", "created", "expected"),
    [(1, -9, True), (0, -9, False), (None, -9, False), (1, 30, False), (1, 20, True)],
)
def test_a_reading_is_behind_where_a_segment_was_there_and_listed_only_later(
    found: int | None, created: int, *, expected: bool
) -> None:
    found_at = None if found is None else NOON + timedelta(hours=found)
    known = Known("1", "Late", NOON + timedelta(hours=created), NOON, found_at=found_at)
    assert unasked([known], NOON.date(), NOON, "Pacific/Honolulu") is expected
