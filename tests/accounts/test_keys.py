"""API keys: made for a role and a customer, shown once, stored as a hash."""

import pytest
from sqlalchemy import select

from ga_sync.accounts.errors import Invalid, NotFound
from models.api_key import ApiKey
from tests.web.bench import ACME, House


def test_a_key_is_stored_as_a_hash_and_has_160_random_bits(fresh: House) -> None:
    text = fresh.service.keys.create("store", ACME, "test")
    key_id, _, secret = text.removeprefix("gas_").partition(".")
    assert len(secret) == 32
    with fresh.service.stores.data.reading() as session:
        row = session.get_one(ApiKey, key_id)
        assert secret.encode() not in row.secret_hash
        assert len(row.secret_hash) == 32
    assert [row.key_id for row in fresh.service.keys.listed()] == [key_id]


@pytest.mark.parametrize(
    ("role", "customer"),
    [("owner", ACME), ("", ACME), ("store", "a b"), ("console", ""), ("admin", ACME), ("store", "a" * 65)],
)
def test_what_no_key_is_made_for(shared_house: House, role: str, customer: str) -> None:
    with pytest.raises(Invalid):
        shared_house.service.keys.create(role, customer, "test")


def test_revoking_what_is_not_there(shared_house: House) -> None:
    with pytest.raises(NotFound):
        shared_house.service.keys.revoke("nobody", "test")


def test_making_and_revoking_is_in_the_audit_log(fresh: House) -> None:
    key = fresh.service.keys.create("admin", "*", "cli:me")
    fresh.service.keys.revoke(key.partition(".")[0], "cli:me")
    with fresh.service.stores.data.reading() as session:
        assert session.scalar(select(ApiKey.revoked_at)) == fresh.clock()
    events = fresh.call("GET", "/v1/audit", role="admin")["events"]
    assert [(event["verb"], event["actor"]) for event in events[-2:]] == [
        ("key.revoke", "cli:me"),
        ("key.create", "cli:me"),
    ]
