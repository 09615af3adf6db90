"""After destruction no file and no table says anything; and a restored backup learns what was destroyed."""

import shutil
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, select, text

from ga_sync import bootstrap
from models.grant import Grant
from models.link import Link
from oauth import places
from tests.postgres import drop_database, fresh_database
from tests.postgres_server import Server
from tests.web.bench import House, HouseMaker, create_app_client


def _canaries(house: House, link_id: str) -> dict[str, bytes]:
    """What must be readable nowhere, while the link lives nor afterwards."""
    link = house.call("GET", f"/v1/links/{link_id}")
    segments = house.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    days = house.truth(link["property"])["days"]
    ids = {one for day in days[-3:] for kinds in day["audiences"].values() for one in kinds["visible"]}
    names = {one["name"] for one in segments if len(one["name"]) > 10}
    texts = {
        "property": link["property"].removeprefix("properties/"),
        "display name": link["display_name"],
        "parameter": link["parameter_name"],
        **{f"segment {one['segment_id']}": one["segment_id"] for one in segments},
        **{f"name {name}": name for name in names},
        **{f"id {one}": one for one in ids if len(one) > 12},
    }
    return {what: text_.encode() for what, text_ in texts.items()} | {
        "token": _token(house, link["grant_id"])
    }


def _token(house: House, grant_id: str) -> bytes:
    with house.service.stores.data.reading() as session:
        row = session.get_one(Grant, grant_id)
    assert row.token is not None
    place = places.grant_token(row.customer_id, grant_id, row.token_generation)
    return house.service.keyring.sealer(places.grant_owner(grant_id)).open(place, row.token)


def _everything(house: House) -> Iterator[tuple[str, bytes]]:
    """Every file of SQLite, logs included; every column of every table of PostgreSQL."""
    for url in house.urls:
        if url.startswith("sqlite"):
            for path in house.folder.iterdir():
                if path.is_file():
                    yield path.name, path.read_bytes()
            continue
        with psycopg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        ) as connection:
            connection.execute("SET ga_sync.customer = '*'")
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
                ).fetchall()
                raw = b"\n".join(
                    bytes(value) if isinstance(value, bytes) else str(value).encode()
                    for row in rows
                    for value in row
                )
                yield table, raw


def _readable(house: House, canaries: dict[str, bytes]) -> list[str]:
    places = list(_everything(house))
    assert places
    return [
        f"{what} in {place}" for place, raw in places for what, canary in canaries.items() if canary in raw
    ]


def test_nothing_is_readable_in_any_file_before_or_after_a_revocation(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    canaries = _canaries(fresh, link_id)
    assert len(canaries) > 20
    segment = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]["segment_id"]
    fresh.call("PUT", f"/v1/links/{link_id}/segments/{segment}/label", {"label": "canary-label-of-mine"})
    canaries["label"] = b"canary-label-of-mine"
    assert _readable(fresh, canaries) == []
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    assert _readable(fresh, canaries) == []


def test_the_ciphertext_itself_leaves_every_file_of_sqlite(make_house: HouseMaker) -> None:
    house = make_house()
    if not house.service.stores.data.is_sqlite:
        pytest.skip(
            "PostgreSQL keeps deleted rows until it is vacuumed: what stays is ciphertext without a key"
        )
    grant_id, link_id = house.linked()
    with house.service.stores.data.reading() as session:
        token = session.scalar(text("SELECT token FROM grants"))
        values = [*session.scalars(text("SELECT value FROM readings")), token]
    with house.service.stores.keyring.reading() as session:
        wrapped = session.scalars(
            text("SELECT wrapped FROM data_keys WHERE owner_id IN (:grant, :link)"),
            {"grant": grant_id, "link": link_id},
        ).all()
    canaries = {f"value {n}": bytes(value)[40:72] for n, value in enumerate([*values, *wrapped])}
    assert _readable(house, canaries)
    house.call("DELETE", f"/v1/grants/{grant_id}")
    assert _readable(house, canaries) == []


def test_the_audit_log_names_no_personal_value(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    canaries = _canaries(fresh, link_id)
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    events = str(fresh.call("GET", "/v1/audit?limit=1000", role="admin")).encode()
    assert [what for what, canary in canaries.items() if canary in events] == []


def test_a_restored_data_backup_learns_what_was_destroyed(fresh: House) -> None:
    grant_id = fresh.consent(user="user0@agency.example")
    kept_grant = fresh.consent(user="user1@agency.example")
    one, two = fresh.link(grant_id, 0), fresh.link(grant_id, 1)
    kept, removed = fresh.link(kept_grant, 2), fresh.link(kept_grant, 3)
    fresh.work()
    fresh.service.stores.data.checkpoint()
    backup = _backed_up(fresh)
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    fresh.call("DELETE", f"/v1/links/{removed}")
    restored = _restored(fresh, backup)
    try:
        assert restored.purge.bury_again() == 0, "preparing did it all"
        with restored.stores.data.reading() as session:
            states = {row.link_id: row.status for row in session.scalars(select(Link))}
        assert states == {one: "removed", two: "removed", removed: "removed", kept: "active"}
        restored.worker().run_due(limit=20)
        with create_app_client(restored) as client:
            headers = fresh.headers()
            grant = client.get(f"/v1/grants/{grant_id}", headers=headers).json()
            assert grant["status"] == "revoked"
            assert grant["receipt"]["google"] == "revoked"
            assert sorted(grant["receipt"]["links"]) == sorted([one, two])
            assert client.get(f"/v1/links/{one}", headers=headers).status_code == 404
            assert client.get(f"/v1/links/{kept}", headers=headers).json()["status"] == "active"
            segments = client.get(f"/v1/links/{kept}/segments", headers=headers).json()["segments"]
            assert segments
    finally:
        restored.close()
        if not fresh.service.stores.data.is_sqlite:
            drop_database(Server(fresh.urls[0]), backup)


def _backed_up(house: House) -> str:
    """A copy of the data alone, as of now; the keyring is not part of it."""
    if house.service.stores.data.is_sqlite:
        shutil.copy2(house.folder / "data.db", house.folder / "backup.db")
        return f"sqlite:///{house.folder / 'backup.db'}"
    house.service.stores.data.close()
    return fresh_database(Server(house.urls[0]), house.urls[0])


def _restored(house: House, backup: str) -> bootstrap.Service:
    values = house.service.settings.model_copy(update={"database_url": backup})
    service = bootstrap.Service(values, clock=house.clock)
    service.prepare()
    return service
