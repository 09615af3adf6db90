"""A customer's days in a database of our own, sealed as the sync seals them, and a server over it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, text

from ga_sync import bootstrap, settings
from ga_sync.accounts.keys import Keys
from ga_sync.index import store as index_store
from ga_sync.index.cache import IndexCache, Served
from ga_sync.index.cipher import LOOKUP
from ga_sync.index.day import build_day_from_columns, encode
from models.day import Day, Reading
from models.keyring import Keyring, Owner, Sealer
from models.link import Link, LinkStatus
from models.segment import Segment
from tests.benchmarks.world import RawDay

CUSTOMER = "bench"
ROOM = 4 << 30
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: counted on the way, because days are not kept."""

    recordings: int
    memberships: int
    bytes: int
    build_seconds: float


class Shelf:
    """One link in one folder; open it again in another process by making it again."""

    def __init__(self, folder: Path, link_id: str = "bench-link") -> None:
        self.folder, self.link_id = folder, link_id
        self.settings = settings.load(
            data_dir=folder, google_client_id="bench", google_client_secret="bench", listen="127.0.0.1:0"
        )
        if not (folder / "keyring.db").exists():
            bootstrap.init_keyring(self.settings)
        self.stores = bootstrap.open_stores(self.settings)
        self.stores.upgrade()
        self.keyring: Keyring = bootstrap.open_keyring(self.settings, self.stores)

    def sealer(self) -> Sealer:
        """The link's."""
        return self.keyring.sealer(Owner("link", self.link_id))

    def fill(self, names: Iterable[str], days: Iterable[RawDay]) -> Stored:
        """Make the link with its segments and publish the days, all in one generation."""
        now = datetime.now(UTC)
        self.keyring.create(Owner("link", self.link_id), CUSTOMER, now)
        with self.stores.data.transaction() as session:
            session.add(_link(self.link_id, now))
            session.add_all(_segment(self.sealer(), self.link_id, name, now) for name in names)
        began, recordings, memberships = time.perf_counter(), 0, 0
        for raw in days:
            self.publish(raw)
            recordings, memberships = recordings + len(raw.ids), memberships + raw.memberships
        took = time.perf_counter() - began
        return Stored(recordings, memberships, self.size(), took)

    def publish(self, raw: RawDay) -> float:
        """Replace one day in a generation of its own; the seconds from the seal on."""
        sealer = self.sealer()
        value = encode(build_day_from_columns(raw.ids, raw.members, sealer.key(LOOKUP)))
        reading = _reading(self.link_id, raw)
        reading.value = sealer.seal(reading.place(), value)
        began = time.perf_counter()
        with self.stores.data.transaction() as session:
            row = session.get(Link, self.link_id)
            assert row is not None
            for table in (Reading, Day):
                session.execute(delete(table).where(table.link_id == self.link_id, table.day == raw.day))
            session.add(reading)
            session.add(_day(reading))
            row.generation, row.as_of = row.generation + 1, datetime.now(UTC)
        return time.perf_counter() - began

    def size(self) -> int:
        """Bytes of the data's file, its log emptied, nothing free in it left out."""
        self.stores.data.checkpoint()
        return (self.folder / "ga_sync.db").stat().st_size

    def table_bytes(self) -> tuple[int, int]:
        """Bytes of the sealed values alone, and of everything in use in the file."""
        with self.stores.data.reading() as session:
            values = session.execute(text("SELECT sum(length(value)) FROM readings")).scalar_one()
            page = session.execute(text("PRAGMA page_size")).scalar_one()
            pages = session.execute(text("PRAGMA page_count")).scalar_one()
            free = session.execute(text("PRAGMA freelist_count")).scalar_one()
        return int(values), int(page) * (int(pages) - int(free))

    def cache(self) -> IndexCache:
        """A cold one."""
        return IndexCache(self.keyring, ROOM, start=lambda _work: None)

    def serve(self, cache: IndexCache, *, partly: bool = False) -> Served:
        """What the cache answers from now."""
        with self.stores.data.reading() as session:
            row = index_store.link(session, self.link_id, CUSTOMER)
            assert row is not None
            return cache.serve(session, row)

    def key(self) -> str:
        """A new API key of a recording store."""
        return Keys(self.stores.data, lambda: datetime.now(UTC), secrets.token_bytes).create(
            "store", CUSTOMER, "bench"
        )

    def close(self) -> None:
        """Close both databases."""
        self.stores.close()


def _link(link_id: str, now: datetime) -> Link:
    return Link(
        link_id=link_id,
        customer_id=CUSTOMER,
        grant_id="bench-grant",
        time_zone="UTC",
        service_level="GOOGLE_ANALYTICS_STANDARD",
        status=LinkStatus.ACTIVE,
        retention_days=120,
        created_at=now - timedelta(days=100),
        first_day=now.date() - timedelta(days=89),
    )


def _segment(sealer: Sealer, link_id: str, name: str, now: datetime) -> Segment:
    row = Segment(
        row_id=f"{link_id}-{name}",
        link_id=link_id,
        customer_id=CUSTOMER,
        misses=0,
        created_at=now - timedelta(days=200),
        listed_at=now,
        name_generation=1,
        label_generation=0,
    )
    row.segment_ref = sealer.blind("segment", name)
    row.segment_id = sealer.seal(row.place("segment_id"), name.encode())
    row.name = sealer.seal(row.place("name", 1), f"Segment {name}".encode())
    return row


def _reading(link_id: str, raw: RawDay) -> Reading:
    now = datetime.now(UTC)
    return Reading(
        reading_id=secrets.token_hex(16),
        link_id=link_id,
        customer_id=CUSTOMER,
        run_id="bench",
        day=raw.day,
        published=True,
        time_zone="UTC",
        began_at=now,
        fetched_at=now,
        state="complete",
        reasons=[],
        recordings=len(raw.ids),
        memberships=raw.memberships,
        rows=raw.memberships,
        junk=0,
    )


def _day(reading: Reading) -> Day:
    return Day(link_id=reading.link_id, day=reading.day, customer_id=CUSTOMER, reading_id=reading.reading_id)


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """The real server over a shelf, in a process of its own: its port and its process id."""
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GA_SYNC_")},
        "GA_SYNC_DATA_DIR": str(folder),
        "GA_SYNC_GOOGLE_CLIENT_ID": "bench",
        "GA_SYNC_GOOGLE_CLIENT_SECRET": "bench",
        "GA_SYNC_LISTEN": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-c", "from ga_sync.cli import main; main()", "serve"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not listen in time")


def resident(pid: int | str = "self") -> int:
    """Bytes of memory that a process holds now; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    line = next((line for line in status.read_text().splitlines() if line.startswith("VmRSS")), "0 0")
    return int(line.split()[1]) * 1024


def newest(days: Iterable[date]) -> date:
    """The newest of them."""
    return max(days)
