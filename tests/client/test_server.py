"""The client against the real doors: every question, with the answers that the index itself gives."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from litestar.testing import TestClient

from ga_sync import bootstrap
from ga_sync.client import Client, Refused, Window, all_, not_, segment
from ga_sync.index.expression import All, Not, Segment
from ga_sync.index.query import LinkIndex
from ga_sync.web.app import create_app
from tests.benchmarks.shelf import Shelf
from tests.benchmarks.world import Shape, generate

FILTER = all_(segment("9000000000"), not_(segment("9000000001")))
EXPRESSION = All((Segment("9000000000"), Not(Segment("9000000001"))))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shape = Shape(1_000, datetime.now(UTC).date(), days=5, segments=60)
    shelf = Shelf(tmp_path_factory.mktemp("client"))
    shelf.fill(shape.names, generate(shape))
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def index(shelf: Shelf) -> LinkIndex:
    return shelf.serve(shelf.cache()).index


@pytest.fixture(scope="module")
def client(shelf: Shelf) -> Iterator[Client]:
    with bootstrap.Service(shelf.settings) as service, TestClient(create_app(service)) as http:
        yield Client("http://testserver.local", shelf.key(), http=http)


def test_pages_counts_and_exports_agree_with_the_index(
    client: Client, shelf: Shelf, index: LinkIndex
) -> None:
    exported = list(index.export(EXPRESSION, None, None))
    assert list(client.every(shelf.link_id, FILTER, limit=70)) == [id_ for id_, _ in exported]
    assert client.count(shelf.link_id, FILTER).count == len(exported)
    with client.export(shelf.link_id, "9000000000 & !9000000001") as (about, lines):
        assert [(line.recording_id, line.last_day) for line in lines] == exported
    assert about.as_of is not None


def test_windows_and_groups_are_taken(client: Client, shelf: Shelf, index: LinkIndex) -> None:
    today = datetime.now(UTC).date()
    window = Window(today - timedelta(days=2), today - timedelta(days=1))
    found = client.count(shelf.link_id, FILTER, window, by="day")
    assert found.by is not None
    expected = index.count_by_day(EXPRESSION, window.first, window.last)
    assert [(date.fromisoformat(group.key), group.count) for group in found.by] == expected


def test_candidates_are_matched_explained_and_looked_up(
    client: Client, shelf: Shelf, index: LinkIndex
) -> None:
    known = [id_ for id_, _ in index.export(Segment("9000000000"), None, None)][:20]
    asked = [*known, "stranger"]
    truths = index.match(EXPRESSION, asked, None, None)
    expected = [id_ for id_, truth in zip(asked, truths, strict=True) if truth]
    assert client.match(shelf.link_id, FILTER, asked).matches == expected
    explained = client.explain(shelf.link_id, FILTER, asked).recordings
    assert [one.match for one in explained] == truths
    held = client.memberships(shelf.link_id, asked).recordings
    assert [set(one.segment_ids) for one in held] == [
        set(found) for found in index.members(asked, None, None)
    ]
    assert client.count(shelf.link_id, FILTER, among=asked).count == len(expected)


def test_segments_and_days_are_listed_and_coverage_is_told(client: Client, shelf: Shelf) -> None:
    assert len(list(client.segments(shelf.link_id))) == 60
    newest = max(one.day for one in client.days(shelf.link_id))
    client.put_recorded(shelf.link_id, newest, 400)
    assert {one.day: one.recorded for one in client.days(shelf.link_id)}[newest] == 400


def test_refusals_carry_their_slug(client: Client, shelf: Shelf) -> None:
    with pytest.raises(Refused) as caught:
        client.query(shelf.link_id, segment("1"))
    assert (caught.value.status, caught.value.slug) == (422, "unknown-segment")
