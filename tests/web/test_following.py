"""Forgetting recordings, and following who enters and leaves segments, through the doors."""

import json
from datetime import timedelta

from tests.web.bench import House, HouseMaker, Json

Pairs = set[tuple[str, str]]


def exported(house: House, link_id: str) -> Pairs:
    """Who is in which segment, by the export of each segment."""
    found: Pairs = set()
    listed = house.call("GET", f"/v1/links/{link_id}/segments", role="store")["segments"]
    for segment in (one["segment_id"] for one in listed):
        answer = house.client.get(
            f"/v1/links/{link_id}/recordings/export",
            params={"filter": segment},
            headers=house.headers("store"),
        )
        assert answer.status_code == 200, answer.text
        found |= {(segment, json.loads(line)["recording_id"]) for line in answer.text.splitlines()}
    return found


class Follower:
    """A consumer that knows nothing but what ``/changes`` told it."""

    def __init__(self, house: House, link_id: str, limit: int = 7) -> None:
        self.house, self.link_id, self.limit = house, link_id, limit
        self.since: str | None = None
        self.held: Pairs = set()

    def step(self) -> bool:
        """Read one page; whether there is more."""
        since = "" if self.since is None else f"&since={self.since}"
        page = self.house.call(
            "GET", f"/v1/links/{self.link_id}/changes?limit={self.limit}{since}", role="store"
        )
        for change in page["changes"]:
            pair = (change["segment_id"], change["recording_id"])
            assert change["as_of"] is not None
            if change["change"] == "entered":
                self.held.add(pair)
            else:
                self.held.discard(pair)
        self.since = page["next"]
        return bool(page["more"])

    def catch_up(self) -> Pairs:
        """Read to the end; what is held then."""
        while self.step():
            pass
        return self.held


def a_pair(house: House, link_id: str) -> tuple[str, str]:
    return min(exported(house, link_id))


def forget(house: House, link_id: str, *ids: str) -> Json:
    return house.call("POST", f"/v1/links/{link_id}/recordings/forget", {"recording_ids": list(ids)})


def test_whoever_follows_the_changes_holds_what_the_export_says(fresh: House) -> None:
    house = fresh
    grant_id = house.consent()
    link_id = house.link(grant_id)
    early = Follower(house, link_id)
    assert early.catch_up() == set()
    house.work()
    late = Follower(house, link_id)
    assert late.catch_up() == early.catch_up() == exported(house, link_id) != set()
    house.forward(days=1, hours=2)
    house.work()
    assert late.catch_up() == early.catch_up() == exported(house, link_id)
    _, gone = a_pair(house, link_id)
    assert forget(house, link_id, gone, "never seen") == {"forgotten": 2}
    assert late.catch_up() == early.catch_up() == exported(house, link_id)
    assert gone not in {one for _, one in late.held}
    house.call("PATCH", f"/v1/links/{link_id}", {"retention_days": 2})
    assert late.catch_up() == early.catch_up() == exported(house, link_id) != set()


def test_what_is_forgotten_stays_forgotten_when_it_is_read_again(fresh: House) -> None:
    house = fresh
    _, link_id = house.linked()
    segment, gone = a_pair(house, link_id)
    forget(house, link_id, gone)
    house.forward(hours=2)
    house.work()
    told = house.call(
        "POST", f"/v1/links/{link_id}/recordings/segments", {"recording_ids": [gone]}, role="store"
    )
    assert told["recordings"] == [{"recording_id": gone, "segment_ids": []}]
    days = house.call("GET", f"/v1/links/{link_id}/days", role="store")["days"]
    listed = house.call("GET", f"/v1/links/{link_id}/segments", role="store")["segments"]
    assert sum(day["memberships"] for day in days) >= len(exported(house, link_id))
    assert {one["segment_id"] for one in listed} >= {segment}
    assert forget(house, link_id, gone) == {"forgotten": 1}


def test_a_paused_link_neither_forgets_nor_tells_changes(fresh: House) -> None:
    house = fresh
    _, link_id = house.linked()
    follower = Follower(house, link_id)
    follower.catch_up()
    house.call("POST", f"/v1/links/{link_id}/pause")
    house.refused("paused", "POST", f"/v1/links/{link_id}/recordings/forget", {"recording_ids": ["a"]})
    house.refused("paused", "GET", f"/v1/links/{link_id}/changes", role="store")
    house.call("POST", f"/v1/links/{link_id}/resume")
    house.work()
    assert follower.catch_up() == exported(house, link_id)


def test_where_to_go_on_is_refused_when_it_is_forged_foreign_or_too_old(make_house: HouseMaker) -> None:
    house = make_house()
    _, link_id = house.linked()
    follower = Follower(house, link_id)
    follower.catch_up()
    at = f"/v1/links/{link_id}/changes"
    house.refused("cursor-invalid", "GET", f"{at}?since=forged", role="store")
    house.refused("cursor-invalid", "GET", f"{at}?since=%C3%BC", role="store")
    house.refused("cursor-invalid", "GET", f"{at}?since={follower.since}x", role="store")
    house.refused("invalid", "GET", f"{at}?limit=0", role="store")
    house.refused("invalid", "GET", f"{at}?limit=10001", role="store")
    house.refused("forbidden", "GET", at, role="console")
    house.forward(days=8)
    house.work()
    problem = house.call("GET", f"{at}?since={follower.since}", role="store", expect=410)
    assert problem["type"] == "/problems/cursor-expired"
    assert Follower(house, link_id).catch_up() == exported(house, link_id)


def test_a_link_that_is_removed_tells_no_changes_and_forgets_nothing(fresh: House) -> None:
    house = fresh
    _, link_id = house.linked()
    house.call("DELETE", f"/v1/links/{link_id}")
    house.refused("not-found", "GET", f"/v1/links/{link_id}/changes", role="store")
    house.refused("not-found", "POST", f"/v1/links/{link_id}/recordings/forget", {"recording_ids": ["a"]})


def test_a_run_that_is_published_after_a_quiet_week_is_followed(fresh: House) -> None:
    """The newest generation may be older than the log; its holder goes on all the same."""
    house = fresh
    _, link_id = house.linked()
    follower = Follower(house, link_id)
    follower.catch_up()
    house.service.stores.data.checkpoint()
    house.clock.advance(timedelta(minutes=1))
    assert follower.step() is False
    assert follower.held == exported(house, link_id)
