"""The ways of reading one large day, each in a process of its own, so that its peak of memory is its own.

`python -m tests.benchmarks.sync_readers WAY PORT ROWS FOLDER` prints one JSON object: rows, CPU seconds, wall seconds
and the peak of memory in MB.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import msgspec
from google.analytics.data_v1beta import BetaAnalyticsDataClient
from google.analytics.data_v1beta import types as data
from google.analytics.data_v1beta.services.beta_analytics_data.transports import (
    BetaAnalyticsDataGrpcTransport,
)
from google.protobuf import json_format

from ga_sync import bootstrap, settings
from ga_sync.analytics import requests
from ga_sync.analytics.client import AnalyticsClient
from ga_sync.index.cache import IndexCache
from ga_sync.index.store import AskedLink
from ga_sync.sync import store as sync_store
from ga_sync.sync.budget import AdminBudget
from ga_sync.sync.pipeline import Pipeline, Policy
from jobs import store as jobs_store
from jobs.registry import Held
from models.keyring import Keyring, Owner
from models.link import Link, LinkStatus
from tests.benchmarks.sync_google import PAGE, PARAMETER, PROPERTY, names

DAY = datetime.now(UTC).date()
MIB = 1024.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a way of reading cost."""

    way: str
    rows: int
    cpu: float
    wall: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Rows a second of CPU time."""
        return self.rows / self.cpu


def official(port: int) -> BetaAnalyticsDataClient:
    """Google's own client, as its samples make it, on this machine."""
    options = [("grpc.max_receive_message_length", 256 << 20)]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
    return BetaAnalyticsDataClient(transport=BetaAnalyticsDataGrpcTransport(channel=channel))


def request_at(offset: int) -> data.RunReportRequest:
    """The request for one page."""
    return requests.day_report(PROPERTY, PARAMETER, DAY, names(), offset)


def sample_loop(port: int, rows: int, _folder: Path, begin: Callable[[], None]) -> int:
    """As in Google's samples: iterate over the rows of each page and take the values, nothing more."""
    client, read, last = official(port), 0, ("", "", "")
    begin()
    for offset in range(0, rows, PAGE):
        response = client.run_report(request_at(offset))
        for row in response.rows:
            last = (row.dimension_values[0].value, row.dimension_values[1].value, row.metric_values[0].value)
            read += 1
    assert last[2]
    return read


def rest_by_hand(port: int, rows: int, folder: Path, begin: Callable[[], None]) -> int:
    """The same pages as JSON bodies, decoded at once; neither the network nor the making of the JSON is counted."""
    bodies = [folder / f"{offset}.json" for offset in range(0, rows, PAGE)]
    if not bodies[0].exists():
        client = official(port)
        for offset, body in zip(range(0, rows, PAGE), bodies, strict=True):
            answer = data.RunReportResponse.pb(client.run_report(request_at(offset)))
            body.write_text(json_format.MessageToJson(answer, indent=None))
        return 0
    read, last = 0, ("", "", "")
    begin()
    for body in bodies:
        for row in msgspec.json.decode(body.read_bytes())["rows"]:
            audience, recording = row["dimensionValues"]
            last = (audience["value"], recording["value"], row["metricValues"][0]["value"])
            read += 1
    assert last[2]
    return read


class Anybody:
    """A grant that is always good."""

    def access_token(self, grant_id: str, *, refused: str | None = None) -> str:
        return f"{grant_id}{refused or ''}"


def ours(port: int, _rows: int, folder: Path, begin: Callable[[], None]) -> int:
    """A whole run: fetched, grouped, judged, sealed, committed, and served from the committed generation."""
    wired = settings.load(data_dir=folder, google_client_id="bench", google_client_secret="bench")
    bootstrap.init_keyring(wired)
    stores = bootstrap.open_stores(wired)
    stores.upgrade()
    keyring = bootstrap.open_keyring(wired, stores)
    link_id = _linked(stores, keyring)
    endpoint = f"http://127.0.0.1:{port}"

    def now() -> datetime:
        return datetime.now(UTC)

    with AnalyticsClient(endpoint, endpoint) as google:
        pipeline = Pipeline(
            stores.data,
            keyring,
            google,
            Anybody(),  # type: ignore[arg-type]  # the pipeline asks for nothing else
            Policy(timedelta(hours=1), 1, 1.0),
            AdminBudget(stores.data, 1000, now),
            clock=now,
            jitter=lambda: 0.5,
            new_id=lambda: str(uuid4()),
        )
        with stores.data.transaction() as session:
            jobs_store.enqueue(session, "sync", link_id, "bench", now(), lambda: str(uuid4()))
            task = jobs_store.claim(session, ["sync"], now(), "bench", timedelta(minutes=10))
        assert task is not None
        begin()
        pipeline(task, Held())
    return _served(stores, keyring, link_id)


def _linked(stores: bootstrap.Stores, keyring: Keyring) -> str:
    now, link_id = datetime.now(UTC), str(uuid4())
    sealer = keyring.create(Owner("link", link_id), "bench", now)
    row = Link(
        link_id=link_id,
        customer_id="bench",
        grant_id="grant",
        unique_ref=b"x",
        property_ref=b"y",
        time_zone="UTC",
        service_level="GOOGLE_ANALYTICS_360",
        status=LinkStatus.ACTIVE,
        retention_days=1,
        created_at=now,
        first_day=DAY,
    )
    for column, text in (("property", PROPERTY), ("display_name", "Shop"), ("parameter_name", PARAMETER)):
        setattr(row, column, sealer.seal(row.place(column), text.encode()))
    with stores.data.transaction() as session:
        session.add(row)
    return link_id


def _served(stores: bootstrap.Stores, keyring: Keyring, link_id: str) -> int:
    """How many rows the run read, after proving that every membership of them is served."""
    with stores.data.reading() as session:
        row = session.get(Link, link_id)
        assert row is not None
        served = IndexCache(keyring, 1 << 30).serve(session, AskedLink.of(row))
        assert served.index.days == (DAY,)
        readings = sync_store.published(session, link_id, "bench")
        run = sync_store.run(session, readings[0].run_id, "bench")
    assert run is not None
    assert run.status == "succeeded"
    assert readings[0].memberships == run.rows
    return run.rows


class Meter:
    """CPU and wall clock since the work itself began."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """From here on it counts."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def spent(self) -> tuple[float, float]:
        """CPU seconds of all threads, and seconds."""
        return time.process_time() - self._cpu, time.perf_counter() - self._wall


WAYS: dict[str, Callable[[int, int, Path, Callable[[], None]], int]] = {
    "ours": ours,
    "sample loop": sample_loop,
    "REST by hand": rest_by_hand,
}


def main() -> None:
    """Read once and print what it cost."""
    way, port, rows, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    meter = Meter()
    read = WAYS[way](port, rows, folder, meter.begin)
    cpu, wall = meter.spent()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    spent = {"way": way, "rows": read, "cpu": cpu, "wall": wall, "peak_mb": peak}
    sys.stdout.write(json.dumps(spent) + "\n")
    sys.stdout.flush()
    os._exit(0)  # neither the driver nor gRPC has anything left to say


if __name__ == "__main__":
    main()
