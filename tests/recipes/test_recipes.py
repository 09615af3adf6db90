"""The recipes of a recording store's author: each run against a served house, and held against what it exports."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from ga_sync.client import Refused
from tests.postgres import fresh_pair
from tests.postgres_server import Server
from tests.recipes.conftest import Served

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"
PAGE = ROOT / "docs" / "guides" / "recording-store.md"
follow = runpy.run_path(str(RECIPES / "copy_to_postgresql.py"))["follow"]
NUL = "nul\0inside"


@pytest.fixture
def copy(postgres: Server) -> Iterator[str]:
    """An empty database of the store's own."""
    with fresh_pair(postgres) as urls:
        yield make_url(urls.data).set(drivername="postgresql").render_as_string(hide_password=False)


def run(recipe: str, served: Served, *arguments: str, **variables: str) -> str:
    """Run a recipe as its reader does; what it prints."""
    done = subprocess.run(
        [sys.executable, str(RECIPES / recipe), *arguments],
        env={**os.environ, "API": served.url, "STORE": served.key, **variables},
        capture_output=True,
        check=False,
        timeout=60,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def held(copy: str, link_id: str) -> set[tuple[str, str]]:
    """What the copy says."""
    with psycopg.connect(copy) as database:
        rows = database.execute(
            "SELECT segment_id, recording_id FROM ga_sync_members WHERE link_id = %s", [link_id]
        )
        return set(rows.fetchall())


def expire(served: Served, copy: str) -> None:
    """Let the log be cut behind the place of the copy, and a recording enter and leave meanwhile."""
    served.house.forward(days=8)
    served.house.work()
    with served.client() as client, psycopg.connect(copy) as database:
        row = database.execute("SELECT since FROM ga_sync_places").fetchone()
        assert row is not None
        with pytest.raises(Refused) as refused:
            list(client.changes(served.link_id, since=row[0]))
    assert refused.value.status == 410


def test_ten_lines_print_the_recordings_of_a_filter(served: Served) -> None:
    lines = (RECIPES / "first_list.py").read_text("utf-8").splitlines()
    assert len([line for line in lines if line]) <= 10
    printed = run("first_list.py", served)
    with served.client() as client:
        sizes = {one.segment_id: one.recordings for one in client.segments(served.link_id)}
        smallest, *_, largest = sorted(sizes, key=sizes.__getitem__)
        with client.export(served.link_id, f"{largest} & !{smallest}") as (_, found):
            assert printed == "".join(f"{line.recording_id}\n" for line in found) != ""
        (link,) = client.links()
        told = served.house.call("GET", f"/v1/links/{served.link_id}", role="store")
        assert (link.link_id, link.property, link.days) == (served.link_id, told["property"], told["days"])


def test_a_copy_in_postgresql_says_what_the_export_says_through_everything(served: Served, copy: str) -> None:
    """A first copy, a later day, an erased recording, a place that is too old, a revoked grant."""
    house = served.house

    def step() -> None:
        run("copy_to_postgresql.py", served, served.link_id, COPY=copy)
        assert held(copy, served.link_id) == served.pairs() != set()

    step()
    step()
    house.forward(days=1, hours=2)
    house.work()
    step()
    gone = min(one for _, one in served.pairs())
    house.call("POST", f"/v1/links/{served.link_id}/recordings/forget", {"recording_ids": [gone]})
    step()
    expire(served, copy)
    step()
    house.call("DELETE", f"/v1/grants/{served.grant_id}")
    run("copy_to_postgresql.py", served, served.link_id, COPY=copy)
    assert held(copy, served.link_id) == set()


def test_a_copy_of_a_paused_link_stands_still_and_says_so(served: Served, copy: str) -> None:
    run("copy_to_postgresql.py", served, served.link_id, COPY=copy)
    before = served.pairs()
    served.house.call("POST", f"/v1/links/{served.link_id}/pause")
    with (
        served.client() as client,
        psycopg.connect(copy, autocommit=True) as database,
        pytest.raises(Refused, match="paused"),
    ):
        follow(client, database, served.link_id)
    assert held(copy, served.link_id) == before


def test_an_id_that_postgresql_cannot_hold_is_left_out_and_nothing_else(served: Served, copy: str) -> None:
    property_name = served.house.call("GET", f"/v1/links/{served.link_id}")["property"]
    truth = served.house.truth(property_name)
    day = truth["days"][-1]["day"]
    body = {"property": property_name, "rows": [{"day": day, "user": "odd", "id": NUL, "events": 3}]}
    httpx.post(f"{served.house.sandbox.control_url}/sessions", json=body).raise_for_status()
    served.house.forward(hours=2)
    served.house.work()
    run("copy_to_postgresql.py", served, served.link_id, COPY=copy)
    assert held(copy, served.link_id) == {pair for pair in served.pairs() if "\0" not in pair[1]}


def test_duckdb_holds_what_the_export_says(served: Served, tmp_path: Path) -> None:
    """Twice, with a day between: the second load replaces the first."""
    file = tmp_path / "members.duckdb"
    for _ in range(2):
        run("load_into_duckdb.py", served, served.link_id, str(file))
        with duckdb.connect(str(file), read_only=True) as database:
            loaded = set(database.execute("SELECT segment_id, recording_id FROM members").fetchall())
            names = dict(database.execute("SELECT segment_id, name FROM segments").fetchall())
        assert loaded == served.pairs() != set()
        with served.client() as client:
            assert names == {one.segment_id: one.name for one in client.segments(served.link_id)}
        served.house.forward(days=1, hours=2)
        served.house.work()


@pytest.mark.parametrize("name", sorted(path.name for path in RECIPES.glob("*.py")))
def test_the_page_shows_the_recipe_as_it_is_run(name: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert (RECIPES / name).read_text("utf-8") in blocks
