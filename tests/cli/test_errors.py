"""What goes wrong becomes a sentence and an exit code."""

import socket
from pathlib import Path

import pytest

from tests.cli.ended import Cli

SECRET = "never-shown"


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"GA_SYNC_KEK": "env:NOT_SET"}, "NOT_SET"),
        ({"GA_SYNC_SYNC_INTERVAL": "soon"}, "GA_SYNC_SYNC_INTERVAL"),
        ({"GA_SYNC_DATA_DIR": "/dev/null/var"}, "/dev/null"),
        (
            {
                "GA_SYNC_DATABASE_URL": f"postgresql+psycopg://ga:{SECRET}@127.0.0.1:9/data",
                "GA_SYNC_KEYRING_URL": f"postgresql+psycopg://ga:{SECRET}@127.0.0.1:9/keys",
            },
            "the database does not answer",
        ),
    ],
    ids=["no key", "a bad value", "a folder that cannot be", "a dead database"],
)
def test_a_wrong_configuration_is_3(
    installed: Cli, variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for command in (("keyring", "status"), ("db", "upgrade"))[: 1 if "GA_SYNC_KEK" in variables else 2]:
        ended = installed(*command)
        assert (ended.code, ended.out) == (3, ""), ended
        assert says in ended.err
        assert SECRET not in ended.err
        assert len(ended.err.strip().splitlines()) == 1


def test_before_anything_was_made_the_next_step_is_named(cli: Cli) -> None:
    ended = cli("link", "list")
    assert ended.code == 3
    assert "ga-sync" in ended.err


def test_a_table_needs_its_mapping(cli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")
    assert cli("sandbox", "--table", str(table)).code == 2
    assert cli("sandbox", "--table", str(tmp_path / "absent.csv"), "--mapping", str(table)).code == 2


def test_a_mapping_that_does_not_fit_is_bad_usage(cli: Cli, tmp_path: Path) -> None:
    table, mapping = tmp_path / "table.csv", tmp_path / "mapping.json"
    table.write_text("a\n1\n")
    mapping.write_text("{}")
    ended = cli("sandbox", "--table", str(table), "--mapping", str(mapping))
    assert ended.code == 2
    assert ended.err.strip()


@pytest.mark.parametrize("port", ["--http-port", "--grpc-port", "--control-port"])
def test_a_port_that_is_taken_is_3(cli: Cli, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = cli("sandbox", port, str(taken.getsockname()[1]))
    assert ended.code == 3
    assert "cannot be used" in ended.err
