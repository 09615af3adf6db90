"""OAuth as a plain HTTP client meets it."""

import base64
import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ga_sync.sandbox.authorize import READONLY
from ga_sync.sandbox.generate import AGENCY

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


RECORDED = Path(__file__).parents[2] / ".." / "shared" / "google"


def recorded(name: str) -> Loose:
    if not RECORDED.is_dir():
        pytest.skip("the recorded Google responses are not beside the repository")
    return json.loads((RECORDED / name).read_text())


def test_consent_gives_both_tokens_and_echoes_the_state(visitor: Loose) -> None:
    back = visitor.decide()
    assert back["state"] == "state-1"
    assert back["scope"] == READONLY
    answer = visitor.exchange(back["code"])
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in", "scope", "token_type", "refresh_token"}
    assert answer.json()["expires_in"] == 3599
    assert answer.json()["token_type"] == "Bearer"


def test_page_preselects_the_hinted_account(visitor: Loose) -> None:
    page = visitor.page(login_hint="analytics@shop2.example").text
    assert 'value="analytics@shop2.example" checked' in page
    assert 'value="analytics@agency.example" checked' in visitor.page(login_hint="who@else.example").text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "another"}, "invalid_client"),
        ({"redirect_uri": "http://far.example/cb"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "https://far.example/cb#here"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "nonsense"}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_bad_authorization_request_gets_a_page_and_no_redirect(
    visitor: Loose, changes: dict[str, str | None], error: str
) -> None:
    page = visitor.page(**changes)
    assert page.status_code == 400
    assert error in page.text


def test_denial_goes_back_with_access_denied(visitor: Loose) -> None:
    assert visitor.decide(decision="deny") == {"error": "access_denied", "state": "state-1"}


def test_a_redirect_address_with_a_query_keeps_it_and_no_state_is_none(visitor: Loose) -> None:
    back = visitor.decide(redirect_uri="https://app.example/cb?x=1", state=None)
    assert back["x"] == "1"
    assert "state" not in back


def test_an_unticked_box_grants_nothing(visitor: Loose) -> None:
    tokens = visitor.exchange(visitor.decide(tick=False)["code"]).json()
    assert tokens["scope"] == ""


@pytest.mark.parametrize("form", [{"request": "unknown", "account": AGENCY}, {"account": "who@else.example"}])
def test_a_form_must_be_ours_and_name_an_account(visitor: Loose, form: dict[str, str]) -> None:
    sent = {"request": visitor.form(), **form}
    assert visitor.http.post(visitor.sandbox.auth_uri, data=sent).status_code == 400


def test_a_refresh_token_comes_only_offline_and_with_consent(visitor: Loose) -> None:
    assert "refresh_token" in visitor.sign_in(prompt=None)
    assert "refresh_token" not in visitor.sign_in(prompt=None)
    assert "refresh_token" not in visitor.sign_in(access_type=None)
    assert "refresh_token" in visitor.sign_in()


def test_a_second_use_of_a_code_kills_what_the_first_gave(visitor: Loose) -> None:
    code = visitor.decide()["code"]
    tokens = visitor.exchange(code).json()
    again = visitor.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert visitor.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "redirect_uri_mismatch"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code": "4/0never"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused_and_the_code_stays_good(
    visitor: Loose, changes: dict[str, str | None], error: str
) -> None:
    code = visitor.decide()["code"]
    refused = visitor.exchange(code, **changes) if "code" not in changes else visitor.exchange("4/0never")
    assert refused.json()["error"] == error
    assert refused.status_code == (401 if error == "invalid_client" else 400)
    assert visitor.exchange(code).status_code == 200


def test_a_verifier_nobody_asked_for_is_refused(visitor: Loose) -> None:
    code = visitor.decide(code_challenge=None, code_challenge_method=None)["code"]
    assert visitor.exchange(code).json()["error"] == "invalid_grant"
    assert visitor.exchange(code, code_verifier=None).status_code == 200


def test_a_code_lives_ten_minutes(visitor: Loose) -> None:
    code = visitor.decide()["code"]
    visitor.control("POST", "/advance", {"seconds": 600})
    assert visitor.exchange(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (base64.b64encode(b"sandbox-client:sandbox-secret").decode(), 200),
        (base64.b64encode(b"sandbox-client:wrong").decode(), 401),
        ("%%%", 401),
        (base64.b64encode(b"\xff\xfe").decode(), 401),
    ],
)
def test_the_client_may_show_itself_by_basic_authorization(visitor: Loose, header: str, status: int) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": visitor.sign_in()["refresh_token"]}
    answer = visitor.http.post(
        visitor.sandbox.token_uri, data=form, headers={"Authorization": f"Basic {header}"}
    )
    assert answer.status_code == status


def test_a_refresh_token_renews_and_dies_unused_after_half_a_year(visitor: Loose) -> None:
    token = visitor.sign_in()["refresh_token"]
    assert visitor.refresh(token).status_code == 200
    visitor.control("POST", "/advance", {"days": 183})
    answer = visitor.refresh(token)
    assert answer.status_code == 400
    assert answer.json() == recorded("oauth.400.invalid_grant.json")


def test_revoking_any_token_ends_the_users_whole_grant_and_nobody_elses(visitor: Loose) -> None:
    first, second = visitor.sign_in(), visitor.sign_in()
    other = visitor.sign_in("analytics@shop1.example")
    assert visitor.revoke(first["access_token"]).status_code == 200
    assert visitor.refresh(first["refresh_token"]).status_code == 400
    assert visitor.refresh(second["refresh_token"]).status_code == 400
    assert visitor.refresh(other["refresh_token"]).status_code == 200
    again = visitor.revoke(first["refresh_token"])
    assert again.status_code == 400
    assert again.json() == recorded("oauth.revoke.400.invalid_token.json")


def test_the_oldest_of_more_than_a_hundred_refresh_tokens_dies_silently(visitor: Loose) -> None:
    first = visitor.sign_in()["refresh_token"]
    second = visitor.sign_in()["refresh_token"]
    for _ in range(99):
        visitor.sign_in()
    assert visitor.refresh(first).status_code == 400
    assert visitor.refresh(second).status_code == 200
    assert visitor.control("GET", "/world")["live_refresh_tokens"] == {AGENCY: 100}


def test_moods_of_consent(visitor: Loose) -> None:
    visitor.mood("deny", times=1)
    assert visitor.decide()["error"] == "access_denied"
    visitor.mood("untick", times=1)
    assert visitor.sign_in()["scope"] == ""
    visitor.mood("widen", times=1, scope="https://www.googleapis.com/auth/analytics.edit")
    assert visitor.sign_in()["scope"] == f"{READONLY} https://www.googleapis.com/auth/analytics.edit"
    visitor.mood("no_refresh_token", times=1)
    assert "refresh_token" not in visitor.sign_in()
    assert "refresh_token" in visitor.sign_in()


def test_moods_of_the_token_endpoint(visitor: Loose) -> None:
    token = visitor.sign_in()["refresh_token"]
    visitor.mood("token_http_error", status=502, times=1)
    broken = visitor.refresh(token)
    assert (broken.status_code, broken.headers["content-type"]) == (502, "text/html; charset=utf-8")
    visitor.mood("token_error", error="invalid_rapt", times=1, method="Refresh")
    assert visitor.refresh(token).json() == recorded("oauth.400.invalid_rapt.json")
    visitor.mood("token_error", error="admin_policy_enforced", times=1)
    assert visitor.refresh(token).json()["error"] == "admin_policy_enforced"
    visitor.mood("token_error", error="invalid_client", times=1)
    assert visitor.refresh(token).status_code == 401
    assert visitor.refresh(token).status_code == 200


def test_a_revocation_that_fails_leaves_the_grant_alive(visitor: Loose) -> None:
    token = visitor.sign_in()["refresh_token"]
    visitor.mood("revoke_http_error", times=1)
    assert visitor.revoke(token).status_code == 503
    assert visitor.refresh(token).status_code == 200


def test_a_refresh_token_in_testing_says_when_it_dies(visitor: Loose) -> None:
    visitor.mood("refresh_token_expires_in", seconds=3600, times=1)
    tokens = visitor.sign_in()
    assert tokens["refresh_token_expires_in"] == 3600
    visitor.control("POST", "/advance", {"seconds": 600})
    assert visitor.refresh(tokens["refresh_token"]).json()["refresh_token_expires_in"] == 3000
    visitor.control("POST", "/advance", {"seconds": 3000})
    assert visitor.refresh(tokens["refresh_token"]).status_code == 400
    assert visitor.revoke(tokens["refresh_token"]).status_code == 400


def test_no_secret_is_in_the_journal(visitor: Loose) -> None:
    tokens = visitor.sign_in()
    visitor.refresh(tokens["refresh_token"])
    visitor.revoke(tokens["refresh_token"])
    journal = visitor.http.get(visitor.sandbox.control_url + "/requests").text
    for secret in (tokens["access_token"], tokens["refresh_token"], "sandbox-secret", "v" * 64, "state-1"):
        assert secret not in journal
    assert json.loads(journal)["counts"] == {
        "Authorize": 1,
        "Decide": 1,
        "Token": 1,
        "Refresh": 1,
        "Revoke": 1,
    }


def test_any_other_address_is_not_there(visitor: Loose) -> None:
    assert visitor.http.get(visitor.sandbox.token_uri).status_code == 404
