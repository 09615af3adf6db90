"""Bad input at the doors of the index: cursors from elsewhere, ids that look alike, days that do not open."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from models.day import Reading
from models.sealed import Sealed
from tests.web.bench import ACME, GLOBEX, House, Json

ALIKE = ["\u00e9", "e\u0301", "E\u0301", "id", "ID", "id ", " id", "ab" * 16, "AB" * 16, "aB" * 16]
DAMAGED = date(2026, 11, 22)


def query(house: House, link_id: str, body: Json, **how: Any) -> Json:  # noqa: ANN401
    return house.call("POST", f"/v1/links/{link_id}/recordings/query", body, role="store", **how)


def test_a_cursor_of_another_link_or_customer_is_refused(fresh: House) -> None:
    """Both links are of one property, so that filter and window are the same and only their owners differ."""
    _, mine = fresh.linked()
    _, theirs = fresh.linked(GLOBEX)
    segments = fresh.call("GET", f"/v1/links/{mine}/segments")["segments"]
    body = {"filter": {"any": [{"segment": one["segment_id"]} for one in segments]}, "limit": 1}
    cursors = {link: query(fresh, link, body)["next_cursor"] for link in (mine, theirs)}
    assert None not in cursors.values()
    for link, other in ((mine, theirs), (theirs, mine)):
        address = f"/v1/links/{link}/recordings/query"
        fresh.refused("cursor-invalid", "POST", address, {**body, "cursor": cursors[other]}, role="store")
        assert query(fresh, link, {**body, "cursor": cursors[link]})["recording_ids"]
    address = f"/v1/links/{mine}/recordings/query"
    for customer in (ACME, GLOBEX):
        own = {"role": "store", "customer": customer}
        if customer == ACME:
            assert query(fresh, mine, {**body, "cursor": cursors[mine]}, customer=ACME)["recording_ids"]
        else:
            fresh.refused("not-found", "POST", address, {**body, "cursor": cursors[mine]}, **own)


def test_ids_that_differ_by_case_blank_or_unicode_form_are_different_recordings(fresh: House) -> None:
    grant_id = fresh.consent()
    link_id, name = fresh.link(grant_id), fresh.property_of(grant_id)
    rows = [
        {"day": f"2026-11-2{1 + n % 2}", "user": f"u{n}", "id": one, "events": 1}
        for n, one in enumerate(ALIKE)
    ]
    httpx.post(
        f"{fresh.sandbox.control_url}/sessions", json={"property": name, "rows": rows}
    ).raise_for_status()
    fresh.work()
    segments = fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"]
    widest = {"any": [{"segment": one["segment_id"]} for one in segments]}
    listed = query(fresh, link_id, {"filter": widest, "limit": 10_000})["recording_ids"]
    assert len(listed) == len(set(listed))
    held = [one for one in ALIKE if one in listed]
    assert len(held) >= len(ALIKE) // 2
    forgotten, kept = held[0], held[1:]
    at = f"/v1/links/{link_id}/recordings"
    fresh.call("POST", f"{at}/forget", {"recording_ids": [forgotten]})
    found = fresh.call("POST", f"{at}/match", {"filter": widest, "recording_ids": held}, role="store")
    assert found["matches"] == kept


def flipped(value: bytes) -> bytes:
    middle = len(value) // 2
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [flipped, lambda value: value[:-1], lambda _value: b""], ids=["flipped", "cut", "empty"]
)
def test_a_damaged_day_is_told_left_out_and_read_again(
    fresh: House, damage: Callable[[bytes], bytes]
) -> None:
    _, link_id = fresh.linked()
    segment = max(
        fresh.call("GET", f"/v1/links/{link_id}/segments")["segments"], key=lambda one: int(one["recordings"])
    )["segment_id"]
    filter_, at = {"segment": segment}, f"/v1/links/{link_id}/recordings"
    whole = query(fresh, link_id, {"filter": filter_, "limit": 10_000})
    without = query(fresh, link_id, {"filter": filter_, "limit": 10_000, "to": "2026-11-21"})["recording_ids"]
    after = query(fresh, link_id, {"filter": filter_, "limit": 10_000, "from": "2026-11-23"})["recording_ids"]
    with fresh.service.stores.data.transaction() as session:
        for reading in session.scalars(select(Reading).where(Reading.day == DAMAGED)):
            reading.value = Sealed(damage(reading.value.ciphertext))
    fresh.service.index.drop(link_id)
    asked: list[tuple[str, Json]] = [
        ("query", {"filter": filter_, "limit": 10_000}),
        ("match", {"filter": filter_, "recording_ids": whole["recording_ids"]}),
        ("count", {"filter": filter_, "by": "day"}),
        ("segments", {"recording_ids": whole["recording_ids"][:100]}),
        ("explain", {"filter": filter_, "recording_ids": whole["recording_ids"][:10]}),
    ]
    told = {what: fresh.call("POST", f"{at}/{what}", body, role="store") for what, body in asked}
    assert {what: answer["completeness"]["state"] for what, answer in told.items()} == dict.fromkeys(
        told, "incomplete"
    )
    assert set(told["query"]["recording_ids"]) == {*without, *after}
    assert set(told["match"]["matches"]) == {*without, *after}
    assert told["count"]["count"] == len({*without, *after})
    export = fresh.client.get(f"{at}/export?filter={segment}", headers=fresh.headers("store"))
    assert export.status_code == 200
    assert json.loads(export.headers["ga-sync-completeness"])["state"] == "incomplete"
    assert fresh.call("GET", f"/v1/links/{link_id}/changes", role="store")["changes"]
    fresh.forward(hours=2)
    fresh.work()
    again = query(fresh, link_id, {"filter": filter_, "limit": 10_000})
    assert again["recording_ids"] == whole["recording_ids"]
    assert "incomplete" not in again["completeness"]["days"]
