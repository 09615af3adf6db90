"""The states of a day, each with its reasons, and which of two readings is kept."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from ga_sync.analytics.reading import DayReading, Dropped, Flags
from ga_sync.sync.completeness import (
    STATES,
    Held,
    Signs,
    Verdict,
    collapsed,
    is_good,
    judge,
    replaces,
    take_over,
    verdict_of,
    worst,
)
from ga_sync.sync.fetch import Fetched, signs_of
from ga_sync.sync.stage import build, judge_day
from models.keyring import Sealer

DAY = date(2026, 11, 19)
NORMAL = [(80, 100)] * 14
INCOMPLETE = ["other_row", "other_value", "sampled", "truncated", "row_count", "rows_below_total"]


@pytest.mark.parametrize("reason", INCOMPLETE)
def test_each_loss_makes_a_day_incomplete_whatever_its_age(reason: str) -> None:
    assert judge(Signs(**{reason: True})) == Verdict("incomplete", (reason,))
    assert judge(Signs(**{reason: True}, young=True)) == Verdict(
        "incomplete", tuple(sorted((reason, "young")))
    )


def test_thresholds_make_a_day_suspect_whatever_its_age() -> None:
    assert judge(Signs(thresholded=True)) == Verdict("suspect", ("thresholded",))
    assert judge(Signs(thresholded=True, young=True)) == Verdict("suspect", ("thresholded", "young"))


def test_a_collapse_makes_a_day_suspect() -> None:
    assert judge(Signs(), collapse=True) == Verdict("suspect", ("collapse",))


def test_a_damaged_day_is_incomplete() -> None:
    assert verdict_of(["damaged"]) == Verdict("incomplete", ("damaged",))


def test_youth_alone_makes_a_day_provisional_and_nothing_makes_it_complete() -> None:
    assert judge(Signs(young=True)) == Verdict("provisional", ("young",))
    assert judge(Signs()) == Verdict("complete", ())


@pytest.mark.parametrize("reason", ["ids_of_100", "time_zone_changed"])
def test_some_reasons_are_told_and_change_no_state(reason: str) -> None:
    assert judge(Signs(**{reason: True})) == Verdict("complete", (reason,))
    assert judge(Signs(**{reason: True}, young=True)).state == "provisional"


def test_every_reason_is_listed_and_the_worst_one_decides() -> None:
    verdict = judge(Signs(other_row=True, thresholded=True, young=True, ids_of_100=True), collapse=True)
    assert verdict == Verdict("incomplete", ("collapse", "ids_of_100", "other_row", "thresholded", "young"))


def test_a_reading_is_good_if_nothing_but_youth_speaks_against_it() -> None:
    assert is_good(Signs(young=True, ids_of_100=True))
    assert not is_good(Signs(thresholded=True))
    assert not is_good(Signs(sampled=True))


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], ("missing", {})),
        (["complete"], ("complete", {"complete": 1})),
        (["provisional", "complete", "complete"], ("provisional", {"complete": 2, "provisional": 1})),
        (["suspect", "provisional"], ("suspect", {"provisional": 1, "suspect": 1})),
        (["incomplete", "suspect"], ("incomplete", {"suspect": 1, "incomplete": 1})),
        (list(STATES), ("missing", dict.fromkeys(STATES, 1))),
    ],
)
def test_the_worst_state_comes_with_all_counts(
    states: list[str], expected: tuple[str, dict[str, int]]
) -> None:
    assert worst(states) == expected


@pytest.mark.parametrize(
    ("recordings", "seen", "history", "expected"),
    [
        (79, 200, NORMAL, True),  # under half of 0.8
        (80, 200, NORMAL, False),  # exactly half
        (0, 199, NORMAL, False),  # too few ids to tell
        (0, 200, NORMAL, True),
        (0, 200, NORMAL[:7], True),
        (0, 200, NORMAL[:6], False),  # too few days to tell
        (0, 200, [*NORMAL[:6], (0, 0)], False),  # a day without ids has no share
        (0, 200, [(0, 100)] * 14, False),  # nobody was ever in a segment
        (39, 100, [*[(2, 100)] * 14, *NORMAL], False),  # only the last 14 days count
        (49, 200, [(10, 100)] * 7 + [(90, 100)] * 7, True),  # the median of an even number lies between
        (50, 200, [(10, 100)] * 7 + [(90, 100)] * 7, False),
    ],
)
def test_a_collapse_is_less_than_half_the_usual_share(
    recordings: int, seen: int, history: list[tuple[int, int]], *, expected: bool
) -> None:
    assert collapsed(recordings, seen, history) is expected


@pytest.mark.parametrize(
    ("new", "size", "held", "expected"),
    [
        (Signs(other_row=True), 0, None, True),
        (Signs(other_row=True), 9, 10, False),
        (Signs(other_row=True), 10, 10, True),
        (Signs(other_row=True), 11, 10, True),
        (Signs(thresholded=True), 9, 10, True),
        (Signs(young=True), 9, 10, True),
        (Signs(), 0, 10, True),
    ],
)
def test_a_smaller_incomplete_reading_never_replaces_a_fuller_one(
    new: Signs, size: int, held: int | None, *, expected: bool
) -> None:
    assert replaces(judge(new), size, held) is expected


def test_a_smaller_collapsed_reading_never_replaces_a_fuller_one() -> None:
    assert not replaces(judge(Signs(), collapse=True), 9, 10)
    assert replaces(judge(Signs(), collapse=True), 10, 10)


def account(
    state: str = "complete", recordings: int = 80, seen: int | None = 1000, *reasons: str, size: int = 80
) -> Held:
    return Held(state, reasons, recordings, size, seen)


def days(count: int) -> list[date]:
    return [DAY - timedelta(days=n) for n in range(1, count + 1)]


def test_a_sealed_day_is_compared_with_the_held_days_and_those_of_its_own_run() -> None:
    held = dict.fromkeys(days(4), account())
    staged = dict.fromkeys([DAY - timedelta(days=n) for n in range(5, 8)], account())
    staged[DAY] = account(recordings=39, size=39)
    assert take_over(staged, held)[DAY] == Verdict("suspect", ("collapse",))
    fewer = {day: one for day, one in held.items() if day != DAY - timedelta(days=1)}
    assert take_over(staged, fewer)[DAY] == Verdict("complete", ())


def test_a_day_is_not_compared_with_itself_nor_with_days_that_are_not_complete() -> None:
    held = {**dict.fromkeys(days(6), account()), DAY: account()}
    held[DAY - timedelta(days=9)] = account("suspect", 80, 1000, "thresholded")
    held[DAY - timedelta(days=8)] = account("complete", 80, None)
    assert take_over({DAY: account(recordings=1, size=80)}, held)[DAY].state == "complete"


def test_a_collapsed_reading_keeps_its_other_reasons_and_leaves_a_fuller_one_in_place() -> None:
    held = dict.fromkeys(days(7), account())
    small = account("complete", 1, 1000, "ids_of_100", size=1)
    assert take_over({DAY: small}, held)[DAY] == Verdict("suspect", ("collapse", "ids_of_100"))
    assert take_over({DAY: small}, {**held, DAY: account("provisional", 80, None, "young")}) == {}


def test_a_damaged_reading_gives_way_to_any_other() -> None:
    held = {DAY: account("incomplete", 80, None, "damaged")}
    new = account("incomplete", 1, None, "other_row", size=1)
    assert take_over({DAY: new}, held) == {DAY: Verdict("incomplete", ("other_row",))}


def reading(flags: Flags = Flags(), dropped: Dropped = Dropped(), **values: object) -> DayReading:  # noqa: B008
    given: dict[str, object] = {
        "ids": ["a"],
        "members": {"properties/1/audiences/5": np.array([0], np.uint32)},
        "rows": 1,
        "row_counts": (1,),
        "expected": 1,
        "steady": True,
        "events": 1,
        "total": 1,
        "dropped": dropped,
        "ids_of_100": 0,
        "flags": flags,
    } | values
    return DayReading(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (reading(Flags(data_loss_from_other_row=True)), "other_row"),
        (reading(dropped=Dropped(other_value=True)), "other_value"),
        (reading(Flags(sampled=True)), "sampled"),
        (reading(Flags(truncations=("77",))), "truncated"),
        (reading(steady=False), "row_count"),
        (reading(expected=2), "row_count"),
        (reading(total=2), "rows_below_total"),
        (reading(Flags(subject_to_thresholding=True)), "thresholded"),
        (reading(ids_of_100=1), "ids_of_100"),
    ],
)
def test_each_sign_of_an_answer_becomes_its_reason(said: DayReading, reason: str) -> None:
    assert judge(signs_of(said, young=False)).reasons == (reason,)
    assert judge(signs_of(said, young=True)).reasons == tuple(sorted((reason, "young")))


def test_an_answer_without_a_total_proves_no_loss() -> None:
    assert judge(signs_of(reading(total=None), young=False)).state == "complete"


def test_the_mark_of_a_changed_time_zone_is_set_on_its_day_and_stays() -> None:
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
    fetched = Fetched(DAY, "Asia/Tokyo", moment, moment, reading(), Signs(), None)
    data = build(fetched, Sealer(1, b"k" * 32, bytes))
    marked = account("complete", 1, 1, "time_zone_changed")
    assert judge_day(fetched, data, None, None).verdict.reasons == ()
    assert judge_day(fetched, data, None, DAY + timedelta(days=1)).verdict.reasons == ()
    assert judge_day(fetched, data, None, DAY).verdict.reasons == ("time_zone_changed",)
    assert judge_day(fetched, data, marked, None).verdict.reasons == ("time_zone_changed",)
