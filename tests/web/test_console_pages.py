"""People with an account: signing in, filtering by clicks, coverage, and what each may see."""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import event

from ga_sync.web.console.drawing import points
from ga_sync.web.console.entry import safe_next
from models.segment import Segment as SegmentRow
from tests.web.bench import ACME, House, Template, template
from tests.web.walks import PASSWORD, form, send, sign_in

COUNT = re.compile(r'<span class="count">([\d,]+)</span>')


@pytest.fixture(scope="session")
def empty_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """On SQLite alone: these pages have no SQL of their own, and what they call is proved on both."""
    with template(tmp_path_factory.mktemp("pages"), None) as found:
        yield found


def _count(text: str) -> int:
    found = COUNT.search(text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


@pytest.fixture
def signed(fresh: House) -> tuple[House, str]:
    """A link of acme's, and a person of acme's who is signed in."""
    _, link_id = fresh.linked()
    sign_in(fresh, "alex@acme.example")
    return fresh, link_id


def test_who_is_not_signed_in_is_sent_to_sign_in_and_comes_back(fresh: House) -> None:
    _, link_id = fresh.linked()
    wanted = f"/console/links/{link_id}?g=any.1"
    away = fresh.client.get(wanted, follow_redirects=False)
    assert away.status_code == 303
    assert dict(parse_qsl(urlsplit(away.headers["location"]).query))["next"] == wanted
    sign_in(fresh, "alex@acme.example")
    fresh.client.cookies.clear()
    page = fresh.client.get(away.headers["location"])
    done = send(fresh.client, page, "/console/login", email="ALEX@acme.example", password=PASSWORD)
    assert done.headers["location"] == wanted
    again = fresh.client.get("/console/login", params={"next": wanted}, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, wanted)
    posted = fresh.client.post("/console/logout", data={}, follow_redirects=False)
    assert posted.status_code == 403
    out = send(fresh.client, fresh.client.get("/console"), "/console/logout")
    assert out.headers["location"] == "/console/login"
    assert fresh.client.get("/console", follow_redirects=False).status_code == 303
    without = fresh.client.post("/admin/keys", data={}, follow_redirects=False)
    assert without.headers["location"] == "/console/login?next=%2Fconsole"


def test_wrong_passwords_are_told_alike_and_slowed_down(fresh: House) -> None:
    fresh.service.users.add("alex@acme.example", "console", ACME, "test")
    page = fresh.client.get("/console/login")
    for email in ("nobody@acme.example", "alex@acme.example"):
        wrong = send(fresh.client, page, "/console/login", email=email, password="wrong")
        assert wrong.status_code == 401
        assert "The e-mail address or the password is wrong." in wrong.text
        assert f'value="{email}"' in wrong.text
        assert "set-cookie" not in wrong.headers
    for _ in range(6):
        slow = send(fresh.client, page, "/console/login", email="alex@acme.example", password="wrong")
    assert slow.status_code == 429
    assert "Too many attempts. Wait" in slow.text


def test_a_password_is_set_once_by_its_address(fresh: House) -> None:
    made = fresh.service.users.add("alex@acme.example", "console", ACME, "test")
    address = made.address(fresh.service.settings.public_url)
    page = fresh.client.get(address)
    assert "alex@acme.example" in page.text
    differ = send(fresh.client, page, "", password=PASSWORD, again="x")
    assert (differ.status_code, "not the same" in differ.text) == (422, True)
    short = send(fresh.client, page, "", password="short", again="short")
    assert (short.status_code, "12 to 200" in short.text) == (422, True)
    assert send(fresh.client, page, "", password=PASSWORD, again=PASSWORD).status_code == 303
    gone = fresh.client.get(address)
    assert gone.status_code == 404
    assert "This address does not work" in gone.text


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("/console/links/x?g=any.1", "/console/links/x?g=any.1"),
        ("/admin", "/admin"),
        ("/v1/links", "/console"),
        ("//evil.example/console/", "/console"),
        ("https://evil.example/console/x", "/console"),
        ("/\\evil.example/console/", "/console"),
        ("/console/\nx", "/console"),
        ("/consoles", "/console"),
        ("", "/console"),
    ],
)
def test_signing_in_leads_nowhere_else(given: str, taken: str) -> None:
    assert safe_next(given) == taken


def test_clicks_build_a_filter_whose_count_is_the_apis(signed: tuple[House, str]) -> None:
    """Include, exclude, join: the page's count equals the door's, and the address says it all."""
    house, link_id = signed
    at = f"/console/links/{link_id}"
    segments = house.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    first, second, third = sorted(segments, key=lambda one: -one["recordings"])[:3]
    every = {"any": [{"segment": one["segment_id"]} for one in segments]}
    door = f"/v1/links/{link_id}/recordings/count"
    assert _count(house.client.get(at).text) == house.call("POST", door, {"filter": every})["count"]
    page = f"{at}?"
    for action in (f"add:{first['segment_id']}", f"add:{second['segment_id']}", f"not:{third['segment_id']}"):
        moved = house.client.get(f"{page}&do={action}", follow_redirects=False)
        assert moved.status_code == 303
        page = moved.headers["location"]
    either = {"any": [{"segment": first["segment_id"]}, {"segment": second["segment_id"]}]}
    expected = {"all": [either, {"not": {"segment": third["segment_id"]}}]}
    shown = house.client.get(page)
    assert _count(shown.text) == house.call("POST", door, {"filter": expected})["count"]
    assert f"g=any.{first['segment_id']}.{second['segment_id']}&g=none.{third['segment_id']}" in page
    pressed = re.findall(r'class="slim" name="do" value="((?:add|not):\d+)"', shown.text)
    assert pressed == [
        f"add:{first['segment_id']}",
        f"add:{second['segment_id']}",
        f"not:{third['segment_id']}",
    ]


def test_a_filter_may_be_written_as_text(signed: tuple[House, str]) -> None:
    house, link_id = signed
    segments = house.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    names = [one["name"] for one in segments]
    segment = next(one for one in segments if names.count(one["name"]) == 1)
    expected = house.call(
        "POST", f"/v1/links/{link_id}/recordings/count", {"filter": {"segment": segment["segment_id"]}}
    )
    at = f"/console/links/{link_id}"
    name = segment["name"].replace('"', '\\"')
    named = house.client.get(at, params={"filter": f'"{name}"'})
    assert _count(named.text) == expected["count"]
    assert _count(house.client.get(at, params={"filter": segment["segment_id"]}).text) == expected["count"]
    for wrong in ("((", "999", '"of nobody"', f"!{segment['segment_id']}"):
        refused = house.client.get(at, params={"filter": wrong})
        assert refused.status_code == 200
        assert 'role="alert"' in refused.text
    swapped = house.client.get(at, params={"from": "2026-11-20", "to": "2026-11-01"})
    assert 'role="alert"' in swapped.text


def test_the_list_goes_on_page_by_page(signed: tuple[House, str]) -> None:
    house, link_id = signed
    page = house.client.get(f"/console/links/{link_id}")
    following = re.search(r'href="(\?[^"]*cursor=[^"]+)"', page.text)
    assert following is not None
    more = house.client.get(f"/console/links/{link_id}{following[1].replace('&amp;', '&')}")
    ids = re.compile(r'<span class="id small"><bdi>([^<]+)</bdi>')
    assert ids.findall(more.text)
    assert not set(ids.findall(page.text)) & set(ids.findall(more.text))
    broken = house.client.get(f"/console/links/{link_id}", params={"cursor": "nonsense"})
    assert 'role="alert"' in broken.text


def test_a_search_narrows_segments_and_gone_ones_are_named(signed: tuple[House, str]) -> None:
    house, link_id = signed
    at = f"/console/links/{link_id}"
    assert "No segment has this name." in house.client.get(at, params={"s": "of nobody"}).text
    gone = house.client.get(at, params={"g": "any.999999"})
    assert "1 segment of this address does not exist any more and was left out." in gone.text


def test_lines_beside_the_segments_are_the_apis_days_from_one_question(signed: tuple[House, str]) -> None:
    house, link_id = signed
    begun: list[object] = []
    event.listen(house.service.stores.data.engine, "begin", begun.append)
    text = house.client.get(f"/console/links/{link_id}").text
    for_all = len(begun)
    lines = re.findall(r'<polyline points="([^"]+)"', text)
    one = house.client.get(f"/console/links/{link_id}", params={"s": "Buyers"}).text
    assert len(re.findall(r'<polyline points="([^"]+)"', one)) < len(lines)
    assert len(begun) - for_all == for_all  # as many transactions for few lines as for all
    first = (house.clock().date() - timedelta(days=30)).isoformat()
    held = house.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    body = [{"filter": {"segment": row["segment_id"]}, "from": first, "by": "day"} for row in held]
    told = [house.call("POST", f"/v1/links/{link_id}/recordings/count", each)["by"] for each in body]
    assert sorted(lines) == sorted(points([day["count"] for day in by], 96, 24) for by in told)


def test_hostile_names_stay_text(signed: tuple[House, str]) -> None:
    """A segment named as markup, with direction marks, is shown as written, wherever it is shown."""
    house, link_id = signed
    segment = house.call("GET", f"/v1/links/{link_id}/segments")["segments"][0]
    label = '"><img src=x onerror=alert(1)>\u202e'
    house.call("PUT", f"/v1/links/{link_id}/segments/{segment['segment_id']}/label", {"label": label})
    page = house.client.get(f"/console/links/{link_id}", params={"g": f"any.{segment['segment_id']}"})
    assert "<img src=x" not in page.text
    assert "\u202e" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩" in page.text


def test_every_square_of_the_calendar_explains_itself(signed: tuple[House, str]) -> None:
    house, link_id = signed
    at = f"/console/links/{link_id}/coverage"
    calendar = house.client.get(at)
    days = house.call("GET", f"/v1/links/{link_id}/days")["days"]
    assert all(f'href="?day={one["day"]}#explain"' in calendar.text for one in days)
    for one in days:
        page = house.client.get(at, params={"day": one["day"]})
        assert "Ids Google knew" in page.text
    house.call(
        "PUT", f"/v1/links/{link_id}/days/{days[0]['day']}/recorded", {"count": 10}, role="store", expect=204
    )
    assert "<dt>Recorded</dt><dd>10" in house.client.get(at, params={"day": days[0]["day"]}).text
    assert "What the squares mean" in house.client.get(at, params={"day": "nonsense"}).text


def test_a_paused_link_says_so_and_shows_its_segments(signed: tuple[House, str]) -> None:
    house, link_id = signed
    house.call("POST", f"/v1/links/{link_id}/pause")
    page = house.client.get(f"/console/links/{link_id}")
    assert "the link is paused" in page.text
    assert "paused" in house.client.get("/console").text


def test_nobody_sees_another_customers_links(signed: tuple[House, str]) -> None:
    house, link_id = signed
    house.client.cookies.clear()
    sign_in(house, "sam@globex.example", customer="globex")
    assert link_id not in house.client.get("/console").text
    for path in (link_id, f"{link_id}/coverage", "nobody", "a%20b"):
        refused = house.client.get(f"/console/links/{path}")
        assert refused.status_code == 404
        assert '<a href="/console">To the recordings</a>' in refused.text
    assert house.client.get("/admin").status_code == 403


def test_a_link_without_segments_says_what_to_do(signed: tuple[House, str]) -> None:
    house, link_id = signed
    house.call("POST", f"/v1/links/{link_id}/pause")
    with house.service.stores.data.transaction() as session:
        for row in session.query(SegmentRow).filter_by(link_id=link_id):
            session.delete(row)
    house.call("POST", f"/v1/links/{link_id}/resume")
    page = house.client.get(f"/console/links/{link_id}")
    assert "How a segment becomes an audience" in page.text
    assert "This link has no segment yet." in page.text


def test_forms_carry_a_token(signed: tuple[House, str]) -> None:
    house, _ = signed
    _, fields = form(house.client.get("/console"), "/console/logout")
    assert len(fields["form_token"][0]) == 64
