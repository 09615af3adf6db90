"""No token, code, verifier, state or secret is in any log, nor in the words of any error."""

import logging
from collections.abc import Iterator

import pytest

import oauth.errors
from oauth.errors import ConsentUnfinished, GrantDead, GrantNotUsable, OauthError, OurFault, TryLater
from tests.oauth.conftest import Room
from tests.oauth.fake_google import CLIENT_SECRET

LOGGERS = (
    "",
    "httpx",
    "httpcore",
    "oauthlib",
    "requests_oauthlib",
    "google",
    "google_auth_oauthlib",
    "urllib3",
)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every logger at its most talkative."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    yield caplog
    caplog.clear()


def secrets_of(room: Room, *openings: str) -> set[str]:
    """Every value that Google or we treat as a secret in this story."""
    names = ("code", "code_verifier", "refresh_token", "client_secret", "token")
    sent = {form[name] for _, form in room.fake.requests for name in names if name in form}
    return {*sent, *openings, CLIENT_SECRET, "CANARY"}


def test_no_secret_is_logged_or_told(room: Room, everything_logged: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    begun = room.consents.begin("acme")
    ticket = begun.ticket.reveal()
    opening = room.consents.open(ticket)
    params = room.fake.consent(opening.location)
    told += [repr(begun), str(opening), repr(room.consents.complete(params, opening.browser))]
    tokens = room.tokens()
    told.append(repr(tokens))
    access = tokens.access_token(begun.grant_id)
    for mood in ("timeout", "html_503", "garbage", "invalid_client", "invalid_grant"):
        room.fake.set_mood(mood)
        with pytest.raises(OauthError) as caught:
            tokens.keep_alive(begun.grant_id)
        told += [str(caught.value), repr(caught.value), repr(vars(caught.value))]
    room.bury(begun.grant_id)
    room.revocations.attempt(begun.grant_id)
    with pytest.raises(OauthError) as caught:
        room.consents.complete(params, opening.browser)
    told += [str(caught.value), repr(caught.value)]
    told += [record.getMessage() + repr(record.args) for record in everything_logged.records]
    told.append(everything_logged.text)
    assert everything_logged.records  # the loggers do speak
    for secret in secrets_of(room, ticket, params["state"], opening.browser, access):
        assert secret
        assert not any(secret in line for line in told)


def test_every_error_says_what_happened_in_words() -> None:
    built: list[OauthError] = [
        ConsentUnfinished("g", "c", None, "no_code"),
        GrantDead("invalid_grant"),
        GrantNotUsable("pending"),
        TryLater("timeout"),
        *(OurFault(what) for what in ("client", "request", "client_id")),
        *(getattr(oauth.errors, name)() for name in PLAIN),
    ]
    for error in built:
        assert len(str(error)) > 20


PLAIN = (
    "ConsentUnknown",
    "ConsentExpired",
    "ConsentUsed",
    "StateRefused",
    "ScopeMissing",
    "ScopeWider",
    "NoRefreshToken",
    "GrantUnknown",
    "GrantClosed",
)


def test_the_tree_of_errors_is_drawn_whole() -> None:
    classes = {name for name, value in vars(oauth.errors).items() if isinstance(value, type)}
    drawn = oauth.errors.__doc__ or ""
    assert [name for name in sorted(classes) if name not in drawn] == []
