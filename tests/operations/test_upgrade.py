"""An upgrade without a pause: the old version on the schema of the next one."""

from pathlib import Path

from ga_sync import bootstrap
from models.migrate import upgrade
from tests.models.test_migrate import KINDS, next_version
from tests.web.bench import House, create_app_client


def test_a_service_goes_on_and_comes_back_on_the_next_version_s_schema(fresh: House, tmp_path: Path) -> None:
    """A link made before is read and answered after; another is made; a restarted process does the same."""
    _, before = fresh.linked()
    stores = fresh.service.stores
    for kind in KINDS:
        store = stores.data if kind == "data" else stores.keyring
        upgrade(store, next_version(tmp_path / kind, kind, expands=True), kind)
    fresh.forward(hours=2)
    fresh.work()
    _, after = fresh.linked("globex", "user0@agency.example")
    with (
        bootstrap.Service(fresh.service.settings, clock=fresh.clock) as again,
        create_app_client(again) as client,
    ):
        for link_id in (before, after):
            link = client.get(f"/v1/links/{link_id}", headers=fresh.headers()).json()
            assert link["last_run"]["status"] == "succeeded"
            segments = client.get(f"/v1/links/{link_id}/segments", headers=fresh.headers()).json()
            assert sum(one["recordings"] for one in segments["segments"])
        receipt = client.delete(f"/v1/links/{before}", headers=fresh.headers())
        assert receipt.status_code == 200
