"""No secret and no personal value is in any log line (every library at its loudest), in errors, or in metrics."""

import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pyotp
import pytest
import structlog
from structlog.testing import LogCapture

from ga_sync.accounts.errors import CodeRefused, CodeWanted, SignInRefused
from tests.accounts.test_residue import _canaries, _token
from tests.web.bench import ACME, House

SECRET, ADA = "four canary words are enough", "ada.canary@example.com"
OF_THE_TEST = ("httpx", "httpcore", "asyncio")


class Everything(logging.Handler):
    """Keeps every record whole: message, arguments, traceback. What the test's own client says is left out."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.ours = False

    def emit(self, record: logging.LogRecord) -> None:
        mine = threading.current_thread() is threading.main_thread() and not self.ours
        if mine and record.name.startswith(OF_THE_TEST):
            return
        story = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.lines.append(f"{record.name} {record.getMessage()} {record.args!r} {story}")

    @contextmanager
    def all_of_it(self) -> Iterator[None]:
        """While the service itself works in the test's thread."""
        self.ours = True
        try:
            yield
        finally:
            self.ours = False


@pytest.fixture
def heard() -> Iterator[Everything]:
    """Every logger at DEBUG, those that exist and those to come."""
    handler, root = Everything(), logging.getLogger()
    former = {name: logging.getLogger(name).level for name in [None, *logging.root.manager.loggerDict]}
    for name in former:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    for name, level in former.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def told() -> Iterator[LogCapture]:
    """Every line of our own."""
    capture, former = LogCapture(), structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=former)


def test_no_canary_is_in_any_log_at_debug_nor_in_errors_nor_in_metrics(
    fresh: House, heard: Everything, told: LogCapture, capfd: pytest.CaptureFixture[str]
) -> None:
    house, said = fresh, []
    begun = house.begin(ACME)
    location = house.open(begun["link_url"])
    callback = house.decide(location)
    assert house.back(callback).status_code == 200
    assert house.back(callback).status_code != 200
    grant_id = begun["grant_id"]
    link_id = house.link(grant_id)
    with heard.all_of_it():
        house.work()
    canaries = _canaries(house, link_id)
    token = _token(house, grant_id)
    invitation = house.service.users.add(ADA, "console", ACME, "test")
    house.service.users.set_password(invitation.token, SECRET)
    cookie = house.service.sessions.sign_in(ADA, SECRET, "192.0.2.77").cookie
    with pytest.raises(SignInRefused):
        house.service.sessions.sign_in(ADA, SECRET + "!", "192.0.2.77")
    factor = _second_factor(house)
    recording = next(canary.decode() for what, canary in canaries.items() if what.startswith("id "))
    segment = next(canary.decode() for what, canary in canaries.items() if what.startswith("segment "))
    for path, body in (
        ("recordings/query", {"filter": {"segment": segment}}),
        ("recordings/query", {"filter": {"segment": recording}}),
        ("recordings/match", {"filter": {"segment": segment}, "recording_ids": [recording, "x" * 101]}),
        ("recordings/segments", {"recording_ids": [recording]}),
        ("recordings/explain", {"filter": {"segment": segment}, "recording_ids": [recording]}),
        ("recordings/forget", {"recording_ids": [recording]}),
        ("recordings/query", {"filter": recording}),
    ):
        answer = house.client.post(f"/v1/links/{link_id}/{path}", json=body, headers=house.headers())
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            said.append(answer.text)
    house.forward(hours=2)
    for mood, values in (
        ("token_error", {"error": "invalid_client"}),
        ("token_http_error", {"status": 500}),
        ("call_error", {"code": "PERMISSION_DENIED"}),
        ("call_error", {"code": "UNAVAILABLE"}),
    ):
        house.mood(mood, **values)
        house.call("POST", f"/v1/links/{link_id}/sync", expect=202)
        with heard.all_of_it():
            house.work()
        house.calm()
        house.forward(hours=2)
    house.mood("revoke_http_error", status=503)
    house.call("DELETE", f"/v1/grants/{grant_id}")
    with heard.all_of_it():
        house.forward(hours=1)
        house.work()
    said.append(house.client.get("/metrics").text)
    secrets = {
        "refresh token": token.decode(),
        "client secret": house.service.settings.google_client_secret.get_secret_value(),
        "api key": house.headers()["authorization"].rpartition(".")[2],
        "ticket": begun["link_url"].rpartition("/")[2],
        "callback": callback.partition("?")[2],
        "authorize": location.partition("?")[2],
        "session": cookie,
        "password": SECRET,
        "address": ADA,
        "setup": invitation.token,
        **factor,
        **{what: canary.decode() for what, canary in canaries.items() if len(canary) > 4},
        **_parts(callback),
    }
    lines = [*heard.lines, *map(repr, told.entries), *said, *capfd.readouterr()]
    assert len(heard.lines) > 50
    found = sorted({what for what, secret in secrets.items() for line in lines if secret in line})
    assert found == [], [line[:300] for line in lines if any(secrets[one] in line for one in found)][:5]


def _second_factor(house: House) -> dict[str, str]:
    """Turned on, asked for, refused, answered with a recovery code, turned off: its secrets."""
    factors, sessions, now = house.service.factors, house.service.sessions, house.clock()
    person = next(one for one in house.service.users.listed() if one.email == ADA)
    begun = factors.begin(person, SECRET, "192.0.2.77")
    code = pyotp.TOTP(begun.secret.reveal()).at(now)
    codes = factors.confirm(person, code, "192.0.2.77", "")
    with pytest.raises(CodeWanted) as wanted:
        sessions.sign_in(ADA, SECRET, "192.0.2.77")
    with pytest.raises(CodeRefused):
        sessions.finish(wanted.value.cookie, code, "192.0.2.77")
    house.client.post("/console/login/code", data={"code": codes[0]})
    sessions.finish(wanted.value.cookie, codes[0], "192.0.2.77")
    factors.turn_off(person, SECRET, codes[1], "192.0.2.77")
    return {
        "factor's secret": begun.secret.reveal(),
        "factor's address": begun.address.reveal(),
        "factor's cookie": wanted.value.cookie,
        **{f"recovery code {number}": one for number, one in enumerate(codes)},
    }


def _parts(callback: str) -> dict[str, str]:
    query = httpx.URL(f"http://x{callback}").params
    return {f"{name} of the callback": value for name, value in query.items() if name in {"code", "state"}}
