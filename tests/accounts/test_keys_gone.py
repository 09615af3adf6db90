"""A link whose key is destroyed while its rows still stand, as between the two steps of a removal."""

from pathlib import Path

import pytest

from ga_sync import bootstrap, settings
from ga_sync.settings import SettingsError
from models.keyring import Owner
from models.link import Link
from tests.web.bench import ACME, House


def test_neither_changes_nor_forgetting_are_answered(fresh: House) -> None:
    _, link_id = fresh.linked()
    fresh.service.keyring.destroy([Owner("link", link_id)], ACME, fresh.clock())
    fresh.service.index.drop(link_id)
    fresh.refused("not-found", "GET", f"/v1/links/{link_id}/changes", role="store")
    fresh.refused("not-found", "POST", f"/v1/links/{link_id}/recordings/forget", {"recording_ids": ["a"]})


def test_retention_passes_it_by(fresh: House) -> None:
    _, link_id = fresh.linked()
    fresh.service.keyring.destroy([Owner("link", link_id)], ACME, fresh.clock())
    fresh.service.retention.apply_to(link_id, ACME)
    with fresh.service.stores.data.reading() as session:
        link = session.get(Link, link_id)
    assert link is not None
    assert link.status == "active"


def test_a_webhook_secret_of_another_form_is_refused(tmp_path: Path) -> None:
    values = settings.load(
        _env_file=None,
        data_dir=tmp_path,
        google_client_id="a",
        google_client_secret="b",
        webhook_url="https://console.example/events",
        webhook_secret="no secret of that form",
    )
    bootstrap.init_keyring(values)
    stores = bootstrap.open_stores(values)
    stores.upgrade()
    stores.close()
    with pytest.raises(SettingsError):
        bootstrap.Service(values)
