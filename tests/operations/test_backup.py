"""Backup and restore by the very commands of docs/operations.md, on both kinds of database."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import make_url

from ga_sync import bootstrap
from tests.postgres_server import find_installation
from tests.web.bench import GLOBEX, House, create_app_client

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
AGENCY = "user0@agency.example"


def commands(title: str, kind: str) -> str:
    """The commands that stand under a heading for one kind of database."""
    body = PAGE.read_text("utf-8").split(f"\n### {title}\n", 1)[1]
    body = re.split(r"^#{2,3} ", body, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    (block,) = [one for one in blocks if len(blocks) == 1 or ("pg_" in one) is (kind == "postgresql")]
    return str(block)


class Operator:
    """Somebody with a shell, a house to look after, and two folders for what must not be lost."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.kind = make_url(house.urls[0]).get_backend_name()
        self.kek = house.folder / "kek.json"
        self.work: Callable[[], int] = house.work
        self.backup, self.safe = folder / "backup", folder / "safe"
        for place in (self.backup, self.safe):
            place.mkdir()

    def run(self, title: str) -> None:
        """Do what the page says under a heading."""
        data, keys = (self._place(url) for url in self.house.urls)
        done = subprocess.run(
            ["sh", "-euc", commands(title, self.kind)],
            env={
                "PATH": f"{_programs()}{os.pathsep}{os.environ['PATH']}",
                "DATA": data,
                "KEYS": keys,
                "KEK": str(self.kek),
                "BACKUP": str(self.backup),
                "SAFE": str(self.safe),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def back_up(self) -> None:
        """Save data, keyring and key-encryption key."""
        self.run("Backup of SQLite" if self.kind == "sqlite" else "Backup of PostgreSQL")

    def lose(self, url: str) -> None:
        """Lose a database: the file, or everything in it."""
        self.house.service.close()
        if self.kind == "sqlite":
            for path in Path(self._place(url)).parent.glob(f"{Path(self._place(url)).name}*"):
                path.unlink()
            return
        with psycopg.connect(self._place(url), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def _place(self, url: str) -> str:
        parsed = make_url(url)
        if self.kind == "sqlite":
            return str(parsed.database)
        return parsed.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def started(self, *, told: bool = True) -> Iterator[TestClient[Litestar]]:
        """`ga-sync db upgrade`, `ga-sync keyring restored`, and a server with its worker over what was restored."""
        stores = bootstrap.open_stores(self.house.service.settings)
        stores.upgrade()
        stores.close()
        with bootstrap.Service(self.house.service.settings, clock=self.house.clock) as service:
            if told:
                service.accept_restored()
            service.prepare()
            with create_app_client(service) as client:
                self.work = lambda: service.worker().run_due(limit=50)
                yield client


def _programs() -> str:
    """Where PostgreSQL's programs are that fit the tests' server."""
    installation = find_installation()
    if installation is None:
        return ""
    return str(installation / "bin")


@pytest.fixture
def operator(fresh: House, tmp_path: Path) -> Operator:
    found = Operator(fresh, tmp_path)
    wanted = ("sqlite3",) if found.kind == "sqlite" else ("pg_dump", "pg_restore")
    path = f"{_programs()}{os.pathsep}{os.environ['PATH']}"
    for program in wanted:
        if shutil.which(program, path=path) is None:
            pytest.skip(f"there is no {program} on this machine: the operator's commands cannot be run")
    return found


def everything(client: TestClient[Litestar], house: House, link_id: str) -> dict[str, str]:
    """Segment → what its export says, line by line."""
    headers = house.headers("store")
    listed = client.get(f"/v1/links/{link_id}/segments", headers=headers).raise_for_status().json()
    found = {}
    for one in listed["segments"]:
        query = {"filter": one["segment_id"]}
        answer: httpx.Response = client.get(
            f"/v1/links/{link_id}/recordings/export", params=query, headers=headers
        )
        found[one["name"]] = answer.raise_for_status().text
    return found


def test_a_restored_backup_answers_as_before_and_revives_nothing(operator: Operator) -> None:
    """The data is lost after a revocation: who stayed is answered as before, who left stays gone."""
    house = operator.house
    left, left_link = house.linked()
    stays, link_id = house.linked(GLOBEX, AGENCY)
    house.headers("store")
    before = everything(house.client, house, link_id)
    assert any(before.values())
    operator.back_up()
    house.call("DELETE", f"/v1/grants/{left}")
    operator.lose(house.urls[0])
    operator.run("Restore the data")
    headers = house.headers()
    with operator.started() as client:
        assert everything(client, house, link_id) == before
        assert client.get(f"/v1/links/{left_link}", headers=headers).status_code == 404
        operator.work()
        grant = client.get(f"/v1/grants/{left}", headers=headers).json()
        assert (grant["status"], grant["receipt"]["links"]) == ("revoked", [left_link])
        assert client.get(f"/v1/grants/{stays}", headers=headers).json()["status"] == "active"
        house.forward(hours=2)
        operator.work()
        run = client.get(f"/v1/links/{link_id}", headers=headers).json()["last_run"]
        assert run["status"] == "succeeded"


def test_a_token_of_before_the_grant_was_connected_again_is_used_once_a_restore_is_told(
    operator: Operator,
) -> None:
    house = operator.house
    grant_id, link_id = house.linked()
    operator.back_up()
    house.consent(grant_id=grant_id)
    operator.lose(house.urls[0])
    operator.run("Restore the data")
    headers = house.headers()
    found = []
    for told in (False, True):
        with operator.started(told=told) as client:
            house.forward(hours=2)
            operator.work()
            run = client.get(f"/v1/links/{link_id}", headers=headers).json()["last_run"]
            grant = client.get(f"/v1/grants/{grant_id}", headers=headers).json()
            found.append((run["status"], grant["status"]))
    assert found == [("failed", "active"), ("succeeded", "active")]


def test_nothing_is_left_but_the_copies_and_everything_comes_back(operator: Operator) -> None:
    house = operator.house
    _, link_id = house.linked()
    house.headers("store")
    before = everything(house.client, house, link_id)
    operator.back_up()
    for url in house.urls:
        operator.lose(url)
    operator.kek.unlink()
    operator.run("Restore the data")
    operator.run("Restore a keyring that was lost")
    with operator.started() as client:
        assert everything(client, house, link_id) == before


def test_the_copies_are_for_their_owner_alone_and_hold_nothing_readable(operator: Operator) -> None:
    house = operator.house
    _, link_id = house.linked()
    names = list(everything(house.client, house, link_id))
    operator.back_up()
    copies = [path for place in (operator.backup, operator.safe) for path in place.iterdir()]
    assert len(copies) == 3
    for path in copies:
        assert path.stat().st_mode & 0o077 == 0, path
        content = path.read_bytes()
        assert [name for name in names if len(name) > 8 and name.encode() in content] == []


def test_a_dump_that_does_not_say_for_whom_stops(operator: Operator) -> None:
    """As the page says: row-level security is forced, and a dump without a word about it is refused, not empty."""
    if operator.kind == "sqlite":
        assert "row-level security" not in commands("Backup of SQLite", "sqlite")
        return
    operator.house.linked()
    url = make_url(operator.house.urls[0]).set(drivername="postgresql")
    done = subprocess.run(
        ["pg_dump", url.render_as_string(hide_password=False)],
        env={"PATH": f"{_programs()}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "row-level security" in done.stderr
