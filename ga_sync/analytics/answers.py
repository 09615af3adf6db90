"""One answer to a report: raw protobuf as columns, flags and quotas. Pure.

The proto-plus wrappers cost ten times as much as the message under them, so rows are read from that, and those of
``rows`` not even from it. Shape of an answer:
https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/RunReportResponse
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ga_sync.analytics.errors import MalformedAnswer
from ga_sync.analytics.quota import Kind, QuotaState, QuotaStatus
from ga_sync.analytics.rows import Columns

_METHOD = "run_report"
_QUOTA_FIELDS = (
    ("tokens_per_day", Kind.TOKENS_PER_DAY),
    ("tokens_per_hour", Kind.TOKENS_PER_HOUR),
    ("tokens_per_project_per_hour", Kind.TOKENS_PER_PROJECT_PER_HOUR),
    ("concurrent_requests", Kind.CONCURRENT_REQUESTS),
    ("server_errors_per_project_per_hour", Kind.SERVER_ERRORS),
    ("potentially_thresholded_requests_per_hour", Kind.THRESHOLDED),
)


@dataclass(frozen=True, slots=True)
class Flags:
    """What an answer says about its own quality.

    Attributes:
        data_loss_from_other_row: rows were folded into "(other)", even if a filter hides that row.
        subject_to_thresholding: rows about few users may be withheld.
        sampled: the answer rests on a sample.
        truncations: Google's enum names of why data is missing; a number as text where Google invents another.
        time_zone: IANA name of the zone whose day this is, "" where not said.
    """

    data_loss_from_other_row: bool = False
    subject_to_thresholding: bool = False
    sampled: bool = False
    truncations: tuple[str, ...] = ()
    time_zone: str = ""

    def __or__(self, other: "Flags") -> "Flags":
        """What holds of either; of two time zones the later one that is said."""
        return Flags(
            data_loss_from_other_row=self.data_loss_from_other_row or other.data_loss_from_other_row,
            subject_to_thresholding=self.subject_to_thresholding or other.subject_to_thresholding,
            sampled=self.sampled or other.sampled,
            truncations=tuple(dict.fromkeys(self.truncations + other.truncations)),
            time_zone=other.time_zone or self.time_zone,
        )


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One answer to a report.

    Attributes:
        columns: its rows.
        row_count: how many rows the whole report has, by Google's word, whatever this page holds.
        total: the TOTAL aggregation of the event count over the whole report; None where not given.
        flags: what it says about its quality.
        quota: the property's quotas after this request; None where not given.
    """

    columns: Columns
    row_count: int
    total: int | None = None
    flags: Flags = field(default_factory=Flags)
    quota: QuotaState | None = None

    @property
    def rows(self) -> int:
        """Rows of this page."""
        return len(self.columns.ids)


def read_page(
    answer: Any,  # noqa: ANN401 - protobuf has no static type
    dimensions: Sequence[str],
    columns: Columns | None = None,
) -> ReportPage:
    """One answer as columns.

    Args:
        answer: a raw ``RunReportResponse`` message.
        dimensions: names asked for, in order: the audience and the parameter, or the parameter alone.
        columns: its rows, where they were read already and the message is without them.

    Raises:
        MalformedAnswer: its columns are not those asked for, a row has more or fewer, or a count is no count. A
            value that is merely not set counts as "" or 0.
    """
    headers = [header.name for header in answer.dimension_headers]
    if headers != list(dimensions) and (headers or answer.rows or columns):
        raise MalformedAnswer("the columns are not those asked for", _METHOD)
    if columns is not None and len(dimensions) != 1 + bool(columns.audiences):
        raise MalformedAnswer(f"{len(columns.ids)} rows have the wrong number of columns", _METHOD)
    return ReportPage(
        columns=_columns(answer.rows, len(dimensions)) if columns is None else columns,
        row_count=_not_negative(answer.row_count),
        total=_total(answer.totals),
        flags=_flags(answer.metadata),
        quota=quota_of(answer.property_quota) if answer.HasField("property_quota") else None,
    )


def _columns(rows: Any, width: int) -> Columns:  # noqa: ANN401
    """One pass that touches each value once.

    Rows come sorted by audience, so its name is kept once a run of rows instead of once a row.
    """
    audience = ""
    audiences: list[str] = []
    ids: list[str] = []
    texts: list[str] = []
    misfits = 0
    first, last = 0, width - 1
    for row in rows:
        cells, metrics = row.dimension_values, row.metric_values
        if len(cells) != width or len(metrics) != 1:
            misfits += 1
            continue
        name = cells[first].value
        if name != audience:
            audience = name
        audiences.append(audience)
        ids.append(cells[last].value)
        texts.append(metrics[0].value)
    if misfits:
        raise MalformedAnswer(f"{misfits} rows have the wrong number of columns", _METHOD)
    return Columns(audiences if width > 1 else [], ids, _counts(texts))


def _counts(texts: list[str]) -> list[int]:
    try:
        counts = list(map(int, texts))
    except ValueError:
        counts = [_count(text) for text in texts]
    _not_negative(min(counts, default=0))
    return counts


def _count(text: str) -> int:
    try:
        return int(text or "0")
    except ValueError as exc:
        raise MalformedAnswer("an event count is not a whole number", _METHOD) from exc


def _not_negative(count: int) -> int:
    if count < 0:
        raise MalformedAnswer("a count is negative", _METHOD)
    return count


def _total(totals: Any) -> int | None:  # noqa: ANN401
    values = [value.value for row in totals for value in row.metric_values]
    return _count(values[0]) if values else None


def _flags(metadata: Any) -> Flags:  # noqa: ANN401
    """An entry counts by being there, whatever it says: Google may add reasons that this code cannot name."""
    return Flags(
        data_loss_from_other_row=metadata.data_loss_from_other_row,
        subject_to_thresholding=metadata.subject_to_thresholding,
        sampled=len(metadata.sampling_metadatas) > 0,
        truncations=tuple(map(_truncation, metadata.data_truncation_reasons)),
        time_zone=metadata.time_zone,
    )


def _truncation(reason: Any) -> str:  # noqa: ANN401
    names = reason.DESCRIPTOR.fields_by_name["data_truncation_type"].enum_type.values_by_number
    number = reason.data_truncation_type
    return str(names[number].name) if number in names else str(number)


def quota_of(quota: Any) -> QuotaState:  # noqa: ANN401
    """A raw ``PropertyQuota`` message as a plain value; what it leaves out stays unknown, and is not 0."""
    given = {kind: getattr(quota, name) for name, kind in _QUOTA_FIELDS if quota.HasField(name)}
    return QuotaState(
        {
            kind: QuotaStatus(_said(status, "consumed"), _said(status, "remaining"))
            for kind, status in given.items()
        }
    )


def _said(status: Any, name: str) -> int | None:  # noqa: ANN401
    return int(getattr(status, name)) if status.HasField(name) else None


def next_offset(offset: int, page: ReportPage) -> int | None:
    """Where the page after this one begins; None if it was the last.

    A page may be shorter than the limit, so it is its rows that count; an empty page ends a report whatever
    ``row_count`` says, and the reading then shows that rows are missing.
    """
    reached = offset + page.rows
    return reached if page.rows and reached < page.row_count else None
