"""Lists in pages: every item once, a limit that is refused and not clamped, cursors good for one list."""

import pytest

from tests.web.bench import ACME, House, Json, Shared


def _walk(house: House, path: str, name: str, limit: int = 1, *, role: str = "console") -> list[Json]:
    found: list[Json] = []
    cursor: str | None = None
    mark = "&" if "?" in path else "?"
    while True:
        at = f"{path}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = house.call("GET", at, role=role)
        assert len(page[name]) <= limit
        found += page[name]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _lists(shared: Shared) -> list[tuple[str, str, str]]:
    grant = f"/v1/grants/{shared.grant_id}"
    return [
        ("/v1/grants", "grants", "console"),
        ("/v1/links", "links", "console"),
        (f"{grant}/properties", "properties", "console"),
        (
            f"{grant}/properties/{shared.property_name.removeprefix('properties/')}/dimensions",
            "dimensions",
            "console",
        ),
        (f"{shared.at}/runs", "runs", "console"),
        (f"{shared.at}/days", "days", "console"),
        (f"{shared.at}/segments", "segments", "console"),
        ("/v1/audit", "events", "admin"),
    ]


@pytest.mark.parametrize("number", range(8))
def test_every_list_pages_through_all_items_once(shared: Shared, number: int) -> None:
    path, name, role = _lists(shared)[number]
    whole = shared.house.call("GET", f"{path}?limit=1000", role=role)
    assert whole["next_cursor"] is None
    assert whole[name]
    assert _walk(shared.house, path, name, role=role) == whole[name]
    assert _walk(shared.house, path, name, 3, role=role) == whole[name]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", ""])
def test_a_limit_out_of_range_is_refused(shared: Shared, number: int, limit: str) -> None:
    path, _, role = _lists(shared)[number]
    shared.house.refused("invalid", "GET", f"{path}?limit={limit}", role=role)


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("cursor", ["", "x", "nonsense", "A" * 40, "A" * 5000, "%C3%A9", "%00"])
def test_a_forged_cursor_is_refused(shared: Shared, number: int, cursor: str) -> None:
    path, _, role = _lists(shared)[number]
    shared.house.refused("cursor-invalid", "GET", f"{path}?cursor={cursor}", role=role)


def test_a_cursor_fits_no_other_list_window_or_customer(shared: Shared) -> None:
    house = shared.house
    cursor = house.call("GET", f"{shared.at}/days?limit=1")["next_cursor"]
    for path in (
        f"{shared.at}/segments",
        f"{shared.at}/runs",
        "/v1/grants",
        f"{shared.at}/days?from=2026-11-18",
    ):
        mark = "&" if "?" in path else "?"
        house.refused("cursor-invalid", "GET", f"{path}{mark}cursor={cursor}")
    house.refused("cursor-invalid", "GET", f"{shared.at}/days?cursor={cursor}", customer=ACME)
    assert house.call("GET", f"{shared.at}/days?cursor={cursor}&limit=5")["days"]


def test_lists_may_be_asked_for_one_customer(shared: Shared) -> None:
    house = shared.house
    assert house.call("GET", f"/v1/links?customer_id={ACME}")["links"]
    assert house.call("GET", "/v1/links?customer_id=nobody")["links"] == []
    assert house.call("GET", "/v1/grants", customer=ACME)["grants"]
    events = house.call("GET", f"/v1/audit?customer_id={ACME}", role="admin")["events"]
    assert {event["customer_id"] for event in events} == {ACME}
    assert set(events[0]) == {"at", "actor", "verb", "object", "customer_id"}
    for path in ("/v1/grants", "/v1/links"):
        for bad in ("%00", "a" * 65, "a/b"):
            house.refused("invalid", "GET", f"{path}?customer_id={bad}")


def test_days_may_be_windowed_and_bad_days_are_refused(shared: Shared) -> None:
    house = shared.house
    whole = house.call("GET", f"{shared.at}/days")["days"]
    some = house.call("GET", f"{shared.at}/days?from={whole[2]['day']}&to={whole[4]['day']}")["days"]
    assert some == whole[2:5]
    for bad in ("from=yesterday", "to=2026-02-30", "from=2026-11-20T00:00:00", "from=", "to=20261120x"):
        house.refused("invalid", "GET", f"{shared.at}/days?{bad}")


def test_objects_have_the_documented_members(shared: Shared) -> None:
    house = shared.house
    link = house.call("GET", shared.at)
    assert set(link) == {
        "link_id",
        "customer_id",
        "grant_id",
        "property",
        "display_name",
        "parameter_name",
        "time_zone",
        "status",
        "reason",
        "action",
        "retention_days",
        "next_sync_at",
        "last_run",
        "quota",
        "days",
    }
    assert set(link["last_run"]) == {
        "run_id",
        "link_id",
        "status",
        "started_at",
        "finished_at",
        "days_read",
        "days_left",
        "requests",
        "rows",
        "tokens",
        "retry_at",
        "error",
    }
    assert set(house.call("GET", f"/v1/grants/{shared.grant_id}")) == {
        "grant_id",
        "customer_id",
        "status",
        "reason",
        "action",
        "created_at",
        "expires_at",
        "purge_at",
        "token_expires_at",
        "links",
    }
    day = house.call("GET", f"{shared.at}/days")["days"][0]
    assert set(day) == {
        "day",
        "state",
        "reasons",
        "recordings",
        "memberships",
        "seen",
        "recorded",
        "coverage",
        "fetched_at",
        "reread",
    }
    segments = house.call("GET", f"{shared.at}/segments")
    assert {"segments", "segments_checked_at", "as_of", "next_cursor"} == set(segments)
    assert set(segments["segments"][0]) == {
        "segment_id",
        "name",
        "label",
        "recordings",
        "first_day",
        "last_day",
        "created_at",
        "archived",
    }
    run_id = link["last_run"]["run_id"]
    assert house.call("GET", f"{shared.at}/runs/{run_id}") == link["last_run"]
    for run in ("nobody", "%00", "x" * 70):
        house.refused("not-found", "GET", f"{shared.at}/runs/{run}")


def test_properties_name_their_link_and_dimensions_suggest_one(shared: Shared) -> None:
    house = shared.house
    found = house.call("GET", f"/v1/grants/{shared.grant_id}/properties")["properties"]
    linked = {item["property"]: item["linked"] for item in found}
    assert linked.pop(shared.property_name) == shared.link_id
    assert set(linked.values()) == {None}
    number = shared.property_name.removeprefix("properties/")
    dimensions = house.call("GET", f"/v1/grants/{shared.grant_id}/properties/{number}/dimensions")[
        "dimensions"
    ]
    assert [item["parameter_name"] for item in dimensions if item["suggested"]] == ["sessioncam_id"]
    assert len(dimensions) == 2, "the user-scoped ones are not listed"
    house.refused("invalid", "GET", f"/v1/grants/{shared.grant_id}/properties/x/dimensions")
    house.refused("property-unreadable", "GET", f"/v1/grants/{shared.grant_id}/properties/1/dimensions")
