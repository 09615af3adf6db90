"""Load who is in which segment into a DuckDB file, by the export as Arrow IPC.

API=https://ga.example.com STORE=gas_… python load_into_duckdb.py LINK members.duckdb

Nothing is held in memory but a batch at a time; who reads the file sees the old tables until the new ones are
whole. It needs `pip install duckdb pyarrow`.
"""

import io
import os
import sys
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from ga_sync.client import Client

TABLES = """
CREATE OR REPLACE TABLE segments (segment_id TEXT PRIMARY KEY, name TEXT, label TEXT, archived BOOLEAN);
CREATE OR REPLACE TABLE members (segment_id TEXT, recording_id TEXT, last_day DATE);
"""


class Stream(io.RawIOBase):
    """Parts of bytes as a file to read, which is what Arrow asks for."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        """Fill the room with what comes next; 0 at the end."""
        self._rest = self._rest or next(self._parts, b"")
        taken, self._rest = self._rest[: len(room)], self._rest[len(room) :]
        room[: len(taken)] = taken
        return len(taken)


def load(client: Client, database: duckdb.DuckDBPyConnection, link_id: str) -> None:
    """Replace both tables in one transaction."""
    database.begin()
    database.execute(TABLES)
    for segment in client.segments(link_id):
        row = [segment.segment_id, segment.name, segment.label, segment.archived]
        database.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", row)
        with client.export_arrow(link_id, segment.segment_id) as parts:
            batches = pa.ipc.open_stream(io.BufferedReader(Stream(parts)))
            database.register("batches", batches)
            database.execute(
                "INSERT INTO members SELECT ?, recording_id, last_day FROM batches", [segment.segment_id]
            )
            database.unregister("batches")
    database.commit()


def main() -> None:
    """Load one link into one file."""
    with (
        Client(os.environ["API"], os.environ["STORE"]) as client,
        duckdb.connect(sys.argv[2]) as database,
    ):
        load(client, database, sys.argv[1])


if __name__ == "__main__":
    main()
