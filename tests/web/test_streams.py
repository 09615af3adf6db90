"""Exports as streams of bytes: the same two columns in both forms, a batch at a time."""

import json
from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pytest

from ga_sync.web.streams import SCHEMA, arrow, ndjson

ODD = ["plain", 'quo"te', "line\nbreak", "nul\0", "🛒", "é"]
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def batches() -> Iterator[tuple[date, list[str]]]:
    yield TUESDAY, ODD
    yield MONDAY, ["last"]


def test_lines_carry_odd_ids_unchanged() -> None:
    lines = [json.loads(line) for line in b"".join(ndjson(batches())).splitlines()]
    assert [line["recording_id"] for line in lines] == [*ODD, "last"]
    assert [line["last_day"] for line in lines] == ["2026-11-24"] * len(ODD) + ["2026-11-23"]


def test_arrow_carries_the_same() -> None:
    table = pa.ipc.open_stream(b"".join(arrow(batches()))).read_all()
    assert table.schema == SCHEMA
    assert table.column("recording_id").to_pylist() == [*ODD, "last"]
    assert table.column("last_day").to_pylist() == [TUESDAY] * len(ODD) + [MONDAY]


def test_arrow_of_nothing_is_a_stream_without_rows() -> None:
    assert pa.ipc.open_stream(b"".join(arrow(iter(())))).read_all().num_rows == 0


@pytest.mark.parametrize("stream", [ndjson, arrow])
def test_a_stream_holds_one_batch_at_a_time(stream: object) -> None:
    """What was given out is not held: each piece is no larger than its batch."""
    assert callable(stream)
    many = ((MONDAY, [f"{number:032x}" for number in range(1000)]) for _ in range(50))
    assert max(map(len, stream(many))) < 120_000
