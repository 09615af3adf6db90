"""An export on its way out, batch by batch: as lines of JSON, or as an Arrow IPC stream."""

import io
from collections.abc import Iterator
from datetime import date

import msgspec
import pyarrow as pa

Batches = Iterator[tuple[date, list[str]]]
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
SCHEMA = pa.schema(
    [pa.field("recording_id", pa.string(), nullable=False), pa.field("last_day", pa.date32(), nullable=False)]
)


def ndjson(batches: Batches) -> Iterator[bytes]:
    """A line ``{recording_id, last_day}`` for each recording."""
    for day, ids in batches:
        last_day = day.isoformat()
        yield b"".join(
            msgspec.json.encode({"recording_id": recording_id, "last_day": last_day}) + b"\n"
            for recording_id in ids
        )


def arrow(batches: Batches) -> Iterator[bytes]:
    """The same two columns, ``recording_id`` and ``last_day`` (date32), a record batch at a time.

    https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
    """
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        for day, ids in batches:
            days = pa.repeat(pa.scalar(day, pa.date32()), len(ids))
            writer.write_batch(pa.record_batch([pa.array(ids, pa.string()), days], schema=SCHEMA))
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    """What was written since the last time; the sink is empty again."""
    written = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return written


STREAMS = {"ndjson": (ndjson, NDJSON), "arrow": (arrow, ARROW)}
