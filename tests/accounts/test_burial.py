"""People and keys that are gone stay gone; what was forgotten stays forgotten; whatever backup is restored."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ga_sync.accounts.errors import Invalid, NotSignedIn, SignInRefused
from ga_sync.index.cache import IndexCache
from ga_sync.index.store import AskedLink
from models.errors import DataKeyGone
from models.keyring import Owner
from models.link import Link
from models.user import User
from tests.accounts.test_residue import _backed_up, _restored
from tests.postgres import drop_database
from tests.postgres_server import Server
from tests.web.bench import ACME, GLOBEX, House

SECRET = "four words are enough"


def _person(house: House, email: str, customer: str = ACME) -> str:
    invitation = house.service.users.add(email, "console", customer, "test")
    return house.service.users.set_password(invitation.token, SECRET).user_id


def test_destroying_a_customer_destroys_its_accounts_and_their_keys(fresh: House) -> None:
    gone, stays = _person(fresh, "ada@example.com"), _person(fresh, "bob@example.com", GLOBEX)
    cookie = fresh.service.sessions.sign_in("ada@example.com", SECRET, "home").cookie
    for _ in range(2):
        assert fresh.call("DELETE", f"/v1/customers/{ACME}") == {"customer_id": ACME, "grants": []}
    assert [person.user_id for person in fresh.service.users.listed()] == [stays]
    with pytest.raises(NotSignedIn):
        fresh.service.sessions.person(cookie)
    with pytest.raises(DataKeyGone):
        fresh.service.keyring.sealer(Owner("user", gone))


def test_an_account_whose_key_is_gone_already_is_not_shown(fresh: House) -> None:
    gone = _person(fresh, "ada@example.com")
    fresh.service.keyring.destroy([Owner("user", gone)], ACME, fresh.clock())
    assert fresh.service.users.listed() == []


def test_a_restored_backup_revives_no_account_no_key_and_no_recording(fresh: House) -> None:
    gone = _person(fresh, "ada@example.com")
    disabled, kept = _person(fresh, "bob@example.com", GLOBEX), _person(fresh, "eve@example.com", GLOBEX)
    key = fresh.service.keys.create("store", ACME, "test")
    _, link_id = fresh.linked(GLOBEX)
    segment = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]["segment_id"]
    asked = {"filter": {"segment": segment}, "limit": 1}
    (recording,) = fresh.call("POST", f"/v1/links/{link_id}/recordings/query", asked)["recording_ids"]
    fresh.service.stores.data.checkpoint()
    backup = _backed_up(fresh)
    fresh.call("DELETE", f"/v1/customers/{ACME}")
    fresh.service.users.disable("bob@example.com", "test")
    fresh.service.keys.revoke(key.partition(".")[0], "test")
    fresh.call("POST", f"/v1/links/{link_id}/recordings/forget", {"recording_ids": [recording]})
    restored = _restored(fresh, backup)
    try:
        people = {person.user_id: person.disabled_at for person in restored.users.listed()}
        assert people.keys() == {disabled, kept}
        assert (people[kept], people[disabled] is None) == (None, False)
        with pytest.raises(SignInRefused):
            restored.sessions.sign_in("bob@example.com", SECRET, "home")
        assert [row.revoked_at is None for row in restored.keys.listed() if row.role == "store"] == [False]
        with restored.stores.data.reading() as session:
            assert session.scalars(select(User.user_id).where(User.user_id == gone)).first() is None
            link = session.get_one(Link, link_id)
            index = IndexCache(restored.keyring, 10**9).serve(session, AskedLink.of(link)).index
            assert index.members([recording], None, None) == [frozenset()]
            assert link.forgotten == 1
    finally:
        restored.close()
        if not fresh.service.stores.data.is_sqlite:
            drop_database(Server(fresh.urls[0]), backup)


def test_a_key_ends_by_itself(fresh: House) -> None:
    key = fresh.service.keys.create("console", ACME, "test", timedelta(days=1))
    headers = {"authorization": f"Bearer {key}"}
    assert fresh.client.get("/v1/grants", headers=headers).status_code == 200
    fresh.forward(days=1)
    assert fresh.client.get("/v1/grants", headers=headers).status_code == 401


@pytest.mark.parametrize("lives", [timedelta(0), timedelta(days=-1), timedelta(days=3661)])
def test_a_key_lives_a_sane_time(shared_house: House, lives: timedelta) -> None:
    with pytest.raises(Invalid):
        shared_house.service.keys.create("console", ACME, "test", lives)


def test_two_keys_live_side_by_side_while_they_are_changed(fresh: House) -> None:
    old, new = (fresh.service.keys.create("console", ACME, "test") for _ in range(2))
    for key in (old, new):
        answer = fresh.client.get("/v1/grants", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    fresh.service.keys.revoke(old.partition(".")[0], "test")
    assert fresh.client.get("/v1/grants", headers={"authorization": f"Bearer {old}"}).status_code == 401
    assert fresh.client.get("/v1/grants", headers={"authorization": f"Bearer {new}"}).status_code == 200


def test_links_go_on_at_once_when_their_grant_is_reconnected(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    fresh.forward(hours=2)
    fresh.mood("token_error", error="invalid_grant", method="Refresh")
    fresh.work()
    paused_at = fresh.call("GET", f"/v1/links/{link_id}")["next_sync_at"]
    fresh.calm()
    fresh.forward(minutes=5)
    fresh.consent(grant_id=grant_id)
    link = fresh.call("GET", f"/v1/links/{link_id}")
    assert link["next_sync_at"] < paused_at
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}")["last_run"]["status"] == "succeeded"
