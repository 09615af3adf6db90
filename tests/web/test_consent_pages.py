"""The consent in a browser: every way it can end, what the page says, and that a refusal stores nothing."""

import re

import pytest
from sqlalchemy import func, select

from models.data_key import DataKey
from models.grant import Grant
from tests.web.bench import ACME, CONSOLE_ORIGIN, PUBLIC, SHOP_USER, House, HouseMaker, outcome_of

WIDER = "https://www.googleapis.com/auth/analytics.edit"


def _nothing_stored(house: House, grant_id: str) -> None:
    with house.service.stores.data.reading() as session:
        row = session.get_one(Grant, grant_id)
        assert row.token is None
        assert row.refreshed_at is None
    with house.service.stores.keyring.reading() as session:
        keys = select(func.count()).select_from(DataKey).where(DataKey.owner_id == grant_id)
        assert session.scalar(keys) == 0


def _status(house: House, grant_id: str) -> tuple[str, str | None]:
    found = house.call("GET", f"/v1/grants/{grant_id}")
    return found["status"], found["reason"]


def test_the_guided_page_names_the_customer_and_does_not_start(fresh: House) -> None:
    begun = fresh.begin("acme.x_y-1")
    page = fresh.client.get(begun["link_url"].removeprefix(PUBLIC))
    assert page.status_code == 200
    assert "acme.x_y-1" in page.text
    assert "set-cookie" not in page.headers
    assert not any(asked["api"] == "oauth" for asked in fresh.requests())
    assert _status(fresh, begun["grant_id"]) == ("pending", None)


def test_posting_starts_and_binds_the_browser(fresh: House) -> None:
    begun = fresh.begin()
    answer = fresh.client.post(begun["link_url"].removeprefix(PUBLIC), follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(fresh.sandbox.auth_uri)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "max-age=600" in cookie
    assert "secure" not in cookie


def test_over_https_the_cookie_belongs_to_this_host_alone(make_house: HouseMaker) -> None:
    house = make_house(public_url="https://ga.example.com")
    begun = house.begin()
    address = begun["authorization_url"].removeprefix("https://ga.example.com")
    answer = house.client.get(address, follow_redirects=False)
    assert answer.status_code == 302
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-ga_sync_consent=")
    assert "Secure" in cookie
    assert answer.headers["strict-transport-security"]


def test_a_finished_consent_is_active_and_its_address_has_done_its_work(fresh: House) -> None:
    begun = fresh.begin()
    page = fresh.back(fresh.decide(fresh.open(begun["authorization_url"], "GET")))
    assert page.status_code == 200
    assert "is connected" in page.text
    assert _status(fresh, begun["grant_id"]) == ("active", None)
    for method, address in (("GET", "link_url"), ("POST", "link_url"), ("GET", "authorization_url")):
        again = fresh.client.request(method, begun[address].removeprefix(PUBLIC), follow_redirects=False)
        assert again.status_code == 410
        assert "done its work" in again.text


@pytest.mark.parametrize(
    ("mood", "decision", "scopes", "reason"),
    [
        (None, "deny", (), "denied"),
        (None, "allow", (), "scope_missing"),
        ({"kind": "widen", "scope": WIDER}, "allow", None, "scope_wider"),
        ({"kind": "no_refresh_token"}, "allow", None, "no_refresh_token"),
    ],
)
def test_a_refusal_says_what_to_do_stores_nothing_and_can_be_repeated(
    fresh: House,
    mood: dict[str, str] | None,
    decision: str,
    scopes: tuple[str, ...] | None,
    reason: str,
) -> None:
    begun = fresh.begin()
    if mood:
        fresh.mood(**mood)
    choice = {} if scopes is None else {"scopes": scopes}
    page = fresh.back(fresh.decide(fresh.open(begun["link_url"]), decision=decision, **choice))  # type: ignore[arg-type]
    assert page.status_code == 400
    assert "Nothing was stored." in page.text
    assert len(re.sub(r"<[^>]+>|\s+", " ", page.text)) > 100
    grant = fresh.call("GET", f"/v1/grants/{begun['grant_id']}")
    assert (grant["status"], grant["reason"]) == ("failed", reason)
    assert grant["action"]
    _nothing_stored(fresh, begun["grant_id"])
    fresh.calm()
    assert fresh.back(fresh.decide(fresh.open(begun["link_url"]))).status_code == 200
    assert _status(fresh, begun["grant_id"]) == ("active", None)


def test_a_replayed_answer_is_refused(fresh: House) -> None:
    begun = fresh.begin()
    callback = fresh.decide(fresh.open(begun["link_url"]))
    assert fresh.back(callback).status_code == 200
    again = fresh.back(callback)
    assert again.status_code == 400
    assert "this browser" in again.text


def test_an_answer_in_a_foreign_browser_is_refused_and_ends_the_state(fresh: House) -> None:
    begun = fresh.begin()
    callback = fresh.decide(fresh.open(begun["link_url"]))
    mine = dict(fresh.client.cookies)
    fresh.client.cookies.clear()
    assert fresh.back(callback).status_code == 400
    fresh.client.cookies.update(mine)
    assert fresh.back(callback).status_code == 400
    assert _status(fresh, begun["grant_id"]) == ("pending", None)
    _nothing_stored(fresh, begun["grant_id"])


def test_a_second_opening_kills_the_first(fresh: House) -> None:
    begun = fresh.begin()
    first = fresh.decide(fresh.open(begun["link_url"]))
    second = fresh.decide(fresh.open(begun["link_url"]))
    assert fresh.back(first).status_code == 400
    assert fresh.back(second).status_code == 200


def test_a_state_lives_ten_minutes(fresh: House) -> None:
    begun = fresh.begin()
    callback = fresh.decide(fresh.open(begun["link_url"]))
    fresh.forward(minutes=10)
    assert fresh.back(callback).status_code == 400
    _nothing_stored(fresh, begun["grant_id"])


def test_an_address_lives_a_day_and_then_the_grant_has_failed(fresh: House) -> None:
    begun = fresh.begin()
    fresh.forward(hours=24)
    page = fresh.client.get(begun["link_url"].removeprefix(PUBLIC))
    assert page.status_code == 410
    assert "expired" in page.text
    assert _status(fresh, begun["grant_id"]) == ("failed", "expired")
    fresh.work()
    assert _status(fresh, begun["grant_id"]) == ("failed", "expired")
    assert fresh.client.get("/link/unknown").status_code == 410


@pytest.mark.parametrize(
    "mood",
    [
        {"kind": "token_http_error", "status": 503},
        {"kind": "token_error", "error": "invalid_grant"},
        {"kind": "token_error", "error": "admin_policy_enforced"},
    ],
)
def test_an_outage_or_a_refused_code_leaves_the_address_usable(fresh: House, mood: dict[str, object]) -> None:
    begun = fresh.begin()
    fresh.mood(**mood)  # type: ignore[arg-type]
    page = fresh.back(fresh.decide(fresh.open(begun["link_url"])))
    assert page.status_code == 502
    assert "open the same address again" in page.text
    assert _status(fresh, begun["grant_id"]) == ("pending", None)
    _nothing_stored(fresh, begun["grant_id"])
    fresh.calm()
    assert fresh.back(fresh.decide(fresh.open(begun["link_url"]))).status_code == 200


def test_a_refused_client_is_our_fault(fresh: House) -> None:
    begun = fresh.begin()
    fresh.mood("token_error", error="invalid_client")
    page = fresh.back(fresh.decide(fresh.open(begun["link_url"])))
    assert page.status_code == 503
    assert "Our fault" in page.text
    assert _status(fresh, begun["grant_id"]) == ("pending", None)
    _nothing_stored(fresh, begun["grant_id"])


def test_the_browser_goes_back_to_the_console_with_the_outcome(fresh: House) -> None:
    return_url = f"{CONSOLE_ORIGIN}/done?x=1"
    begun = fresh.begin(return_url=return_url)
    denied = fresh.back(fresh.decide(fresh.open(begun["link_url"]), decision="deny"))
    assert denied.status_code == 303
    assert denied.headers["location"].startswith(return_url + "&")
    expected = {"x": "1", "grant_id": begun["grant_id"]}
    assert outcome_of(denied.headers["location"]) == {**expected, "status": "failed", "reason": "denied"}
    fresh.mood("token_http_error", status=500)
    broken = fresh.back(fresh.decide(fresh.open(begun["link_url"])))
    assert outcome_of(broken.headers["location"]) == {
        **expected,
        "status": "pending",
        "reason": "unavailable",
    }
    fresh.calm()
    done = fresh.back(fresh.decide(fresh.open(begun["link_url"])))
    assert outcome_of(done.headers["location"]) == {**expected, "status": "active", "reason": ""}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/done",
        f"{CONSOLE_ORIGIN}.evil.example/",
        f"https://user@{CONSOLE_ORIGIN.removeprefix('https://')}/",
        "http://console.example/",
        "javascript:alert(1)",
        f"{CONSOLE_ORIGIN}\\@evil.example",
        f"{CONSOLE_ORIGIN}/{'x' * 2000}",
        f"{CONSOLE_ORIGIN}/\r\nx",
        "",
    ],
)
def test_a_return_address_of_another_origin_is_refused(shared_house: House, url: str) -> None:
    shared_house.refused("invalid", "POST", "/v1/grants", {"customer_id": ACME, "return_url": url})


def test_reconnecting_keeps_ids_links_and_history(fresh: House) -> None:
    grant_id, link_id = fresh.linked()
    before = fresh.call("GET", f"/v1/links/{link_id}/segments")
    fresh.mood("token_error", error="invalid_grant", method="Refresh")
    fresh.forward(days=1)
    fresh.work()
    dead = fresh.call("GET", f"/v1/grants/{grant_id}")
    assert (dead["status"], dead["reason"]) == ("reconsent_required", "invalid_grant")
    assert dead["action"]
    assert dead["purge_at"]
    broken = fresh.call("GET", f"/v1/links/{link_id}")
    assert (broken["status"], broken["reason"]) == ("broken", "grant_dead")
    assert broken["action"]
    assert fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"] == before["segments"]
    fresh.calm()
    fresh.forward(seconds=1)
    begun = fresh.begin(grant_id=grant_id)
    assert begun["grant_id"] == grant_id
    assert fresh.back(fresh.decide(fresh.open(begun["link_url"]))).status_code == 200
    grant = fresh.call("GET", f"/v1/grants/{grant_id}")
    assert (grant["status"], grant["links"], grant["purge_at"]) == ("active", [link_id], None)
    assert fresh.call("GET", f"/v1/links/{link_id}")["status"] == "active"
    assert not any(asked["method"] == "Revoke" for asked in fresh.requests())
    fresh.call("POST", f"/v1/links/{link_id}/sync", expect=202)
    fresh.work()
    assert fresh.call("GET", f"/v1/links/{link_id}")["last_run"]["status"] == "succeeded"


def test_a_denied_reconnection_leaves_the_living_grant_alone(fresh: House) -> None:
    grant_id = fresh.consent()
    begun = fresh.begin(grant_id=grant_id)
    assert fresh.back(fresh.decide(fresh.open(begun["link_url"]), decision="deny")).status_code == 400
    assert _status(fresh, grant_id) == ("active", None)


def test_what_cannot_be_reconnected(fresh: House) -> None:
    grant_id = fresh.consent()
    for other in ("nobody", "\0", "x" * 65):
        fresh.refused("not-found", "POST", "/v1/grants", {"customer_id": ACME, "grant_id": other})
    fresh.refused("not-found", "POST", "/v1/grants", {"customer_id": "globex", "grant_id": grant_id})
    fresh.call("DELETE", f"/v1/grants/{grant_id}")
    fresh.refused("conflict", "POST", "/v1/grants", {"customer_id": ACME, "grant_id": grant_id})


def test_the_default_user_is_of_the_world(fresh: House) -> None:
    assert SHOP_USER in fresh.sandbox.world.users


def test_an_address_of_a_grant_that_was_revoked_meanwhile_is_gone(fresh: House) -> None:
    begun = fresh.begin()
    callback = fresh.decide(fresh.open(begun["link_url"]))
    fresh.call("DELETE", f"/v1/grants/{begun['grant_id']}")
    assert fresh.back(callback).status_code == 400
    assert fresh.client.get(begun["link_url"].removeprefix(PUBLIC)).status_code == 410
