"""The bench itself: small enough to run among the tests, so that it works on the day somebody wants its numbers."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from ga_sync.index.expression import All, Any_, Not, Segment, is_unbounded
from tests.benchmarks.customer import customer
from tests.benchmarks.goals import goals
from tests.benchmarks.measure import Row, Timing, ms, row
from tests.benchmarks.page import Report, machine, write
from tests.benchmarks.peers import Data, Roaring, duckdb, redis
from tests.benchmarks.questions import as_json, candidates, questions
from tests.benchmarks.side import Line, Ours, gather
from tests.benchmarks.world import PER_RECORDING, Shape, generate, rates

SMALL = Shape(3_000, date(2026, 11, 23), days=6, segments=60)


def test_the_data_is_the_same_each_time_and_has_its_shape() -> None:
    days = list(generate(SMALL))
    assert [day.ids for day in days] == [day.ids for day in generate(SMALL)]
    assert all(len(day.ids) == len(set(day.ids)) == 500 for day in days)
    assert len(set(days[0].ids) & set(days[1].ids)) == 10
    found = sum(day.memberships for day in days) / 3_000
    assert found == pytest.approx(PER_RECORDING, rel=0.05)
    assert rates(200).sum() == pytest.approx(PER_RECORDING)
    assert (np.diff(rates(200)) <= 0).all()


def test_every_question_is_bounded_and_its_json_is_the_doors() -> None:
    asked = questions(SMALL)
    assert not any(map(is_unbounded, (*asked.mixed, asked.three, asked.rare)))
    a, b = Segment("1"), Segment("2")
    assert as_json(All((a, Any_((a, Not(b)))))) == {
        "all": [{"segment": "1"}, {"any": [{"segment": "1"}, {"not": {"segment": "2"}}]}]
    }
    assert len(set(candidates([f"{n:032x}" for n in range(90)], 100, 1))) == 100


def test_a_stored_customer_answers_as_a_peer_does() -> None:
    with customer(3_000, 60) as one:
        index = one.shelf.serve(one.shelf.cache()).index
        data = gather(index, one.shape)
        peer, ours = Roaring(data), Ours(index, one.shelf.size())
        a, b, c = one.shape.names[:3]
        assert peer.page(a, b, c) == ours.page(a, b, c)
        assert peer.count(a, b, c) == ours.count(a, b, c)
        asked = candidates(data.ids, 500, 1)
        assert peer.match(a, b, c, asked) == ours.match(a, b, c, asked)
        values, everything = one.shelf.table_bytes()
        assert 0 < values < everything


def test_what_was_missed_is_shown_as_missed_and_who_is_absent_is_skipped_with_a_word(tmp_path: Path) -> None:
    lines = [
        Line("ga-sync, in process", 0.1, 0.1, 0.1, 1, 2),
        Line("ga-sync, through HTTP", 1, 1, 1, 10),
        Line("PostgreSQL", 3, 30, 1, 50, 60),
        Line("plain pyroaring", 0.01, 0.1, 0.1, 1, 1),
        Line("Redis", absent="redis-server is not installed"),
    ]
    rows = [row("a page", Timing(0.05, 0.9, 100), 0.1, 0.5), Row("bytes", "", "7 MB", None)]
    report = Report("make bench", machine(), [0.1, 1.0], goals=goals(lines), peers=lines, peer_shape="Some.")
    for size in report.sizes:
        report.shapes[size], report.rows[size], report.numbers[size] = "So many.", rows, {"ms": size}
    write(report, tmp_path, datetime(2026, 11, 23, tzinfo=UTC))
    text = (tmp_path / "benchmarks.md").read_text()
    assert "| a page | 0.1 ms median, 0.5 ms p99 | 0.05 ms median, 0.9 ms p99 | missed |" in text
    assert "| Redis | skipped: redis-server is not installed |" in text
    assert "| first page, against plain pyroaring | within 2 times | 10.0 times | missed |" in text
    assert "2026-11-23, " in text
    assert " before." in text
    assert (tmp_path / "benchmarks.svg").read_text().startswith("<svg")
    assert (ms(1500), ms(150), ms(1.234)) == ("1.50 s", "150 ms", "1.23 ms")


def test_peers_that_are_not_installed_are_skipped_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    nothing = Data([], {})
    with redis(nothing) as one, duckdb(nothing) as other:
        assert (one, other) == ("redis-server is not installed", "the package duckdb is not installed")


def test_peers_hold_what_they_were_given() -> None:
    peer = Roaring(
        Data(
            ["a", "b", "c"],
            {
                "1": np.array([0, 1, 2], np.uint32),
                "2": np.array([1, 2], np.uint32),
                "3": np.array([2], np.uint32),
            },
        )
    )
    assert (peer.page("1", "2", "3"), peer.count("1", "2", "3")) == (["b"], 1)
    assert peer.match("1", "2", "3", ["b", "c", "stranger"]) == {"b"}
    assert peer.size() > 0
