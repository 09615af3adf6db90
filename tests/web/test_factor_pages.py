"""The pages of a second factor: turning it on, signing in with it, losing it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pyotp
import pytest

from ga_sync.web.console.drawing import qr_code
from tests.web.bench import House, Template, template
from tests.web.walks import PASSWORD, form, send, sign_in

ALEX = "alex@acme.example"
FACTOR = "/console/factor"
CODE = "/console/login/code"
RECOVERY = re.compile(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b")


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """On SQLite alone: these pages have no SQL of their own, and what they call is proved on both."""
    with template(tmp_path_factory.mktemp("pages"), None) as found:
        yield found


@dataclass
class Person:
    """Somebody with a second factor who is signed in, and what they keep."""

    house: House
    secret: str
    codes: list[str]

    def next(self) -> str:
        """The app's next code, when its time has come."""
        self.house.clock.advance(timedelta(seconds=30))
        return pyotp.TOTP(self.secret).at(self.house.clock())

    def give_password_anew(self) -> httpx.Response:
        """As a browser that was never here."""
        self.house.client.cookies.clear()
        return self.give_password()

    def give_password(self, next_: str = "/console") -> httpx.Response:
        """Sign in with the password, up to the page that asks for the code."""
        page = self.house.client.get("/console/login", params={"next": next_})
        done = send(self.house.client, page, "/console/login", email=ALEX, password=PASSWORD)
        assert done.status_code == 303, done.text
        assert urlsplit(done.headers["location"]).path == CODE
        return self.house.client.get(done.headers["location"])


def begun(house: House) -> tuple[httpx.Response, str]:
    """The page with the secret, and the secret."""
    page = house.client.get(FACTOR)
    shown = send(house.client, page, "/begin", password=PASSWORD)
    assert shown.status_code == 200, shown.text
    found = re.search(r'href="(otpauth://[^"]+)"', shown.text)
    assert found is not None
    (secret,) = parse_qs(urlsplit(found[1].replace("&amp;", "&")).query)["secret"]
    return shown, secret


@pytest.fixture
def person(fresh: House) -> Person:
    sign_in(fresh, ALEX)
    shown, secret = begun(fresh)
    done = send(fresh.client, shown, "/confirm", code=pyotp.TOTP(secret).at(fresh.clock()))
    return Person(fresh, secret, RECOVERY.findall(done.text))


def test_it_is_turned_on_with_a_code_and_ten_others_are_shown_once(fresh: House) -> None:
    sign_in(fresh, ALEX)
    assert f'href="{FACTOR}"' in fresh.client.get("/console").text
    page = fresh.client.get(FACTOR)
    assert "It is off" in page.text
    wrong = send(fresh.client, page, "/begin", password="wrong")
    assert (wrong.status_code, "The password is wrong." in wrong.text) == (401, True)
    shown, secret = begun(fresh)
    assert " ".join(re.findall("....", secret)) in shown.text
    assert f"ga-sync:{ALEX}" in unquote(shown.text)
    assert '<svg class="qr"' in shown.text
    refused = send(fresh.client, shown, "/confirm", code="000000")
    assert (refused.status_code, "The code is wrong" in refused.text) == (401, True)
    assert secret not in refused.text.replace(" ", "")
    assert "It is off" in fresh.client.get(FACTOR).text
    done = send(fresh.client, refused, "/confirm", code=pyotp.TOTP(secret).at(fresh.clock()))
    assert len(set(RECOVERY.findall(done.text))) == 10
    after = fresh.client.get(FACTOR).text
    assert "10 recovery codes left of ten" in after
    assert RECOVERY.findall(after) == []
    again = fresh.client.post(f"{FACTOR}/begin", data={**form(shown, "/confirm")[1], "password": PASSWORD})
    assert (again.status_code, "on already" in again.text) == (409, True)


def test_the_code_is_asked_after_the_password_and_leads_where_one_wanted_to_go(person: Person) -> None:
    client = person.house.client
    client.cookies.clear()
    page = person.give_password("/console/factor?x=1")
    assert set(client.cookies) == {"ga_sync_code"}
    assert client.get("/console", follow_redirects=False).status_code == 303
    assert 'autocomplete="one-time-code"' in page.text
    wrong = send(client, page, CODE, code="000000")
    assert (wrong.status_code, "The code is wrong" in wrong.text) == (401, True)
    assert "set-cookie" not in wrong.headers
    done = send(client, wrong, CODE, code=person.next())
    assert (done.status_code, done.headers["location"]) == (303, "/console/factor?x=1")
    assert set(client.cookies) == {"ga_sync_session"}
    assert client.get("/console").status_code == 200
    for cookie in done.headers.get_list("set-cookie"):
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))


def test_a_recovery_code_signs_in_once(person: Person) -> None:
    for status in (303, 401):
        done = send(person.house.client, person.give_password_anew(), CODE, code=person.codes[3])
        assert done.status_code == status
    done = send(person.house.client, person.give_password_anew(), CODE, code=person.next())
    assert done.status_code == 303
    assert "9 recovery codes left" in person.house.client.get(FACTOR).text


def test_few_recovery_codes_are_told(person: Person) -> None:
    for code in person.codes[:8]:
        assert send(person.house.client, person.give_password_anew(), CODE, code=code).status_code == 303
    assert "Few recovery codes are left" in person.house.client.get(FACTOR).text


def test_the_page_for_the_code_is_good_for_five_minutes(person: Person) -> None:
    client, page = person.house.client, person.give_password_anew()
    person.house.clock.advance(timedelta(minutes=5))
    late = send(client, page, CODE, code=person.next())
    assert (late.status_code, "five minutes for the code are over" in late.text) == (401, True)
    away = client.get(CODE, params={"next": "/admin"}, follow_redirects=False)
    assert (away.status_code, away.headers["location"]) == (303, "/console/login?next=%2Fadmin")


def test_another_browser_can_do_nothing_with_the_page_for_the_code(person: Person) -> None:
    """The cookie of the browser that knew the password is half of it: the other half is a code."""
    client, page = person.house.client, person.give_password_anew()
    pending = client.cookies["ga_sync_code"]
    client.cookies.clear()
    assert send(client, page, CODE, code=person.next()).status_code == 403
    assert client.get(CODE, follow_redirects=False).status_code == 303
    own = form(client.get("/console/login"), "/console/login")[1]
    refused = client.post(CODE, data={**own, "code": person.next()}, follow_redirects=False)
    assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
    client.cookies.set("ga_sync_session", pending)
    assert client.get("/console", follow_redirects=False).status_code == 303


def test_codes_are_slowed_down_on_every_page_that_asks_for_one(person: Person) -> None:
    client, page = person.house.client, person.give_password_anew()
    for _ in range(5):
        send(client, page, CODE, code="000000")
    slow = send(client, page, CODE, code="000000")
    assert (slow.status_code, "Too many attempts. Wait 30 seconds" in slow.text) == (429, True)
    person.house.forward(minutes=1)
    assert send(client, page, CODE, code=person.next()).status_code == 303
    page = client.get(FACTOR)
    for _ in range(5):
        wrong = send(client, page, "/off", password=PASSWORD, code="000000")
        assert (wrong.status_code, "The password or the code is wrong." in wrong.text) == (401, True)
    slow = send(client, page, "/off", password=PASSWORD, code="000000")
    assert (slow.status_code, "Too many attempts" in slow.text) == (429, True)


def test_turning_it_on_is_slowed_down_too(fresh: House) -> None:
    sign_in(fresh, ALEX)
    shown, _ = begun(fresh)
    for _ in range(5):
        send(fresh.client, shown, "/confirm", code="000000")
    slow = send(fresh.client, shown, "/confirm", code="000000")
    assert (slow.status_code, "Too many attempts" in slow.text) == (429, True)
    page = fresh.client.get(FACTOR)
    for _ in range(5):
        send(fresh.client, page, "/begin", password="wrong")
    slow = send(fresh.client, page, "/begin", password=PASSWORD)
    assert (slow.status_code, "Too many attempts" in slow.text) == (429, True)


def test_what_was_begun_too_long_ago_says_what_to_do(fresh: House) -> None:
    sign_in(fresh, ALEX)
    shown, secret = begun(fresh)
    fresh.clock.advance(timedelta(minutes=15))
    late = send(fresh.client, shown, "/confirm", code=pyotp.TOTP(secret).at(fresh.clock()))
    assert (late.status_code, "begin again" in late.text) == (409, True)


def test_it_is_turned_off_with_password_and_code(person: Person) -> None:
    client = person.house.client
    page = client.get(FACTOR)
    wrong = send(client, page, "/off", password="wrong", code=person.next())
    assert wrong.status_code == 401
    done = send(client, page, "/off", password=PASSWORD, code=person.next())
    assert (done.status_code, done.headers["location"]) == (303, FACTOR)
    assert "It is off" in client.get(FACTOR).text
    again = send(client, page, "/off", password=PASSWORD, code=person.next())
    assert (again.status_code, "off already" in again.text) == (409, True)


def test_an_administrator_resets_it_for_others_and_not_for_themselves(person: Person) -> None:
    client = person.house.client
    mine = client.cookies["ga_sync_session"]
    client.cookies.clear()
    sign_in(person.house, "root@operator.example", "admin", "*")
    page = client.get("/admin/people")
    assert page.text.count('action="/admin/people/reset"') == 1
    done = send(client, page, "/admin/people/reset")
    assert (done.status_code, done.headers["location"]) == (303, "/admin/people")
    assert "/admin/people/reset" not in client.get("/admin/people").text
    assert send(client, page, "/admin/people/reset").status_code == 404
    shown, secret = begun(person.house)
    send(client, shown, "/confirm", code=pyotp.TOTP(secret).at(person.house.clock()))
    own = send(client, page, "/admin/people/reset", email="root@operator.example")
    assert (own.status_code, "your own second factor" in own.text) == (409, True)
    client.cookies.clear()
    client.cookies.set("ga_sync_session", mine)
    assert client.get("/console", follow_redirects=False).status_code == 303


def test_a_form_from_elsewhere_turns_nothing_on_or_off(person: Person) -> None:
    client = person.house.client
    for address in (CODE, *(f"{FACTOR}/{one}" for one in ("begin", "confirm", "off")), "/admin/people/reset"):
        assert client.post(address, data={"password": PASSWORD, "code": "000000"}).status_code == 403
    page = client.get(FACTOR)
    _, fields = form(page, "/off")
    elsewhere = {"origin": "https://evil.example"}
    data = {**fields, "password": PASSWORD, "code": person.next()}
    assert client.post(f"{FACTOR}/off", data=data, headers=elsewhere).status_code == 403
    client.cookies.clear()
    assert client.get(FACTOR, follow_redirects=False).status_code == 303


def test_a_qr_code_is_one_path_with_a_quiet_zone() -> None:
    """Read back, the path is the square of modules: three finder patterns in a border of four (ISO/IEC 18004)."""
    drawn = qr_code("otpauth://totp/x")
    dark = {
        (int(x) + at, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", drawn.path)
        for at in range(int(width))
    }
    last = drawn.size - 5
    assert {min(x for x, _ in dark), min(y for _, y in dark)} == {4}
    assert max(x for x, _ in dark) == last
    for x, y in ((4, 4), (last - 6, 4), (4, last - 6)):
        ring = {(x + a, y + b) for a in range(7) for b in range(7) if {a, b} & {0, 6}}
        assert ring <= dark
        assert (x + 1, y + 1) not in dark
