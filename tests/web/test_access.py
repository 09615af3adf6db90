"""Who may ask what: keys, roles, customers, and the order in which they are checked."""

import pytest
from sqlalchemy import select

from models.api_key import ApiKey
from tests.web.bench import ACME, GLOBEX, House, HouseMaker, Shared

LINK_CALLS = [
    ("GET", "", "both"),
    ("PATCH", "", "console"),
    ("POST", "/sync", "console"),
    ("GET", "/runs", "console"),
    ("GET", "/runs/x", "console"),
    ("GET", "/days", "both"),
    ("PUT", "/days/2026-11-20/recorded", "store"),
    ("POST", "/pause", "console"),
    ("POST", "/resume", "console"),
    ("GET", "/segments", "both"),
    ("PUT", "/segments/1/label", "console"),
    ("POST", "/recordings/query", "both"),
    ("POST", "/recordings/match", "both"),
    ("POST", "/recordings/count", "both"),
    ("POST", "/recordings/segments", "both"),
    ("POST", "/recordings/explain", "both"),
    ("GET", "/recordings/export?filter=1", "store"),
    ("DELETE", "", "console"),
]
GRANT_CALLS = [
    ("GET", ""),
    ("GET", "/properties"),
    ("GET", "/properties/1/dimensions"),
    ("DELETE", ""),
]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer gas_",
        "Bearer gas_aaaaaaaaaaaaaaaa.wrong",
        "Bearer gas_" + "a" * 500 + "." + "b" * 500,
        "Basic gas_aaaaaaaaaaaaaaaa.wrong",
        "Bearer gas_\u00fc.x",
    ],
)
def test_without_a_good_key_nothing_is_answered(shared: Shared, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    answer = shared.house.client.get(f"{shared.at}/segments", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_secret_or_an_unprefixed_key_is_no_key(shared: Shared) -> None:
    good = shared.house.headers()["authorization"]
    for bad in (good[:-1] + ("a" if good[-1] != "a" else "b"), good.replace("gas_", ""), good + "x"):
        answer = shared.house.client.get(shared.at, headers={"authorization": bad})
        assert answer.status_code == 401


def test_a_revoked_key_is_refused_at_once(fresh: House) -> None:
    fresh.headers("store", ACME)
    text = fresh.keys[f"store {ACME}"]
    assert fresh.call("GET", "/v1/links", role="store", customer=ACME)["links"] == []
    fresh.service.keys.revoke(text.partition(".")[0], "test")
    fresh.call("GET", "/v1/links", role="store", customer=ACME, expect=401)
    fresh.service.keys.revoke(text.partition(".")[0], "test")


def test_a_missing_key_comes_before_everything(shared: Shared) -> None:
    client = shared.house.client
    for method, path, body in (
        ("POST", "/v1/links/nobody/recordings/query", b"{"),
        ("POST", "/v1/grants", b"x" * 100),
        ("GET", "/v1/links?limit=0", b""),
        ("GET", "/v1/customers/\u00e4/export", b""),
    ):
        assert client.request(method, path, content=body).status_code == 401


@pytest.mark.parametrize(("method", "path", "who"), LINK_CALLS)
def test_roles_come_before_the_object(shared: Shared, method: str, path: str, who: str) -> None:
    house = shared.house
    for role in ("console", "store"):
        status = 404 if who in {"both", role} else 403
        answer = house.client.request(
            method, f"/v1/links/nobody{path}", headers=house.headers(role), content=b"{"
        )
        assert answer.status_code == status


@pytest.mark.parametrize(("method", "path"), GRANT_CALLS)
def test_grants_are_the_consoles(shared: Shared, method: str, path: str) -> None:
    house = shared.house
    at = f"/v1/grants/{shared.grant_id}{path}"
    assert house.client.request(method, at, headers=house.headers("store")).status_code == 403
    at = f"/v1/grants/nobody{path}"
    assert house.client.request(method, at, headers=house.headers("console")).status_code == 404


@pytest.mark.parametrize(("method", "path", "who"), LINK_CALLS)
def test_another_customers_link_is_not_found_before_its_body_is_read(
    shared: Shared, method: str, path: str, who: str
) -> None:
    house = shared.house
    role = "store" if who == "store" else "console"
    answer = house.client.request(
        method, f"{shared.at}{path}", headers=house.headers(role, GLOBEX), content=b"{"
    )
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"


@pytest.mark.parametrize(("method", "path"), GRANT_CALLS)
def test_another_customers_grant_is_not_found(shared: Shared, method: str, path: str) -> None:
    at = f"/v1/grants/{shared.grant_id}{path}"
    shared.house.refused("not-found", method, at, role="console", customer=GLOBEX)


def test_another_customer_in_a_body_or_a_list_is_not_found(shared: Shared) -> None:
    house = shared.house
    house.refused(
        "not-found", "POST", "/v1/grants", {"customer_id": ACME, "return_url": "x"}, customer=GLOBEX
    )
    link = {"grant_id": shared.grant_id, "property": "x", "parameter_name": "", "retention_days": 0}
    house.refused("not-found", "POST", "/v1/links", link, customer=GLOBEX)
    house.refused("not-found", "POST", "/v1/links", {**link, "grant_id": "\0"})
    for path in ("/v1/grants", "/v1/links"):
        house.refused("not-found", "GET", f"{path}?customer_id={ACME}&limit=0", customer=GLOBEX)
        assert house.call("GET", path, customer=GLOBEX)[path.removeprefix("/v1/")] == []
    for method, path in (("DELETE", f"/v1/customers/{ACME}"), ("GET", f"/v1/customers/{ACME}/export")):
        house.refused("not-found", method, path, customer=GLOBEX)
        house.refused(
            "not-found", method, f"{path}?customer_id={GLOBEX}&link_id=x&grant_id=y", customer=GLOBEX
        )


def test_only_administrators_read_the_audit_log(shared: Shared) -> None:
    for role in ("console", "store"):
        shared.house.refused("forbidden", "GET", "/v1/audit", role=role)
    assert shared.house.call("GET", "/v1/audit", role="admin")["events"]


def test_an_administrator_may_call_everything(shared: Shared) -> None:
    for path in (shared.at, f"{shared.at}/runs", f"/v1/grants/{shared.grant_id}", "/v1/links"):
        shared.house.call("GET", path, role="admin")


def test_the_use_of_a_key_is_noted_at_most_every_ten_minutes(make_house: HouseMaker) -> None:
    house = make_house()
    house.call("GET", "/v1/links")
    key_id = house.keys["console *"].removeprefix("gas_").partition(".")[0]

    def last_used() -> object:
        with house.service.stores.data.reading() as session:
            return session.scalar(select(ApiKey.last_used_at).where(ApiKey.key_id == key_id))

    assert last_used() == house.clock()
    noted = last_used()
    house.forward(minutes=5)
    house.service.keys.touch(key_id)
    house.service.keys.touch("nobody")
    assert last_used() == noted
    house.forward(minutes=6)
    house.service.keys.touch(key_id)
    assert last_used() == house.clock()
