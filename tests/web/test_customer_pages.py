"""A customer without an account: properties, dimension, progress, disconnecting; and every way it is refused."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from ga_sync.web.guest import PASS_LIFE
from ga_sync.web.showing import when
from models.grant import Grant, GrantStatus
from tests.web.bench import ACME, PUBLIC, SHOP_USER, House, HouseMaker, Template, template
from tests.web.walks import form, send

AGENCY_USER = "analytics@agency.example"


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """On SQLite alone: these pages have no SQL of their own, and what they call is proved on both."""
    with template(tmp_path_factory.mktemp("pages"), None) as found:
        yield found


def _pass(house: House, grant_id: str) -> str:
    return house.client.cookies[f"ga_sync_pass_{grant_id}"]


def _number(house: House, grant_id: str) -> str:
    return house.property_of(grant_id).removeprefix("properties/")


def test_the_whole_way_from_consent_to_receipt(fresh: House) -> None:
    """Choose, link, see segments arrive, disconnect, and read the receipt."""
    grant_id = fresh.consent()
    number = _number(fresh, grant_id)
    page = fresh.client.get(f"/connect/{grant_id}")
    assert page.status_code == 200
    assert f'value="{number}"' in page.text
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": number})
    assert "Suggested. Yesterday: " in page.text
    linked = send(fresh.client, page, "/links")
    assert (linked.status_code, linked.headers["location"]) == (303, f"/connect/{grant_id}/progress")
    waiting = fresh.client.get(f"/connect/{grant_id}/progress")
    assert "data-live" in waiting.text
    fresh.work()
    part = fresh.client.get(f"/connect/{grant_id}/progress", params={"part": "1"})
    assert "<html" not in part.text
    assert "data-live" not in part.text
    names = [one["name"] for one in _segments(fresh)]
    assert names
    done = fresh.client.get(f"/connect/{grant_id}/progress")
    assert "You are done" in done.text
    assert fresh.client.get(f"/connect/{grant_id}").text.count("✓ linked") == 1
    before = fresh.client.get(f"/connect/{grant_id}/disconnect")
    assert "cannot be undone" in before.text
    answer = send(fresh.client, before, "/disconnect")
    assert answer.status_code == 303
    receipt = fresh.client.get(answer.headers["location"])
    assert "Revoked at Google" in receipt.text
    assert "Deleted here" in receipt.text
    assert fresh.client.get(f"/connect/{grant_id}/progress", follow_redirects=False).status_code == 303


def _segments(house: House) -> list[dict[str, object]]:
    link_id = house.call("GET", "/v1/links")["links"][0]["link_id"]
    found: list[dict[str, object]] = house.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    return found


def test_properties_are_found_by_name_and_several_are_linked_at_once(fresh: House) -> None:
    """A search costs Google nothing while the list is fresh, and keeps what was ticked."""
    grant_id = fresh.consent(user=AGENCY_USER)
    offered = fresh.call("GET", f"/v1/grants/{grant_id}/properties")["properties"]
    assert len(offered) == 4
    fresh.client.get(f"/connect/{grant_id}")
    asked = len(fresh.requests())
    numbers = [one["property"].removeprefix("properties/") for one in offered]
    page = fresh.client.get(f"/connect/{grant_id}", params={"q": numbers[0], "property": numbers[1]})
    assert len(fresh.requests()) == asked
    assert numbers[0] in page.text
    assert f'value="{numbers[1]}" checked' in page.text
    assert numbers[2] not in page.text
    nothing = fresh.client.get(f"/connect/{grant_id}", params={"q": "of nobody"})
    assert "Nothing has this name" in nothing.text
    fresh.client.get(f"/connect/{grant_id}", params={"again": "1"})
    assert len(fresh.requests()) > asked
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": numbers})
    assert "Leave this property out" in page.text
    _, fields = form(page, "/links")
    assert len([name for name in fields if name.startswith("dimension-")]) == 4
    left_out = {f"dimension-{numbers[2]}": ""}
    assert send(fresh.client, page, "/links", **left_out).status_code == 303
    assert len(fresh.call("GET", "/v1/links")["links"]) == 3


def test_old_offers_are_asked_for_anew(fresh: House) -> None:
    grant_id = fresh.consent()
    fresh.client.get(f"/connect/{grant_id}")
    asked = len(fresh.requests())
    fresh.forward(minutes=3)
    fresh.client.get(f"/connect/{grant_id}")
    assert len(fresh.requests()) > asked


def test_nothing_chosen_leads_back_and_nonsense_is_refused(fresh: House) -> None:
    grant_id = fresh.consent()
    at = f"/connect/{grant_id}"
    empty = fresh.client.get(f"{at}/dimensions", follow_redirects=False)
    assert (empty.status_code, empty.headers["location"]) == (303, at)
    foreign = fresh.client.get(f"{at}/dimensions", params={"property": "999"})
    assert foreign.status_code == 422
    assert "choose again" in foreign.text
    many = fresh.client.get(f"{at}/dimensions", params={"property": [str(one) for one in range(21)]})
    assert "at most 20" in many.text
    page = fresh.client.get(f"{at}/dimensions", params={"property": _number(fresh, grant_id)})
    address, fields = form(page, "/links")
    none = fresh.client.post(address, data={"form_token": fields["form_token"]})
    assert none.status_code == 422
    assert "at least one property" in none.text


def test_what_google_refuses_is_said_and_the_rest_is_linked(fresh: House) -> None:
    """One property is unreadable for reports: its refusal is shown, the other is linked."""
    grant_id = fresh.consent(user=AGENCY_USER)
    offered = fresh.call("GET", f"/v1/grants/{grant_id}/properties")["properties"]
    numbers = [one["property"].removeprefix("properties/") for one in offered[:2]]
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": numbers})
    wrong = {f"dimension-{numbers[0]}": "never_registered"}
    answer = send(fresh.client, page, "/links", **wrong)
    assert answer.status_code == 422
    assert "1 property is linked" in answer.text
    assert len(fresh.call("GET", "/v1/links")["links"]) == 1


def test_a_property_that_google_does_not_show_says_why(fresh: House) -> None:
    grant_id = fresh.consent()
    number = _number(fresh, grant_id)
    fresh.client.get(f"/connect/{grant_id}")
    fresh.mood("call_error", code="UNAVAILABLE", method="ListCustomDimensions")
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": number})
    assert page.status_code == 200
    assert "Google did not let us look" in page.text
    assert '<button type="submit">Link' not in page.text
    fresh.calm()
    fresh.mood("call_error", code="UNAVAILABLE", method="RunReport")
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": number})
    assert "Google did not let us look" in page.text


def test_a_property_without_dimensions_gets_the_steps_and_the_snippet(fresh: House) -> None:
    grant_id = fresh.consent()
    found = fresh.sandbox.world.find(fresh.property_of(grant_id))
    assert found is not None
    found.dimensions.clear()
    page = fresh.client.get(f"/connect/{grant_id}/dimensions", params={"property": _number(fresh, grant_id)})
    assert "Create custom dimension" in page.text
    assert "gtag(" in page.text
    assert "look again" in page.text


def test_only_the_browser_that_consented_gets_in(fresh: House) -> None:
    """No cookie, a forged one, one of another grant, an old one: a page that says what to do."""
    grant_id, other = fresh.consent(), fresh.consent("globex", user=AGENCY_USER)
    cookie = _pass(fresh, grant_id)
    assert fresh.client.get(f"/connect/{grant_id}").status_code == 200
    until, _, proof = cookie.partition(".")
    others = _pass(fresh, other)
    fresh.client.cookies.clear()
    for value in ("", "x", f"{int(until) + 1}.{proof}", others, "é.é", "1.é", f"{until}."):
        cookies = {b"cookie": f"ga_sync_pass_{grant_id}={value}".encode()}
        for path in ("", "/dimensions?property=1", "/progress", "/disconnect"):
            refused = fresh.client.get(f"/connect/{grant_id}{path}", headers=cookies)
            assert refused.status_code == 403
            assert "another browser" in refused.text
    fresh.client.cookies.set(f"ga_sync_pass_{grant_id}", cookie)
    assert fresh.client.get(f"/connect/{grant_id}").status_code == 200
    fresh.forward(seconds=PASS_LIFE.total_seconds() + 1)
    assert fresh.client.get(f"/connect/{grant_id}").status_code == 403
    assert fresh.client.get("/connect/a%20b").status_code == 403


def test_a_form_from_elsewhere_changes_nothing(fresh: House) -> None:
    grant_id = fresh.consent()
    page = fresh.client.get(f"/connect/{grant_id}/disconnect")
    address, fields = form(page, "/disconnect")
    token = {"form_token": fields["form_token"][0]}
    foreign = [
        (token, {"origin": "https://evil.example"}),
        (token, {"sec-fetch-site": "cross-site"}),
        (token, {"origin": "null", "sec-fetch-site": "cross-site"}),
        ({}, {}),
        ({"form_token": "é"}, {}),
    ]
    for data, headers in foreign:
        refused = fresh.client.post(address, data=data, headers=headers, follow_redirects=False)
        assert refused.status_code == 403
        assert "Nothing was changed" in refused.text
    long = fresh.client.post(address, content=b"a=" + b"b" * 70_000)
    assert long.status_code == 422
    assert fresh.client.post(address, content=b"form_token=%ff\xff").status_code == 422
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["status"] == "active"
    own = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}
    assert fresh.client.post(address, data=token, headers=own, follow_redirects=False).status_code == 303


def test_a_permission_that_ends_says_when_before_it_does(fresh: House) -> None:
    """Seven days while Google's consent screen is in Testing: on the page, and at the door."""
    fresh.mood("refresh_token_expires_in", seconds=604_800)
    grant_id, _ = fresh.linked()
    told = fresh.call("GET", f"/v1/grants/{grant_id}")["token_expires_at"]
    assert told == (fresh.clock() + timedelta(days=7)).isoformat().replace("+00:00", "Z")
    page = fresh.client.get(f"/connect/{grant_id}/progress").text
    assert f"Google ends this permission on {when(told)}" in page
    assert "Ask for a new address before then" in page


def test_a_permission_without_an_end_says_nothing_of_one(fresh: House) -> None:
    grant_id, _ = fresh.linked()
    assert fresh.call("GET", f"/v1/grants/{grant_id}")["token_expires_at"] is None
    assert "ends this permission" not in fresh.client.get(f"/connect/{grant_id}/progress").text


def test_what_is_not_whole_is_not_called_done(fresh: House) -> None:
    """Before a property is chosen, and while Google fails."""
    grant_id = fresh.consent()
    page = fresh.client.get(f"/connect/{grant_id}/progress").text
    assert "which property to read" in page
    assert "You are done" not in page
    fresh.link(grant_id)
    fresh.mood("call_error", method="RunReport", code="UNAVAILABLE", message="later")
    fresh.work()
    page = fresh.client.get(f"/connect/{grant_id}/progress").text
    assert "Not everything is read yet" in page
    assert "You are done" not in page


def test_a_consent_that_died_says_what_to_do(fresh: House) -> None:
    grant_id, _ = fresh.linked()
    with fresh.service.stores.data.transaction() as session:
        row = session.get_one(Grant, grant_id)
        row.status, row.reason = GrantStatus.RECONSENT_REQUIRED, "invalid_grant"
    page = fresh.client.get(f"/connect/{grant_id}/progress")
    assert "reconnect the grant" in page.text
    refused = fresh.client.get(f"/connect/{grant_id}")
    assert refused.status_code == 409


def test_while_google_is_silent_the_receipt_waits(fresh: House) -> None:
    grant_id, _ = fresh.linked()
    fresh.mood("revoke_http_error", status=503)
    before = fresh.client.get(f"/connect/{grant_id}/disconnect")
    answer = send(fresh.client, before, "/disconnect")
    page = fresh.client.get(answer.headers["location"])
    assert "Waiting for Google to confirm" in page.text
    fresh.calm()
    fresh.forward(hours=2)
    fresh.work()
    assert "Revoked at Google" in fresh.client.get(f"/connect/{grant_id}/disconnect").text


@pytest.mark.parametrize("topic", ["audience", "dimension"])
def test_help_needs_no_pass(shared_house: House, topic: str) -> None:
    assert shared_house.client.get(f"/help/{topic}").status_code == 200


def test_there_is_no_other_help(shared_house: House) -> None:
    assert shared_house.client.get("/help/receipt").status_code == 404
    assert shared_house.client.get("/help/a%20b").status_code == 404


def test_over_https_the_pass_belongs_to_this_host_alone(make_house: HouseMaker) -> None:
    house = make_house(public_url="https://ga.example.com")
    begun = house.begin(ACME)
    address = begun["authorization_url"].removeprefix("https://ga.example.com")
    started = house.client.get(address, follow_redirects=False)
    back = house.decide(started.headers["location"], SHOP_USER).removeprefix("https://ga.example.com")
    page = house.client.get(back)
    names = [cookie.name for cookie in house.client.cookies.jar if cookie.secure]
    assert page.status_code == 200
    assert f"__Host-ga_sync_pass_{begun['grant_id']}" in names


def test_files_of_the_pages_are_ours_and_kept_for_an_hour(shared_house: House) -> None:
    for name, kind in (
        ("ga-sync.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
        ("ga-sync.css", "text/css"),
    ):
        answer = shared_house.client.get(f"/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "max-age=3600"
