"""Rows are read from the raw message, whole or not at all."""

import gc
import time
from typing import Any

import pytest
from google.analytics.data_v1beta import types as data

from ga_sync.analytics.answers import Flags, next_offset, quota_of, read_page
from ga_sync.analytics.errors import MalformedAnswer
from ga_sync.analytics.quota import Kind, QuotaStatus
from ga_sync.analytics.reading import Columns, ReportPage

DIMENSIONS = ["audienceResourceName", "customEvent:sid"]
Raw = Any


def answer(rows: list[tuple[str, str, int]], **more: object) -> Raw:
    """A raw answer as Google sends it."""
    made = data.RunReportResponse.pb(data.RunReportResponse(row_count=len(rows), **more))
    for name in DIMENSIONS:
        made.dimension_headers.add(name=name)
    made.metric_headers.add(name="eventCount")
    for audience, recording, events in rows:
        row = made.rows.add()
        row.dimension_values.add(value=audience)
        row.dimension_values.add(value=recording)
        row.metric_values.add(value=str(events))
    return made


def test_rows_become_columns() -> None:
    page = read_page(answer([("a", "x", 3), ("a", "y", 1)]), DIMENSIONS)
    assert page.columns == Columns(["a", "a"], ["x", "y"], [3, 1])
    assert (page.row_count, page.rows, page.total, page.quota, page.flags) == (2, 2, None, None, Flags())


def test_ids_stay_as_they_are() -> None:
    odd = ["", " x ", "x\x00y", "É", "É", "🛒" * 50, "שלום", "a\nb", '"']
    page = read_page(answer([("a", one, 1) for one in odd]), DIMENSIONS)
    assert page.columns.ids == odd


def test_a_report_of_the_parameter_alone_has_no_audiences() -> None:
    raw = data.RunReportResponse.pb(data.RunReportResponse(row_count=812))
    raw.dimension_headers.add(name="customEvent:sid")
    row = raw.rows.add()
    row.dimension_values.add(value="x")
    row.metric_values.add(value="4")
    page = read_page(raw, ["customEvent:sid"])
    assert page.columns == Columns([], ["x"], [4])
    assert page.row_count == 812


def test_values_that_are_not_set_are_empty_and_shift_nothing() -> None:
    raw = answer([("a", "x", 1)])
    row = raw.rows.add()
    row.dimension_values.add()
    row.dimension_values.add(value="y")
    row.metric_values.add()
    assert read_page(raw, DIMENSIONS).columns == Columns(["a", ""], ["x", "y"], [1, 0])


def test_a_genuinely_empty_answer_needs_no_headers() -> None:
    page = read_page(data.RunReportResponse.pb(data.RunReportResponse()), DIMENSIONS)
    assert (page.rows, page.row_count, page.total) == (0, 0, None)


@pytest.mark.parametrize("headers", [[], ["customEvent:sid"], ["customEvent:sid", "audienceResourceName"]])
def test_columns_that_were_not_asked_for_are_refused(headers: list[str]) -> None:
    raw = answer([("a", "x", 1)])
    del raw.dimension_headers[:]
    for name in headers:
        raw.dimension_headers.add(name=name)
    with pytest.raises(MalformedAnswer, match="not those asked for"):
        read_page(raw, DIMENSIONS)


@pytest.mark.parametrize(("dimensions", "metrics"), [(1, 1), (3, 1), (0, 0), (2, 0), (2, 2)])
def test_a_row_of_another_width_is_refused(dimensions: int, metrics: int) -> None:
    raw = answer([("a", "x", 1)])
    row = raw.rows.add()
    for _ in range(dimensions):
        row.dimension_values.add(value="a")
    for _ in range(metrics):
        row.metric_values.add(value="1")
    with pytest.raises(MalformedAnswer, match="1 rows have the wrong number"):
        read_page(raw, DIMENSIONS)


@pytest.mark.parametrize("text", ["1.5", "x", "NaN", "9" * 5_000])
def test_a_count_that_is_none_is_refused(text: str) -> None:
    raw = answer([("a", "x", 1)])
    raw.rows[0].metric_values[0].value = text
    with pytest.raises(MalformedAnswer, match="whole number"):
        read_page(raw, DIMENSIONS)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(MalformedAnswer, match="negative"):
        read_page(answer([("a", "x", -1)]), DIMENSIONS)
    raw = answer([])
    raw.row_count = -1
    with pytest.raises(MalformedAnswer, match="negative"):
        read_page(raw, DIMENSIONS)


def test_the_total_of_the_whole_report_comes_along() -> None:
    raw = answer([("a", "x", 1)])
    total = raw.totals.add()
    total.dimension_values.add(value="RESERVED_TOTAL")
    total.metric_values.add(value="77")
    assert read_page(raw, DIMENSIONS).total == 77


def test_every_flag_is_seen_even_those_that_nobody_can_name_yet() -> None:
    raw = answer([])
    meta = raw.metadata
    meta.data_loss_from_other_row = True
    meta.subject_to_thresholding = True
    meta.sampling_metadatas.add()
    meta.time_zone = "Europe/Warsaw"
    meta.data_truncation_reasons.add(data_truncation_type=8)
    meta.data_truncation_reasons.add(data_truncation_type=4_711)
    meta.data_truncation_reasons.add()
    assert read_page(raw, DIMENSIONS).flags == Flags(
        data_loss_from_other_row=True,
        subject_to_thresholding=True,
        sampled=True,
        truncations=("DATA_TRUNCATION_TYPE_PROPERTY", "4711", "DATA_TRUNCATION_TYPE_UNSPECIFIED"),
        time_zone="Europe/Warsaw",
    )


def test_flags_join_and_the_later_zone_holds() -> None:
    first = Flags(sampled=True, truncations=("A",), time_zone="UTC")
    second = Flags(subject_to_thresholding=True, truncations=("A", "B"), time_zone="Asia/Tokyo")
    assert first | second == Flags(
        sampled=True, subject_to_thresholding=True, truncations=("A", "B"), time_zone="Asia/Tokyo"
    )
    assert (first | Flags()).time_zone == "UTC"


def test_quotas_keep_what_is_unknown_apart_from_nothing_left() -> None:
    quota = data.PropertyQuota(
        tokens_per_day={"consumed": 3, "remaining": 199_000},
        tokens_per_hour={"remaining": 0},
        concurrent_requests={"consumed": 0},
        tokens_per_project_per_hour={"consumed": 3, "remaining": 13_000},
        server_errors_per_project_per_hour={"remaining": 10},
        potentially_thresholded_requests_per_hour={"consumed": 1, "remaining": 119},
    )
    assert quota_of(data.PropertyQuota.pb(quota)).kinds == {
        Kind.TOKENS_PER_DAY: QuotaStatus(3, 199_000),
        Kind.TOKENS_PER_HOUR: QuotaStatus(None, 0),
        Kind.CONCURRENT_REQUESTS: QuotaStatus(0, None),
        Kind.TOKENS_PER_PROJECT_PER_HOUR: QuotaStatus(3, 13_000),
        Kind.SERVER_ERRORS: QuotaStatus(None, 10),
        Kind.THRESHOLDED: QuotaStatus(1, 119),
    }
    assert quota_of(data.PropertyQuota.pb(data.PropertyQuota())).kinds == {}


def test_an_answer_carries_its_quotas() -> None:
    raw = answer([], property_quota={"tokens_per_day": {"consumed": 9, "remaining": 5}})
    quota = read_page(raw, DIMENSIONS).quota
    assert quota is not None
    assert quota.tokens == 9


@pytest.mark.parametrize(
    ("offset", "rows", "row_count", "following"),
    [
        (0, 2, 2, None),
        (0, 2, 3, 2),
        (2, 1, 3, None),
        (0, 0, 0, None),
        (2, 0, 3, None),
        (0, 1, 4, 1),
        (4, 2, 5, None),
    ],
)
def test_pages_follow_by_the_rows_that_came(
    offset: int, rows: int, row_count: int, following: int | None
) -> None:
    page = ReportPage(Columns(["a"] * rows, ["x"] * rows, [1] * rows), row_count)
    assert next_offset(offset, page) == following


def test_reading_a_full_page_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """250,000 rows; the aim is about 0.3 s of CPU on an idle core, printed and not asserted."""
    rows = [(f"properties/123456789/audiences/{n // 25_000}", f"{n:032x}", n % 9) for n in range(250_000)]
    body = answer(rows).SerializeToString()
    gc.collect()
    begun = time.process_time()
    raw = data.RunReportResponse.pb().FromString(body)
    page = read_page(raw, DIMENSIONS)
    spent = time.process_time() - begun
    with capsys.disabled():
        print(f"\n250,000 rows from the wire to columns: {spent:.2f} s CPU")  # noqa: T201
    assert (page.rows, page.columns.ids[-1]) == (250_000, rows[-1][1])
