"""The pure protocol: addresses, bodies, and the meaning of every answer."""

import base64
import contextlib
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sealed import Secret
from oauth import protocol
from oauth.errors import (
    GrantDead,
    NoRefreshToken,
    OurFault,
    ScopeMissing,
    ScopeWider,
    StateRefused,
    TryLater,
)
from oauth.protocol import SCOPE, Endpoints

JSON = "application/json; charset=utf-8"
SAMPLES = Path(__file__).parents[3] / "shared" / "google"
VERIFIER = Secret("v" * 86)


def body(**changes: object) -> bytes:
    whole = {
        "access_token": "at",
        "expires_in": 3599,
        "scope": SCOPE,
        "token_type": "Bearer",
        "refresh_token": "rt",
    }
    return json.dumps({k: v for k, v in {**whole, **changes}.items() if v is not ...}).encode()


def read(**changes: object) -> protocol.TokenAnswer:
    return protocol.read_token_answer(200, JSON, body(**changes))


def asked(endpoints: Endpoints) -> tuple[str, dict[str, str]]:
    url = protocol.authorize_url(
        endpoints, "the-client", "https://us.example/", Secret("the-state"), VERIFIER
    )
    return url, dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_the_authorize_url_asks_for_exactly_what_is_needed() -> None:
    url, params = asked(Endpoints())
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.reveal().encode()).digest())
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert params == {
        "response_type": "code",
        "client_id": "the-client",
        "redirect_uri": "https://us.example/oauth/callback",
        "scope": SCOPE,
        "state": "the-state",
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def test_the_verifier_is_in_no_address() -> None:
    assert VERIFIER.reveal() not in asked(Endpoints())[0]


@pytest.mark.parametrize(
    "auth_uri", ["http://127.0.0.1:81/auth?hl=de", "https://sandbox.example/http://auth"]
)
def test_another_google_keeps_its_scheme_and_its_own_parameters(auth_uri: str) -> None:
    url, params = asked(Endpoints(auth_uri, "http://127.0.0.1:81/token", "http://127.0.0.1:81/revoke"))
    assert url.startswith(auth_uri)
    assert params["scope"] == SCOPE


def test_opaque_text_has_the_length_and_alphabet_of_a_verifier() -> None:
    text = protocol.opaque(bytes(range(64)))
    assert 43 <= len(text) <= 128
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_fingerprints_compare_only_their_own_text() -> None:
    kept = protocol.fingerprint("cookie")
    assert protocol.same(kept, "cookie")
    assert not protocol.same(kept, "Cookie")
    assert not protocol.same(kept, None)
    assert not protocol.same(kept, "\ud800")


def test_a_good_answer_is_read_whole() -> None:
    answer = read(refresh_token_expires_in=604_799, id_token="ignored")
    assert answer.access_token.reveal() == "at"
    assert protocol.require_refresh_token(answer).reveal() == "rt"
    assert (answer.expires_in, answer.scopes) == (3599, frozenset({SCOPE}))
    assert answer.refresh_token_expires_in == 604_799


@pytest.mark.parametrize(
    ("said", "understood"),
    [("3599", 3599), (..., protocol.UNSAID_LIFE), (10**8, protocol.LONGEST_LIFE), (0, 0)],
)
def test_a_life_is_read_as_said_within_reason(said: object, understood: int) -> None:
    assert read(expires_in=said).expires_in == understood


def test_an_absent_scope_means_as_asked() -> None:
    assert read(scope=...).scopes == {SCOPE}


def test_the_token_type_has_no_case() -> None:
    assert read(token_type="bearer").access_token.reveal() == "at"


@pytest.mark.parametrize("scope", ["", "  "])
def test_nothing_granted_is_a_missing_scope(scope: str) -> None:
    with pytest.raises(ScopeMissing):
        read(scope=scope)


@pytest.mark.parametrize("scope", [f"{SCOPE} openid", "openid", f"{SCOPE}.more", SCOPE.upper()])
def test_anything_beside_the_scope_is_refused(scope: str) -> None:
    with pytest.raises(ScopeWider):
        read(scope=scope)


@pytest.mark.parametrize("token", [..., None, ""])
def test_a_code_must_bring_a_refresh_token(token: object) -> None:
    with pytest.raises(NoRefreshToken):
        protocol.require_refresh_token(read(refresh_token=token))


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": ...},
        {"access_token": ""},
        {"access_token": "a\r\nb"},
        {"access_token": 7},
        {"refresh_token": "ключ"},
        {"token_type": "mac"},
        {"token_type": ...},
        {"expires_in": -1},
        {"expires_in": 10**400},
        {"expires_in": "soon"},
        {"refresh_token_expires_in": 10**12},
        {"refresh_token_expires_in": -5},
    ],
)
def test_an_answer_that_no_token_endpoint_gives_means_later(changes: dict[str, object]) -> None:
    with pytest.raises(TryLater):
        read(**changes)


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        ("text/html", body()),
        ("", body()),
        (JSON, b""),
        (JSON, b"[" * 60_000),
        (JSON, b'{"access_token":"\xff"}'),
        (JSON, b"\xef\xbb\xbf{}"),
        (JSON, b"<html>"),
        (JSON, b"null"),
    ],
)
def test_what_is_not_json_of_the_right_shape_means_later(content_type: str, answer: bytes) -> None:
    with pytest.raises(TryLater):
        protocol.read_token_answer(200, content_type, answer)


@pytest.mark.parametrize("reason", ["invalid_grant", "admin_policy_enforced"])
def test_two_refusals_end_the_permission(reason: str) -> None:
    with pytest.raises(GrantDead) as caught:
        protocol.read_token_answer(400, JSON, json.dumps({"error": reason}).encode())
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("error", "what"),
    [
        ("invalid_client", "client"),
        ("unauthorized_client", "client"),
        ("deleted_client", "client"),
        ("redirect_uri_mismatch", "request"),
        ("invalid_request", "request"),
    ],
)
def test_refusals_of_ourselves_are_our_fault(error: str, what: str) -> None:
    with pytest.raises(OurFault) as caught:
        protocol.read_token_answer(401, JSON, json.dumps({"error": error}).encode())
    assert caught.value.what == what


@pytest.mark.parametrize(
    ("status", "content_type", "answer"),
    [
        (503, "text/html", b"<html>"),
        (500, JSON, b'{"error": "invalid_grant"}'),
        (400, "text/html", b'{"error": "invalid_grant"}'),
        (400, JSON, b'{"error": {"code": 400}}'),
        (400, JSON, b'{"error": "slow_down"}'),
        (429, JSON, b'{"error": "rate_limit_exceeded"}'),
        (302, JSON, b'{"error": "invalid_grant"}'),
        (204, JSON, b""),
    ],
)
def test_every_other_refusal_means_later(status: int, content_type: str, answer: bytes) -> None:
    with pytest.raises(TryLater):
        protocol.read_token_answer(status, content_type, answer)


@given(
    st.integers(100, 599),
    st.sampled_from([JSON, "application/json", "text/html", ""]),
    st.binary(max_size=300),
)
def test_no_answer_whatever_raises_anything_but_our_errors(status: int, kind: str, answer: bytes) -> None:
    for reader in (protocol.read_token_answer, protocol.read_revoke_answer):
        with contextlib.suppress(TryLater, GrantDead, OurFault, ScopeMissing, ScopeWider):
            reader(status, kind, answer)


def test_google_ends_a_token_with_200() -> None:
    assert protocol.read_revoke_answer(200, "text/html", b"") == "revoked"


def test_a_dead_token_needs_no_revoking() -> None:
    assert protocol.read_revoke_answer(400, JSON, b'{"error":"invalid_token"}') == "already_dead"


@pytest.mark.parametrize(
    ("status", "answer"),
    [(400, b'{"error":"invalid_request"}'), (503, b'{"error":"invalid_token"}'), (302, b"")],
)
def test_every_other_answer_to_a_revocation_means_later(status: int, answer: bytes) -> None:
    with pytest.raises(TryLater):
        protocol.read_revoke_answer(status, JSON, answer)


def test_recorded_answers_of_google_are_understood() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("the folder of recorded answers is absent")
    for name in ("invalid_grant", "invalid_rapt"):
        recorded = (SAMPLES / f"oauth.400.{name}.json").read_bytes()
        with pytest.raises(GrantDead, match="invalid_grant"):
            protocol.read_token_answer(400, JSON, recorded)
    recorded = (SAMPLES / "oauth.revoke.400.invalid_token.json").read_bytes()
    assert protocol.read_revoke_answer(400, JSON, recorded) == "already_dead"


def test_waiting_doubles_from_a_second_to_an_hour() -> None:
    waits = [protocol.backoff(attempts).total_seconds() for attempts in range(14)]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-2:] == [3600, 3600]
    assert protocol.backoff(10**6) == timedelta(hours=1)


def test_a_permission_with_an_end_ends_after_its_life() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert protocol.ends_at(now, read(refresh_token_expires_in=60)) == now + timedelta(minutes=1)
    assert protocol.ends_at(now, read()) is None


def test_an_issuer_must_be_googles_where_it_is_named() -> None:
    protocol.require_issuer({}, Endpoints())
    protocol.require_issuer({"iss": "https://accounts.google.com"}, Endpoints())
    with pytest.raises(StateRefused):
        protocol.require_issuer({"iss": "https://accounts.google.com.example"}, Endpoints())


def test_another_google_may_name_itself() -> None:
    protocol.require_issuer({"iss": "http://127.0.0.1:9"}, Endpoints(auth_uri="http://127.0.0.1:9/auth"))


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"code": "4/0Ab_c-d"}, "4/0Ab_c-d"),
        ({}, None),
        ({"code": ""}, None),
        ({"code": "a b"}, None),
        ({"code": "\ud800"}, None),
        ({"code": "4/0Ab", "error": "server_error"}, None),
    ],
)
def test_a_code_is_read_only_where_there_is_one(params: dict[str, str], code: str | None) -> None:
    assert protocol.read_code(params) == code
