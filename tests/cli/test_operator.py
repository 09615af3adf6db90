"""The operator's commands: keyring, databases, keys, audit, health."""

import base64
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ga_sync.sandbox.server import Sandbox
from tests.cli.conftest import Linked
from tests.cli.ended import Cli


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    shown = cli()
    assert shown.code == 2
    assert "sandbox" in shown.out + shown.err


@pytest.mark.parametrize(
    "command",
    [["demo"], ["filter"], ["link", "sync"], ["key", "create"], ["audit", "verify"], ["keyring", "init"]],
)
def test_every_command_has_help(cli: Cli, command: list[str]) -> None:
    shown = cli(*command, "--help")
    assert shown.code == 0
    assert "Usage" in shown.out


@pytest.mark.parametrize(
    "command",
    [["nonsense"], ["link", "show"], ["audit", "--limit", "0"], ["filter", "x", "y", "--limit", "0"]],
)
def test_bad_usage_is_2(cli: Cli, command: list[str]) -> None:
    assert cli(*command).code == 2


def test_the_keyring_is_made_once_and_never_overwritten(cli: Cli, tmp_path: Path) -> None:
    made = cli.value("keyring", "init")
    key = (tmp_path / "var" / "kek.json").read_bytes()
    again = cli("keyring", "init")
    assert (again.code, again.out) == (1, "")
    assert (tmp_path / "var" / "kek.json").read_bytes() == key
    assert cli("db", "upgrade").code == 0
    status = cli.value("keyring", "status")
    assert status["keyring_id"] == made["keyring_id"]
    assert status["kek"].endswith("kek.json")
    assert made["keyring_id"] in cli("keyring", "status").out


def test_upgrading_twice_is_harmless(installed: Cli) -> None:
    done = installed("db", "upgrade")
    assert (done.code, done.out) == (0, "")
    assert installed.value("db", "upgrade") == {"upgraded": ["data", "keyring"]}


def test_a_key_is_shown_once_alone(installed: Cli) -> None:
    made = installed("key", "create", "--role", "store", "--customer", "acme")
    assert made.code == 0
    assert made.out.startswith("gas_")
    assert made.out.count("\n") == 1
    key_id, _, secret = made.out.strip().removeprefix("gas_").partition(".")
    (listed,) = installed.value("key", "list")
    assert listed["role"] == "store"
    assert listed["key_id"] in {key_id, f"gas_{key_id}"}
    shown = installed("key", "list").out
    assert key_id in shown
    assert secret not in shown


def test_a_key_is_shown_to_programs(installed: Cli) -> None:
    made = installed.value("key", "create", "--role", "store", "--customer", "acme")
    assert (made["role"], made["customer_id"]) == ("store", "acme")
    (listed,) = installed.value("key", "list")
    assert listed["key_id"] in made["key"]


@pytest.mark.parametrize(
    "wanted",
    [("nobody", "acme"), ("admin", "acme"), ("store", "not a customer")],
    ids=["a role that does not exist", "an administrator of one customer", "a malformed customer"],
)
def test_a_key_that_cannot_be_is_bad_usage(installed: Cli, wanted: tuple[str, str]) -> None:
    refused = installed("key", "create", "--role", wanted[0], "--customer", wanted[1])
    assert (refused.code, refused.out) == (2, "")
    assert refused.err


def test_a_key_is_revoked_only_after_a_yes(installed: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("key", "create", "--role", "admin", "--customer", "*")
    (key,) = installed.value("key", "list")
    for answer, code in (("n\n", 1), ("", 1), ("y\n", 0)):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert installed("key", "revoke", key["key_id"]).code == code
        (now,) = installed.value("key", "list")
        assert (now["revoked_at"] is None) == (code == 1)


def test_an_unknown_key_is_not_found(installed: Cli) -> None:
    assert installed("key", "revoke", "nobody", "--yes").code == 4


def test_the_audit_log_is_listed_and_verified(installed: Cli) -> None:
    installed("key", "create", "--role", "store", "--customer", "acme")
    installed("key", "create", "--role", "store", "--customer", "globex")
    events = installed.value("audit")
    assert [one["verb"] for one in events] == ["key.create", "key.create"]
    assert [one["customer_id"] for one in installed.value("audit", "--customer", "acme")] == ["acme"]
    assert len(installed.value("audit", "--limit", "1")) == 1
    assert "globex" in installed("audit").out
    assert installed.value("audit", "verify")["whole"] is True


def test_a_broken_chain_is_1(installed: Cli, tmp_path: Path) -> None:
    installed("key", "create", "--role", "store", "--customer", "acme")
    with closing(sqlite3.connect(tmp_path / "var" / "ga_sync.db")) as database, database:
        database.execute("UPDATE audit_events SET customer_id = 'somebody else'")
    broken = installed("audit", "verify", "--json")
    assert broken.code == 1
    assert broken.value["whole"] is False
    assert broken.value["first_broken_event"] is not None


def test_the_doctor_exits_0_with_warnings_alone(installed: Cli) -> None:
    findings = installed.value("doctor")
    assert {one["level"] for one in findings} == {"ok", "warning"}


def test_the_doctor_exits_1_where_google_is_out_of_reach(installed: Cli, google: Sandbox) -> None:
    google.stop()
    ended = installed("doctor", "--json")
    assert ended.code == 1
    assert all(one["advice"] for one in ended.value if one["level"] == "error")


def test_what_was_learnt_is_in_no_table_of_keys(linked: Linked) -> None:
    status = linked.cli.value("keyring", "status")
    assert sum(value for value in status.values() if isinstance(value, int)) >= 2


def test_the_key_encryption_key_is_rotated_again_and_again(installed: Cli) -> None:
    before = installed.value("keyring", "status")
    assert before["kek_versions"] == {"1": before["data_keys"]}
    done = installed.value("keyring", "rotate")
    assert done == {"kek_version": 2, "rewrapped": before["data_keys"], "destroyed_versions": [1]}
    ended = installed("keyring", "rotate")
    assert (ended.code, "new copy of the key file" in ended.err) == (0, True)
    assert installed.value("keyring", "status")["kek_versions"] == {"3": before["data_keys"]}


def test_restored_data_are_accepted_with_a_word_that_the_audit_log_keeps(linked: Linked) -> None:
    cli = linked.cli
    assert cli("keyring", "restored").code == 1
    assert cli.value("keyring", "restored", "--yes") == {"behind": 0}
    assert "keyring.restored" in {one["verb"] for one in cli.value("audit")}


def test_a_key_from_the_environment_is_rotated_to_the_next(
    installed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = installed.value("keyring", "status")["data_keys"]
    monkeypatch.setenv("NEXT", base64.b64encode(b"n" * 32).decode())
    monkeypatch.setenv("GA_SYNC_KEK_NEXT", "env:NEXT")
    ended = installed("keyring", "rotate")
    assert (ended.code, "set GA_SYNC_KEK to the next key" in ended.err) == (0, True)
    monkeypatch.delenv("GA_SYNC_KEK_NEXT")
    assert installed("keyring", "status").code == 3
    monkeypatch.setenv("GA_SYNC_KEK", "env:NEXT")
    assert installed.value("keyring", "status")["data_keys"] == keys
    refused = installed("keyring", "rotate")
    assert (refused.code, "GA_SYNC_KEK_NEXT" in refused.err) == (3, True)
