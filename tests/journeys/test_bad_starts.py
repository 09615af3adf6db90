"""What is wrong is said at the start: exit 3 and a sentence that names what to set; nothing is served."""

import base64
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.processes import Machine, free_port

HERE = "http://127.0.0.1:9"
GOOGLE = {
    "GA_SYNC_GOOGLE_CLIENT_ID": "an-id",
    "GA_SYNC_GOOGLE_CLIENT_SECRET": "a-secret-never-shown",
    "GA_SYNC_GOOGLE_AUTH_URI": f"{HERE}/auth",
    "GA_SYNC_GOOGLE_TOKEN_URI": f"{HERE}/token",
    "GA_SYNC_GOOGLE_REVOKE_URI": f"{HERE}/revoke",
    "GA_SYNC_GOOGLE_ADMIN_ENDPOINT": HERE,
    "GA_SYNC_GOOGLE_DATA_ENDPOINT": HERE,
}
REAL_GOOGLE = dict.fromkeys(set(GOOGLE) - {"GA_SYNC_GOOGLE_CLIENT_ID", "GA_SYNC_GOOGLE_CLIENT_SECRET"}, "")
KEY = base64.b64encode(bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Refused:
    """A command with variables that change a sound installation, and what it must say."""

    command: str
    variables: Mapping[str, str]
    says: tuple[str, ...]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation that would start; each test works on a copy."""
    folder = tmp_path_factory.mktemp("sound")
    with Machine(folder, dict(GOOGLE)) as machine:
        machine.install()
    return folder / "var"


@pytest.fixture
def machine(sound: Path, tmp_path: Path) -> Iterator[Machine]:
    shutil.copytree(sound, tmp_path / "var")
    variables = GOOGLE | {"GA_SYNC_LISTEN": f"127.0.0.1:{free_port()}"}
    with Machine(tmp_path, variables) as machine:
        yield machine


def refuses(machine: Machine, start: Refused) -> None:
    """It ends at once with 3, in one sentence without a secret."""
    ended = machine.run(start.command, more=start.variables)
    assert ended.code == 3, ended
    assert ended.stdout == ""
    for words in start.says:
        assert words in ended.stderr, ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "a-secret-never-shown" not in ended.stderr
    assert KEY not in ended.stderr


SETTINGS = {
    "a KEK in the environment that is no key": Refused(
        "serve", {"GA_SYNC_KEK": "env:MY_KEK", "MY_KEK": "not base64!"}, ("MY_KEK", "base64")
    ),
    "a wrong KEK": Refused(
        "serve", {"GA_SYNC_KEK": "env:MY_KEK", "MY_KEK": KEY}, ("env:MY_KEK", "set GA_SYNC_KEK")
    ),
    "plain http off this machine": Refused(
        "serve", {"GA_SYNC_PUBLIC_URL": "http://ga.example.com"}, ("GA_SYNC_PUBLIC_URL", "https")
    ),
    "only some of Google's addresses": Refused(
        "worker", {"GA_SYNC_GOOGLE_TOKEN_URI": ""}, ("all five", "GA_SYNC_GOOGLE_TOKEN_URI")
    ),
    "a Google somewhere else": Refused(
        "serve",
        {"GA_SYNC_GOOGLE_REVOKE_URI": "https://google.example.net/revoke"},
        ("GA_SYNC_GOOGLE_REVOKE_URI", "GA_SYNC_ALLOW_FOREIGN_GOOGLE"),
    ),
    "a moved clock with the real Google": Refused(
        "worker", REAL_GOOGLE | {"GA_SYNC_CLOCK_OFFSET_FILE": "offset"}, ("GA_SYNC_CLOCK_OFFSET_FILE",)
    ),
    "PostgreSQL without a place for the keys": Refused(
        "serve",
        {"GA_SYNC_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/data"},
        ("GA_SYNC_KEYRING_URL",),
    ),
    "a database that does not answer": Refused(
        "worker",
        {
            "GA_SYNC_DATABASE_URL": "postgresql+psycopg://nobody:a-secret-never-shown@127.0.0.1:9/data",
            "GA_SYNC_KEYRING_URL": "postgresql+psycopg://nobody:a-secret-never-shown@127.0.0.1:9/keys",
        },
        ("does not answer", "GA_SYNC_DATABASE_URL"),
    ),
    "no OAuth client": Refused("serve", {"GA_SYNC_GOOGLE_CLIENT_ID": ""}, ("GA_SYNC_GOOGLE_CLIENT_ID",)),
    "an address of another machine": Refused(
        "serve", {"GA_SYNC_LISTEN": "192.0.2.1:80"}, ("GA_SYNC_LISTEN",)
    ),
    "a certificate that is not there": Refused(
        "serve", {"GA_SYNC_TLS_CERT": "no.pem", "GA_SYNC_TLS_KEY": "no.pem"}, ("GA_SYNC_TLS_CERT",)
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_start_with_a_wrong_variable_is_refused(machine: Machine, name: str) -> None:
    refuses(machine, SETTINGS[name])


def test_a_start_before_the_keyring_is_made_is_refused(machine: Machine) -> None:
    shutil.rmtree(machine.folder / "var")
    refuses(machine, Refused("serve", {}, ("keyring", "ga-sync ")))


def test_a_start_before_the_schema_is_made_is_refused(machine: Machine) -> None:
    for path in (machine.folder / "var").glob("ga_sync.db*"):
        path.unlink()
    refuses(machine, Refused("worker", {}, ("data store", "ga-sync db upgrade")))


def test_a_start_on_an_older_schema_is_refused(machine: Machine) -> None:
    with sqlite3.connect(machine.folder / "var" / "ga_sync.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'data_0001'")
    connection.close()
    refuses(machine, Refused("worker", {}, ("data store", "ga-sync db upgrade")))


def test_a_start_without_the_key_file_is_refused(machine: Machine) -> None:
    (machine.folder / "var" / "kek.json").unlink()
    refuses(machine, Refused("serve", {}, ("kek.json",)))


def test_a_start_with_another_key_file_is_refused(machine: Machine) -> None:
    path = machine.folder / "var" / "kek.json"
    body = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(body | {"keys": dict.fromkeys(body["keys"], KEY)}), "utf-8")
    refuses(machine, Refused("worker", {}, ("kek.json", "GA_SYNC_KEK")))


def test_a_start_with_another_keyring_is_refused(machine: Machine) -> None:
    """The data names its keyring; a second one, sound in itself, is not taken for it."""
    bound = machine.done("keyring", "status", "--json").value["keyring_id"]
    other = {"GA_SYNC_KEYRING_URL": f"sqlite:///{machine.folder}/other.db"}
    made = machine.run("keyring", "init", "--json", more=other)
    assert made.code == 0, made
    assert made.value["keyring_id"] != bound
    refuses(machine, Refused("worker", other, ("another keyring", "GA_SYNC_KEYRING_URL")))
