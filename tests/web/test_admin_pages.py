"""Administrators: the fleet, one link, grants and revoking, keys, people, audit."""

import re

import pytest

from models.audit_event import AuditEvent
from models.grant import Grant, GrantStatus
from tests.web.bench import ACME, House
from tests.web.walks import form, send, sign_in

AGENCY_USER = "analytics@agency.example"


@pytest.fixture
def admin(fresh: House) -> tuple[House, str, str]:
    """A grant and a link, and an administrator who is signed in."""
    grant_id, link_id = fresh.linked()
    sign_in(fresh, "root@operator.example", "admin", "*")
    return fresh, grant_id, link_id


def test_what_needs_attention_comes_first(admin: tuple[House, str, str]) -> None:
    house, _, link_id = admin
    other, broken = house.linked("globex", AGENCY_USER)
    with house.service.stores.data.transaction() as session:
        row = session.get_one(Grant, other)
        row.status, row.reason = GrantStatus.RECONSENT_REQUIRED, "invalid_grant"
    page = house.client.get("/admin").text
    assert page.index(broken) < page.index(link_id)
    assert re.search(r"<strong>1</strong>\s*broken", page)
    assert re.search(r"<strong>1</strong>\s*to be reconnected", page)
    only = house.client.get("/admin", params={"status": "broken"}).text
    assert broken in only
    assert link_id not in only
    assert "No link is paused" in house.client.get("/admin", params={"status": "paused"}).text
    assert link_id in house.client.get("/admin", params={"status": "nonsense", "from": "x"}).text
    assert "No link yet" in house.client.get("/admin", params={"from": "100"}).text
    assert other[:8] in house.client.get("/admin/grants").text
    assert "reconnect the grant" in house.client.get(f"/admin/grants/{other}").text


def test_one_link_with_its_runs_quota_and_buttons(admin: tuple[House, str, str]) -> None:
    house, _, link_id = admin
    at = f"/admin/links/{link_id}"
    page = house.client.get(at)
    assert "<meter" in page.text
    assert "<rect" in page.text
    assert "succeeded" in page.text
    assert send(house.client, page, "/pause").status_code == 303
    paused = house.client.get(at)
    assert "Resume" in paused.text
    refused = send(house.client, paused, "/sync")
    assert (refused.status_code, "resume it first" in refused.text) == (423, True)
    assert send(house.client, paused, "/resume").status_code == 303
    assert send(house.client, house.client.get(at), "/sync").status_code == 303
    _, fields = form(page, "/remove")
    unknown = house.client.post(f"{at}/explode", data=fields)
    assert unknown.status_code == 422
    removed = send(house.client, page, "/remove")
    assert "Deleted here" in removed.text
    assert "the last link of its grant" in removed.text
    assert house.client.get(at).status_code == 404


def test_a_link_that_has_not_run_yet_has_no_charts(admin: tuple[House, str, str]) -> None:
    house, _, _ = admin
    fresh_link = house.link(house.consent("globex", AGENCY_USER))
    page = house.client.get(f"/admin/links/{fresh_link}").text
    assert "Google has not told of it yet" in page
    assert "No run has ended yet" in page


def test_revoking_is_spelled_out_before_and_ticked_after(admin: tuple[House, str, str]) -> None:
    house, grant_id, link_id = admin
    near, _ = house.linked("globex")  # the same Google account, the same property
    before = house.client.get(f"/admin/grants/{grant_id}")
    assert link_id in before.text
    assert "1 other active grant" in before.text
    assert "globex</bdi>, link" in before.text
    assert send(house.client, before, "/revoke").status_code == 303
    after = house.client.get(f"/admin/grants/{grant_id}").text
    assert "Deleted here" in after
    assert "Revoked at Google" in after
    assert "nothing else can" in house.client.get(f"/admin/grants/{near}").text
    assert house.client.get("/admin/grants").text.count("revoked") >= 1
    assert house.client.get("/admin/grants/nobody").status_code == 404
    assert house.client.get("/admin/grants/a%20b").status_code == 404


def test_keys_are_shown_once_and_ended(admin: tuple[House, str, str]) -> None:
    house, _, _ = admin
    page = house.client.get("/admin/keys")
    made = send(house.client, page, "/admin/keys", role="store", customer_id=ACME)
    assert made.status_code == 201
    key = re.search(r"gas_[a-z2-7]+\.[a-z2-7]+", made.text)
    assert key is not None
    answer = house.client.get("/v1/links", headers={"authorization": f"Bearer {key[0]}"})
    assert answer.status_code == 200
    page = house.client.get("/admin/keys")
    assert key[0] not in page.text
    ended = send(house.client, page, f"/admin/keys/{key[0].removeprefix('gas_').partition('.')[0]}/revoke")
    assert ended.status_code == 303
    answer = house.client.get("/v1/links", headers={"authorization": f"Bearer {key[0]}"})
    assert answer.status_code == 401
    refused = send(house.client, page, "/admin/keys", role="admin", customer_id=ACME)
    assert refused.status_code == 422
    assert "admin key" in refused.text


def test_every_customer_is_never_meant_by_leaving_a_field_empty(admin: tuple[House, str, str]) -> None:
    house, _, _ = admin
    for address, fields in (("/admin/keys", {}), ("/admin/people", {"email": "all@acme.example"})):
        page = house.client.get(address)
        empty = send(house.client, page, address, role="console", customer_id=" ", **fields)
        assert empty.status_code == 422
        every = send(house.client, page, address, role="console", customer_id="*", **fields)
        assert every.status_code == 201


def test_people_are_invited_and_disabled(admin: tuple[House, str, str]) -> None:
    house, _, _ = admin
    page = house.client.get("/admin/people")
    made = send(
        house.client, page, "/admin/people", email="sam@acme.example", role="console", customer_id=ACME
    )
    assert made.status_code == 201
    address = re.search(r"/console/setup/[0-9a-f]+", made.text)
    assert address is not None
    assert house.client.get(address[0]).status_code == 200
    twice = send(
        house.client, page, "/admin/people", email="sam@acme.example", role="console", customer_id=ACME
    )
    assert twice.status_code == 409
    again = send(house.client, page, "/admin/people", email="sam@acme.example", again="1")
    assert again.status_code == 201
    assert house.client.get(address[0]).status_code == 404
    _, fields = form(page, "/admin/people")
    gone = house.client.post("/admin/people/disable", data={**fields, "email": "sam@acme.example"})
    assert "disabled" in gone.text
    refused = house.client.post("/admin/people/disable", data={**fields, "email": "nobody@acme.example"})
    assert refused.status_code == 404


def test_the_audit_log_names_who_and_proves_itself(admin: tuple[House, str, str]) -> None:
    house, grant_id, _ = admin
    page = house.client.get("/admin/audit").text
    assert grant_id in page
    assert "link.create" in page
    mine = house.client.get("/admin/audit", params={"customer_id": "globex"}).text
    assert "Nothing yet." in mine
    assert "The chain is whole" in house.client.get("/admin/audit", params={"verify": "1"}).text
    assert "link.create" not in house.client.get("/admin/audit", params={"before": "1"}).text
    assert "link.create" in house.client.get("/admin/audit", params={"before": "x"}).text
    with house.service.stores.data.transaction() as session:
        session.get_one(AuditEvent, 1).verb = "forged"
    assert "breaks at event 1" in house.client.get("/admin/audit", params={"verify": "1"}).text
