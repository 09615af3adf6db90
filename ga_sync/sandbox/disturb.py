"""How report moods change an otherwise true table and its answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from google.analytics.data_v1beta import types

from ga_sync.sandbox.moods import Moods
from ga_sync.sandbox.proto import Message
from ga_sync.sandbox.report import Table

OTHER = "(other)"
_TRUNCATION = types.ResponseMetaData.DataTruncationReason.DataTruncationType
Take = Callable[[str], dict[str, Any] | None]


def taker(moods: Moods, prop: str, user: str, days: Sequence[str]) -> Take:
    """Make the function that uses up a report mood of a property on some days."""
    return lambda kind: moods.take(kind, method="RunReport", property=prop, user=user, days=days)


def _other(table: Table, count: int) -> Table:
    split = max(0, len(table.rows) - count)
    merged: dict[tuple[str, ...], tuple[int, ...]] = {}
    for key, metrics in table.rows[split:]:
        other = (*key[:-1], OTHER)
        before = merged.get(other, (0,) * len(metrics))
        merged[other] = tuple(left + right for left, right in zip(before, metrics, strict=True))
    return replace(table, rows=sorted([*table.rows[:split], *merged.items()]))


def _collapse(table: Table, mood: dict[str, Any]) -> Table:
    kept = table.rows[: round(len(table.rows) * (1 - float(mood.get("share", 0.98))))]
    if mood.get("totals") == "shrink":
        sums = tuple(sum(column) for column in zip(*(metrics for _, metrics in kept), strict=True))
        return replace(table, rows=kept, totals=sums)
    return replace(table, rows=kept)


def table_under(table: Table, take: Take, *, audiences: bool) -> Table:
    """Change the table as the moods ask; `collapse` strikes only reports on audiences."""
    if mood := take("other_rows"):
        table = _other(table, int(mood.get("count", 1)))
    if audiences and (mood := take("collapse")):
        table = _collapse(table, mood)
    if mood := take("rows_below_total"):
        table = replace(table, rows=table.rows[: max(0, len(table.rows) - int(mood.get("count", 1)))])
    if mood := take("duplicate_rows"):
        table = replace(table, rows=sorted([*table.rows, *table.rows[: int(mood.get("count", 1))]]))
    return table


def _truncate(metadata: Message, kinds: Sequence[str | int]) -> None:
    for kind in kinds:
        number = kind if isinstance(kind, int) else _TRUNCATION.__members__[kind].value
        metadata.data_truncation_reasons.add(data_truncation_type=number)


def answer_under(response: Message, offset: int, take: Take) -> None:
    """Change counts and metadata of an answer as the moods ask."""
    metadata = response.metadata
    if take("data_loss_from_other_row"):
        metadata.data_loss_from_other_row = True
    if take("thresholding"):
        metadata.subject_to_thresholding = True
    if mood := take("sampling"):
        metadata.sampling_metadatas.add(
            samples_read_count=int(mood.get("read", 500_000)),
            sampling_space_size=int(mood.get("space", 1_000_000)),
        )
    if mood := take("truncation"):
        _truncate(metadata, mood.get("types", ["DATA_TRUNCATION_TYPE_PROPERTY"]))
    if mood := take("row_count_wrong"):
        response.row_count += int(mood.get("by", 1))
    if offset and (mood := take("row_count_drift")):
        response.row_count += int(mood.get("by", 1))
