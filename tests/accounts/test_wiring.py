"""The composition root and the doctor: what is refused at the start, and with which sentence."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text, update

from ga_sync import bootstrap, doctor, settings
from models.data_key import DataKey
from models.errors import KekUnusable, KeyringExists, KeyringMismatch, StoreNotReady
from models.keyring import SYSTEM
from models.messages import LIMIT
from models.session import Store
from tests.postgres import DatabaseUrls
from tests.web.bench import House


def _settings(folder: Path, **more: object) -> settings.Settings:
    return settings.load(
        _env_file=None, data_dir=folder, google_client_id="id", google_client_secret="secret", **more
    )


def _levels(found: list[doctor.Finding]) -> dict[str, str]:
    return {finding.what: finding.level for finding in found}


def test_nothing_starts_before_both_stores_are_there(tmp_path: Path) -> None:
    values = _settings(tmp_path)
    with pytest.raises(StoreNotReady):
        bootstrap.Service(values)
    bootstrap.init_keyring(values)
    with pytest.raises(KeyringExists):
        bootstrap.init_keyring(values)
    stores = bootstrap.open_stores(values)
    stores.upgrade()
    stores.close()
    with bootstrap.Service(values) as service:
        assert service.keyring_id


def test_the_wrong_or_a_missing_key_refuses_the_start(tmp_path: Path, fresh: House) -> None:
    values = fresh.service.settings
    for kek in (f"file:{tmp_path / 'nothing.json'}", "env:GA_SYNC_TEST_NO_SUCH_VARIABLE"):
        with pytest.raises(KekUnusable):
            bootstrap.Service(values.model_copy(update={"kek": kek}))
    other = _settings(tmp_path / "other")
    bootstrap.init_keyring(other)
    with pytest.raises(KekUnusable):
        bootstrap.Service(values.model_copy(update={"kek": other.kek}))


def test_an_unknown_provider_of_keys_is_refused(tmp_path: Path) -> None:
    for kek in ("vault:x", "file:", "env:"):
        with pytest.raises(KekUnusable, match="must be file:PATH"):
            bootstrap.open_kek(_settings(tmp_path).model_copy(update={"kek": kek}))


def test_the_data_refuses_another_keyring(tmp_path: Path, fresh: House) -> None:
    other = _settings(tmp_path / "other")
    bootstrap.init_keyring(other)
    mixed = fresh.service.settings.model_copy(update={"keyring_url": other.keyring_url, "kek": other.kek})
    with pytest.raises(KeyringMismatch):
        bootstrap.Service(mixed)
    found = doctor.examine(mixed)
    assert _levels(found)["keyring of this data"] == "error"


def test_of_processes_that_start_together_all_see_the_keyring_of_the_first(
    migrated_urls: DatabaseUrls,
) -> None:
    """A server, a worker and a command, beginning at once on a new database."""
    together = Barrier(4)

    def start(keyring_id: str) -> str:
        store = Store(migrated_urls.data)
        try:
            together.wait()
            bootstrap.bind(store, keyring_id)
        except KeyringMismatch:
            return "refused"
        finally:
            store.close()
        return keyring_id

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(start, ["one"] * 4)) == {"one"}
        assert set(pool.map(start, ["one", "another"] * 2)) == {"one", "refused"}


def test_without_an_oauth_client_nothing_that_calls_google_starts(fresh: House) -> None:
    without = fresh.service.settings.model_copy(update={"google_client_id": ""})
    with pytest.raises(settings.SettingsError):
        bootstrap.Service(without)
    bootstrap.Service(without, google=False).close()


def test_the_clock_is_moved_by_a_file_that_may_be_absent_or_half_written(
    tmp_path: Path, fresh: House
) -> None:
    path = tmp_path / "offset"
    clock = bootstrap.clock_of(fresh.service.settings.model_copy(update={"clock_offset_file": path}))
    near = timedelta(seconds=30)
    assert abs(clock() - datetime.now(UTC)) < near
    for content, offset in (("3600", 3600), ("", 0), ("-86400.5", -86400.5), ("nonsense", 0)):
        path.write_text(content)
        assert abs(clock() - datetime.now(UTC) - timedelta(seconds=offset)) < near
    assert abs(bootstrap.clock_of(fresh.service.settings)() - datetime.now(UTC)) < near


def test_migrations_are_found_beside_the_package() -> None:
    assert (bootstrap.scripts() / "env.py").is_file()


def test_a_stored_day_that_does_not_open_is_shown_as_damaged_and_read_anew(fresh: House) -> None:
    _, link_id = fresh.linked()
    with fresh.service.stores.data.transaction() as session:
        session.execute(
            text("UPDATE readings SET value = :junk WHERE day = '2026-11-22'"), {"junk": b"junk" * 20}
        )
    fresh.service.index.drop(link_id)
    assert fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    damaged = {day["day"]: day for day in fresh.call("GET", f"/v1/links/{link_id}/days")["days"]}[
        "2026-11-22"
    ]
    assert damaged["state"] == "incomplete"
    assert "damaged" in damaged["reasons"]
    fresh.forward(hours=2)
    fresh.work()
    healed = {day["day"]: day for day in fresh.call("GET", f"/v1/links/{link_id}/days")["days"]}["2026-11-22"]
    assert "damaged" not in healed["reasons"]


def test_the_doctor_finds_a_healthy_house_healthy(fresh: House) -> None:
    found = doctor.examine(fresh.service.settings)
    levels = _levels(found)
    assert "error" not in levels.values()
    assert levels["place of the keys"] == "warning"
    assert levels["public address"] == "warning"
    assert all(finding.view()["what"] for finding in found)


def test_the_doctor_warns_of_a_key_that_has_sealed_half_of_what_it_may(fresh: House) -> None:
    with fresh.service.stores.keyring.transaction() as session:
        of_the_system = update(DataKey).where(DataKey.owner_id == SYSTEM.id)
        session.execute(of_the_system.values(messages=LIMIT // 2 + 1))
    [found] = [one for one in doctor.examine(fresh.service.settings) if one.what.startswith("key of")]
    assert (found.level, found.what) == ("warning", "key of system system")
    assert "2147483649 messages, and at 4294967296 it seals no more: before that, begin" in found.advice


def test_the_doctor_says_what_is_missing(tmp_path: Path) -> None:
    values = _settings(tmp_path).model_copy(
        update={
            "google_client_id": "",
            "allow_foreign_google": True,
            "kek": f"file:{tmp_path / 'apart' / 'kek.json'}",
            "public_url": "https://ga.example.com",
            **dict.fromkeys(
                (
                    "google_auth_uri",
                    "google_token_uri",
                    "google_revoke_uri",
                    "google_admin_endpoint",
                    "google_data_endpoint",
                ),
                _closed_port(),
            ),
        }
    )
    found = doctor.examine(values)
    levels = _levels(found)
    for what in ("OAuth client", "keyring store", "data store", "key-encryption key", "keyring"):
        assert levels[what] == "error"
    assert levels["Google"] == "warning"
    assert "place of the keys" not in levels
    assert "public address" not in levels
    assert [one.level for one in found if one.what.startswith("way to Google")] == ["error"] * 5
    assert all(finding.advice for finding in found if finding.level != "ok")


def test_the_doctor_says_when_a_database_does_not_answer(tmp_path: Path, fresh: House) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    broken.chmod(0o600)
    found = doctor.examine(fresh.service.settings.model_copy(update={"database_url": f"sqlite:///{broken}"}))
    assert {one.what: one.advice for one in found}["data store"].startswith("the database does not answer")
    for url in ("postgresql+psycopg://:bad:port/x", "sqlite:////proc/no/such/place.db"):
        found = doctor.examine(fresh.service.settings.model_copy(update={"database_url": url}))
        assert _levels(found)["databases"] == "error"


def test_addresses_without_scheme_or_port_are_reached_where_they_would_be(fresh: House) -> None:
    values = fresh.service.settings
    plain = values.model_copy(
        update={"google_admin_endpoint": "localhost", "google_auth_uri": "http://localhost/auth"}
    )
    found = [one for one in doctor.examine(plain) if one.level == "error"]
    assert {one.advice.partition(" ")[0] for one in found} <= {"localhost:443", "localhost:80"}


def _closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_worker_made_twice_wants_its_upkeep_once(fresh: House) -> None:
    for _ in range(2):
        fresh.service.worker()
    with fresh.service.stores.data.reading() as session:
        wanted = session.scalars(text("SELECT kind FROM jobs")).all()
    assert list(wanted).count("upkeep") == 1
