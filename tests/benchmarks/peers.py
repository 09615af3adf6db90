"""Other ways to keep the same memberships, asked the same questions, their answers checked equal.

Each peer is given the best that it can have: numbers in the order of the answer in place of ids and days, so that a
first page is an index read from the top. None seals anything.
"""

import contextlib
import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psycopg
from numpy.typing import NDArray
from pyroaring import BitMap
from sqlalchemy import make_url

from tests.postgres import fresh_database, running_server, why_unavailable

Members = dict[str, NDArray[np.uint32]]


@dataclass(frozen=True, slots=True)
class Data:
    """The same for all: ids in the order of the answer, and who is in which segment, by place in that order."""

    ids: list[str]
    members: Members

    @property
    def memberships(self) -> int:
        """How many."""
        return sum(map(len, self.members.values()))


class Peer(Protocol):
    """Answers (A and B) without C."""

    name: str

    def page(self, a: str, b: str, c: str) -> list[str]:
        """Give the first fifty."""
        ...

    def count(self, a: str, b: str, c: str) -> int:
        """Count them."""
        ...

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        """Keep those of these."""
        ...

    def size(self) -> int:
        """Bytes at rest; 0 where there are none."""
        ...


class Roaring:
    """Bitmaps over places, and the ids in a list and a dictionary: the limit."""

    name = "plain pyroaring"

    def __init__(self, data: Data) -> None:
        self._ids = data.ids
        self._place = {id_: place for place, id_ in enumerate(data.ids)}
        self._sets = {name: BitMap(held) for name, held in data.members.items()}
        for held in self._sets.values():
            held.run_optimize()

    def page(self, a: str, b: str, c: str) -> list[str]:
        high, size, sets = 0, 4096, self._sets
        found: list[int] = []
        while len(found) < 50 and high < len(self._ids):
            within = BitMap(range(high, high + size))
            found += (within & sets[a] & sets[b]) - sets[c]
            high, size = high + size, size * 4
        return [self._ids[place] for place in found[:50]]

    def count(self, a: str, b: str, c: str) -> int:
        return (self._sets[a] & self._sets[b]).difference_cardinality(self._sets[c])

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        asked = BitMap([self._place[id_] for id_ in ids if id_ in self._place])
        return {self._ids[place] for place in (asked & self._sets[a] & self._sets[b]) - self._sets[c]}

    def size(self) -> int:
        return sum(len(held.serialize()) for held in self._sets.values()) + 16 * len(self._ids)


PAGE = """SELECT r.id FROM member a JOIN member b USING (place) JOIN recording r USING (place)
WHERE a.segment = {0} AND b.segment = {0}
AND NOT EXISTS (SELECT FROM member c WHERE c.segment = {0} AND c.place = a.place) ORDER BY a.place LIMIT 50"""
COUNT = """SELECT count(*) FROM member a JOIN member b USING (place) WHERE a.segment = {0} AND b.segment = {0}
AND NOT EXISTS (SELECT FROM member c WHERE c.segment = {0} AND c.place = a.place)"""
MATCH = """SELECT r.id FROM recording r WHERE r.id = ANY ({0})
AND EXISTS (SELECT FROM member a WHERE a.segment = {0} AND a.place = r.place)
AND EXISTS (SELECT FROM member b WHERE b.segment = {0} AND b.place = r.place)
AND NOT EXISTS (SELECT FROM member c WHERE c.segment = {0} AND c.place = r.place)"""


class Postgres:
    """A membership table, its primary key leading by segment; prepared statements over its own wire."""

    name = "PostgreSQL"

    def __init__(self, connection: "psycopg.Connection[Any]", data: Data) -> None:
        self._connection, self._names = connection, {name: at for at, name in enumerate(data.members)}
        execute = connection.execute
        execute("SET work_mem = '256MB'")
        execute("SET maintenance_work_mem = '512MB'")
        execute("CREATE TABLE recording (place int, id uuid)")
        execute("CREATE TABLE member (segment smallint, place int)")
        with connection.cursor().copy("COPY recording FROM STDIN") as copy:
            copy.write("".join(f"{place}\t{id_}\n" for place, id_ in enumerate(data.ids)))
        with connection.cursor().copy("COPY member FROM STDIN") as copy:
            for name, held in data.members.items():
                copy.write("".join(f"{self._names[name]}\t{place}\n" for place in held.tolist()))
        execute("ALTER TABLE recording ADD PRIMARY KEY (place)")
        execute("CREATE UNIQUE INDEX ON recording (id) INCLUDE (place)")
        execute("ALTER TABLE member ADD PRIMARY KEY (segment, place)")
        execute("VACUUM (ANALYZE) recording")
        execute("VACUUM (ANALYZE) member")

    def _rows(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        # The server binds the values; only the marks for them stand in the text.
        return self._connection.execute(text.format("%s"), values, prepare=True).fetchall()

    def _numbers(self, *names: str) -> list[int]:
        return [self._names[name] for name in names]

    def page(self, a: str, b: str, c: str) -> list[str]:
        return [row[0].hex for row in self._rows(PAGE, *self._numbers(a, b, c))]

    def count(self, a: str, b: str, c: str) -> int:
        return int(self._rows(COUNT, *self._numbers(a, b, c))[0][0])

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        text = MATCH.replace("ANY ({0})", "ANY ({0}::uuid[])")
        return {row[0].hex for row in self._rows(text, list(ids), *self._numbers(a, b, c))}

    def size(self) -> int:
        found = self._rows("SELECT pg_total_relation_size('member') + pg_total_relation_size('recording')")
        return int(found[0][0])


@contextmanager
def postgres(data: Data) -> Iterator[Peer | str]:
    """The server that the tests use, with memory as for a real one."""
    if reason := why_unavailable(os.environ):
        yield reason
        return
    with running_server(os.environ) as server:
        url = make_url(fresh_database(server)).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            yield Postgres(connection, data)


class Duck:
    """DuckDB in this process, the table sorted by segment and place."""

    name = "DuckDB"

    def __init__(self, connection: Any, path: Path, data: Data) -> None:  # noqa: ANN401 -- it may not be installed
        self._connection, self._path = connection, path
        self._names = {name: at for at, name in enumerate(data.members)}
        connection.execute("CREATE TABLE recording (place INTEGER, id VARCHAR)")
        connection.execute("CREATE TABLE member (segment SMALLINT, place INTEGER)")
        places = np.arange(len(data.ids), dtype=np.int32)
        segments = np.repeat(np.arange(len(data.members), dtype=np.int16), [*map(len, data.members.values())])
        held = np.concatenate(list(data.members.values())).astype(np.int32)
        connection.register("r", {"place": places, "id": np.array(data.ids, dtype=object)})
        connection.register("m", {"segment": segments, "place": held})
        connection.execute("INSERT INTO recording SELECT place, id FROM r")
        connection.execute("INSERT INTO member SELECT segment, place FROM m ORDER BY segment, place")
        connection.execute("CHECKPOINT")

    def _rows(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(text.format("?"), values).fetchall()
        return found

    def page(self, a: str, b: str, c: str) -> list[str]:
        text = PAGE.replace("SELECT FROM", "SELECT 1 FROM")
        return [row[0] for row in self._rows(text, self._names[a], self._names[b], self._names[c])]

    def count(self, a: str, b: str, c: str) -> int:
        text = COUNT.replace("SELECT FROM", "SELECT 1 FROM")
        return int(self._rows(text, self._names[a], self._names[b], self._names[c])[0][0])

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        text = MATCH.replace("SELECT FROM", "SELECT 1 FROM").replace("= ANY ({0})", "IN (SELECT unnest({0}))")
        return {row[0] for row in self._rows(text, list(ids), self._names[a], self._names[b], self._names[c])}

    def size(self) -> int:
        return self._path.stat().st_size


@contextmanager
def duckdb(data: Data) -> Iterator[Peer | str]:
    """DuckDB where its package is installed."""
    if importlib.util.find_spec("duckdb") is None:
        yield "the package duckdb is not installed"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "members.duckdb")
        connection = importlib.import_module("duckdb").connect(str(path))
        with contextlib.closing(connection):
            yield Duck(connection, path, data)


class Redis:
    """Sets in Redis, over its own wire: a place is a member; pages are sorted here, because sets have no order."""

    name = "Redis"

    def __init__(self, wire: "Resp", data: Data) -> None:
        self._wire, self._ids = wire, data.ids
        self._place = {id_: place for place, id_ in enumerate(data.ids)}
        for name, held in data.members.items():
            for start in range(0, len(held), 50_000):
                wire.ask("SADD", name, *held[start : start + 50_000].tolist())

    def page(self, a: str, b: str, c: str) -> list[str]:
        self._wire.ask("SINTERSTORE", "found", a, b)
        self._wire.ask("SDIFFSTORE", "found", "found", c)
        return [self._ids[int(place)] for place in self._wire.ask("SORT", "found", "LIMIT", 0, 50)]

    def count(self, a: str, b: str, c: str) -> int:
        both, all_three = self._wire.ask_all([("SINTERCARD", 2, a, b), ("SINTERCARD", 3, a, b, c)])
        return int(both) - int(all_three)

    def match(self, a: str, b: str, c: str, ids: Sequence[str]) -> set[str]:
        places = [self._place[id_] for id_ in ids if id_ in self._place]
        yes, also, no = self._wire.ask_all([("SMISMEMBER", name, *places) for name in (a, b, c)])
        return {
            self._ids[place]
            for place, one, two, three in zip(places, yes, also, no, strict=True)
            if one and two and not three
        }

    def size(self) -> int:
        lines = self._wire.ask("INFO", "memory").decode().splitlines()
        return int(next(line for line in lines if line.startswith("used_memory:")).partition(":")[2])


class Resp:
    """Redis's protocol, as much of it as is asked here (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._file = connection, connection.makefile("rb")

    def ask(self, *words: object) -> Any:  # noqa: ANN401 -- whatever it answers
        """One command."""
        return self.ask_all([words])[0]

    def ask_all(self, commands: Sequence[Sequence[object]]) -> list[Any]:
        """Several at once."""
        self._connection.sendall(b"".join(map(_command, commands)))
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:  # noqa: ANN401 -- whatever it answers
        kind, rest = (line := self._file.readline())[:1], line[1:].strip()
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if kind == b"$":
            return self._file.read(int(rest) + 2)[:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest


def _command(words: Sequence[object]) -> bytes:
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


@contextmanager
def redis(data: Data) -> Iterator[Peer | str]:
    """A server of our own where Redis is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield "redis-server is not installed"
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield Redis(Resp(_connected(port)), data)
    finally:
        process.terminate()
        process.wait(10)


def _connected(port: int) -> socket.socket:
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port))
        time.sleep(0.05)
    raise TimeoutError("redis-server did not start")


@contextmanager
def roaring(data: Data) -> Iterator[Peer | str]:
    """Always there."""
    yield Roaring(data)


PEERS: dict[str, Callable[[Data], Any]] = {
    "plain pyroaring": roaring,
    "PostgreSQL": postgres,
    "Redis": redis,
    "DuckDB": duckdb,
}
