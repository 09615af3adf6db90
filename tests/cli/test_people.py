"""Commands about accounts of individuals."""

import re
from datetime import UTC, datetime

import pyotp

from ga_sync import bootstrap, settings
from tests.cli.ended import Cli


def test_an_account_is_added_listed_invited_again_and_disabled(installed: Cli) -> None:
    added = installed("user", "add", "ada@example.com", "--role", "console", "--customer", "acme")
    assert added.code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/console/setup/[0-9a-f]{64}\n", added.out)
    (person,) = installed.value("user", "list")
    assert (person["email"], person["role"], person["invited"]) == ("ada@example.com", "console", True)
    assert installed.value("user", "list", "--customer", "globex") == []
    assert "ada@example.com" in installed("user", "list").out
    again = installed.value("user", "invite", "ADA@example.com")
    assert again["user_id"] == person["user_id"]
    assert again["address"] not in added.out
    assert installed("user", "disable", "ada@example.com", "--yes").code == 0
    (person,) = installed.value("user", "list")
    assert person["disabled_at"] is not None
    assert installed("user", "invite", "ada@example.com").code == 4


def test_a_refused_account_says_what_to_do(installed: Cli) -> None:
    def add(email: str, role: str, customer: str) -> int:
        ended = installed("user", "add", email, "--role", role, "--customer", customer)
        assert ended.out == ""
        return ended.code

    assert add("ada@example.com", "admin", "acme") == 2
    assert add("ada@example.com", "store", "acme") == 2
    assert add("ada", "console", "acme") == 2
    assert add("ada@example.com", "console", "no customer") == 2
    assert installed("user", "add", "ada@example.com", "--role", "admin", "--customer", "*").code == 0
    assert add("Ada@Example.com", "console", "acme") == 1
    assert installed("user", "disable", "bob@example.com", "--yes").code == 4


def test_a_second_factor_that_was_lost_is_reset(installed: Cli) -> None:
    added = installed("user", "add", "ada@example.com", "--role", "console", "--customer", "acme")
    assert installed("user", "reset", "ada@example.com", "--yes").code == 4
    with bootstrap.Service(settings.load(), google=False) as service:
        words = "four words are enough"
        person = service.users.set_password(added.out.strip().rpartition("/")[2], words)
        secret = service.factors.begin(person, words, "192.0.2.1").secret.reveal()
        now = pyotp.TOTP(secret).at(datetime.now(UTC))
        service.factors.confirm(person, now, "192.0.2.1", "")
    (listed,) = installed.value("user", "list")
    assert listed["second_factor"]
    assert installed("user", "reset", "ada@example.com").code == 1
    assert not installed.value("user", "reset", "ada@example.com", "--yes")["second_factor"]
    (listed,) = installed.value("user", "list")
    assert not listed["second_factor"]
    assert {"factor.on", "factor.reset"} <= {event["verb"] for event in installed.value("audit")}
