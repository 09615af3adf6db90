"""Generated worlds, membership and clauses, without a server."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.clauses import UnusableClauseError, parse
from ga_sync.sandbox.generate import generate
from ga_sync.sandbox.members import Membership, Memberships, check
from ga_sync.sandbox.quota import ADMIN_DAILY, Quotas
from ga_sync.sandbox.refusal import Refusal
from ga_sync.sandbox.server import PortTakenError, start
from ga_sync.sandbox.truth import truth
from ga_sync.sandbox.world import JUNK_IDS, Audience, Property, Row, World, default_audiences

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BORN = datetime(2026, 11, 1, tzinfo=UTC)
FIELDS = ("country", "eventName", "amount")


def at(
    day: int, user: str, country: str | None = None, event: str = "view", amount: str | None = None
) -> Row:
    moment = datetime(2026, 11, day, 12, tzinfo=UTC)
    return Row(moment, moment, user, (country, event, amount))


def prop(*rows: Row, fields: tuple[str, ...] = FIELDS) -> Property:
    made = Property(5, "P", 6, "UTC", BORN, fields, date(2026, 11, 1), "sid")
    made.add(rows)
    return made


def members(of: Property, day: int, *clauses: dict[str, Any], **more: Loose) -> set[str]:
    audience = Audience(51, "A", BORN, parse(list(clauses)), **more)
    return set(Membership(of, audience).on(date(2026, 11, day)))


def test_the_same_seed_gives_the_same_world_and_another_another() -> None:
    def ids(seed: int) -> list[Any]:
        world = generate(seed, now=NOW, days=3, shops=1, agency_properties=0, sessions_per_day=20)
        made = next(iter(world.properties.values()))
        return [row.values for row in made.day(date(2026, 11, 19)).rows]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_a_generated_world_has_everything_that_is_hard() -> None:
    world = generate(3, now=NOW)
    assert len({made.time_zone for made in world.properties.values()}) >= 4
    assert any(made.premium for made in world.properties.values())
    seen: dict[str, set[date]] = {}
    junk: set[str | None] = set()
    for made in list(world.properties.values())[:2]:
        for back in range(41):
            day = date(2026, 11, 20) - timedelta(days=back)
            for row in made.day(day).rows:
                value = row.values[-1]
                assert made.today(row.at) == day
                assert timedelta(0) <= row.visible_at - row.at < timedelta(hours=72)
                junk |= {value} if value is None or value in JUNK_IDS else set()
                seen.setdefault(value or "", set()).add(day)
    assert junk == {None, "", "(not set)", "(data not available)"}
    assert set(draw.ODD_IDS) <= set(seen)
    assert any(len(value) == 100 for value in seen)
    gaps = {(max(days) - min(days)).days for value, days in seen.items() if value not in JUNK_IDS}
    assert {1, 2, 3} <= gaps


def test_sessions_that_span_midnight_are_on_two_days_and_begin_on_one() -> None:
    made = next(iter(generate(3, now=NOW).properties.values()))
    today = made.day(date(2026, 11, 19)).rows
    before = {row.values[-1] for row in made.day(date(2026, 11, 18)).rows}
    tails = [row for row in today if row.sessions == 0]
    assert len(tails) == 3
    assert {row.values[-1] for row in tails} <= before


def test_custom_audiences_number_three_to_eight_with_a_large_and_an_empty_one() -> None:
    world = generate(5, now=NOW, shops=6)
    for made in world.properties.values():
        custom = [one for one in made.audiences if not one.built_in]
        assert 3 <= len(custom) <= 8
    made = next(iter(world.properties.values()))
    day = truth(made, Memberships(made), NOW, window=(date(2026, 11, 18), date(2026, 11, 18)))["days"][0]
    sizes = sorted(len(ids["final"]) for ids in day["audiences"].values())
    assert sizes[0] == 0
    assert sizes[-1] > 0.6 * day["ids"]["final"]
    assert day["in_no_audience"]["final"] > 0


def test_a_user_stays_from_the_first_match_until_the_membership_lapses() -> None:
    made = prop(at(2, "u", "France"), *(at(day, "u", "Spain") for day in (1, 3, 4, 9)))
    wanted = draw.clause(draw.exact("country", "France"))
    assert [members(made, day, wanted, membership_days=3) for day in (1, 2, 3, 4, 9)] == [
        set(),
        {"u"},
        {"u"},
        {"u"},
        set(),
    ]


def test_nobody_belongs_before_the_audience_was_made() -> None:
    made = prop(at(2, "u", "France"), at(6, "u", "Spain"), at(7, "u", "France"))
    audience = Audience(
        51, "A", datetime(2026, 11, 5, tzinfo=UTC), parse([draw.clause(draw.exact("country", "France"))])
    )
    held = Membership(made, audience)
    assert [set(held.on(date(2026, 11, day))) for day in (2, 6, 7)] == [set(), set(), {"u"}]


def test_all_clauses_must_hold_and_exclusion_ends_membership() -> None:
    rows = [
        at(2, "u", "France", "buy"),
        at(2, "v", "France"),
        at(3, "u", "Spain", "refund"),
        at(4, "u", "France", "buy"),
    ]
    made = prop(*rows)
    both = [draw.clause(draw.exact("country", "France")), draw.clause(draw.exact("eventName", "buy"))]
    assert members(made, 2, *both) == {"u"}
    out = draw.clause(draw.exact("eventName", "refund"), kind="EXCLUDE")
    assert [members(made, day, both[0], out) for day in (2, 3, 4)] == [{"u", "v"}, set(), {"u"}]
    assert members(made, 4, both[0], out, exclusion_mode=2) == set()
    assert members(made, 2, out) == {"u", "v"}


def test_across_all_sessions_conditions_may_be_met_on_different_days() -> None:
    made = prop(at(2, "u", "France"), at(3, "u", "Spain", "buy"), at(3, "v", "Spain", "buy"))
    both = {
        "andGroup": {"filterExpressions": [draw.exact("country", "France"), draw.exact("eventName", "buy")]}
    }
    assert members(made, 3, draw.clause(both)) == set()
    assert members(made, 3, draw.clause(both, "ACROSS_ALL_SESSIONS")) == {"u"}


def text(match: str, value: str, *, case: bool = False) -> dict[str, Any]:
    return draw.condition("country", stringFilter={"matchType": match, "value": value, "caseSensitive": case})


def event(name: str, **more: Loose) -> dict[str, Any]:
    return {"eventFilter": {"eventName": name, **more}}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (text("EXACT", "france"), {"f"}),
        (text("EXACT", "france", case=True), set()),
        (text("BEGINS_WITH", "Fr"), {"f"}),
        (text("ENDS_WITH", "AIN"), {"s"}),
        (text("CONTAINS", "a"), {"f", "s"}),
        (text("FULL_REGEXP", "f.*"), {"f"}),
        (draw.condition("country", inListFilter={"values": ["FRANCE"]}), {"f"}),
        (draw.condition("country", inListFilter={"values": ["FRANCE"], "caseSensitive": True}), set()),
        (draw.over("amount", 5), {"f"}),
        (
            draw.condition("amount", numericFilter={"operation": "EQUAL", "value": {"doubleValue": 5.0}}),
            {"s"},
        ),
        (
            draw.condition("amount", numericFilter={"operation": "LESS_THAN", "value": {"int64Value": "6"}}),
            {"s"},
        ),
        (
            draw.condition(
                "amount", betweenFilter={"fromValue": {"int64Value": "5"}, "toValue": {"doubleValue": 7}}
            ),
            {"f", "s"},
        ),
        ({"orGroup": {"filterExpressions": [text("EXACT", "Spain"), text("EXACT", "France")]}}, {"f", "s"}),
        ({"notExpression": text("EXACT", "Spain")}, {"f", "n"}),
        (event("buy"), {"s"}),
        (event("view", eventParameterFilterExpression=text("EXACT", "France")), {"f"}),
    ],
)
def test_conditions(expression: dict[str, Any], found: set[str]) -> None:
    made = prop(
        at(2, "f", "France", amount="7"), at(2, "s", "Spain", "buy", "5"), at(2, "n", None, amount="many")
    )
    assert members(made, 2, draw.clause(expression)) == found


@pytest.mark.parametrize(
    ("clauses", "sentence"),
    [
        ("no list", "must be a list"),
        ([{"colour": 1}], "not an AudienceFilterClause"),
        ([{}], "empty filter expression"),
        ([draw.clause(draw.exact("colour", "red"))], "no field 'colour'"),
        ([draw.clause({"dimensionOrMetricFilter": {"fieldName": "country"}})], "the filter is empty"),
        ([draw.clause(text("FULL_REGEXP", "("))], "not a regular expression"),
        ([draw.clause(text("MATCH_TYPE_UNSPECIFIED", "x"))], "match type 0"),
        (
            [draw.clause(draw.condition("amount", numericFilter={"value": {"int64Value": "1"}}))],
            "operation 0",
        ),
    ],
)
def test_a_clause_that_cannot_be_evaluated_is_refused(clauses: Loose, sentence: str) -> None:
    with pytest.raises(UnusableClauseError, match=sentence):
        check(parse(clauses), prop().index)


def test_an_event_filter_needs_event_names() -> None:
    with pytest.raises(UnusableClauseError, match="eventName"):
        check(parse([draw.clause(event("buy"))]), prop(fields=("country",)).index)


def test_purchasers_are_those_who_purchased() -> None:
    every, purchasers = default_audiences(5, BORN)
    made = prop(at(2, "u", event="purchase"), at(2, "v"))
    day = date(2026, 11, 2)
    assert Membership(made, purchasers).on(day) == {"u"}
    assert Membership(made, every).on(day) == {"u", "v"}
    nameless = prop(fields=("country",))
    nameless.add([Row(NOW, NOW, "u", (None,))])
    assert Membership(nameless, purchasers).on(NOW.date()) == frozenset()


def test_admin_calls_have_a_daily_quota() -> None:
    quotas = Quotas(admin=("2026-11-20", ADMIN_DAILY - 1))
    quotas.admin_call(NOW)
    with pytest.raises(Refusal, match="Quota exceeded"):
        quotas.admin_call(NOW)
    quotas.admin_call(NOW + timedelta(days=1))


def test_a_port_in_use_leaves_nothing_running(world: World, visit: Callable[[World], Any]) -> None:
    taken = int(visit(world).sandbox.data_endpoint.rpartition(":")[2])
    with pytest.raises(PortTakenError):
        start(world, clock=lambda: NOW, grpc_port=taken)


def test_a_sandbox_is_a_context_manager_that_names_the_environment(world: World) -> None:
    with start(world, clock=lambda: NOW, client_id="me") as sandbox:
        environment = sandbox.environment()
    assert environment["GA_SYNC_GOOGLE_CLIENT_ID"] == "me"
    assert set(environment) == {
        f"GA_SYNC_GOOGLE_{name}"
        for name in (
            "CLIENT_ID",
            "CLIENT_SECRET",
            "AUTH_URI",
            "TOKEN_URI",
            "REVOKE_URI",
            "ADMIN_ENDPOINT",
            "DATA_ENDPOINT",
        )
    }
    assert all(
        value.startswith("http://127.0.0.1:")
        for name, value in environment.items()
        if name[-3:] in {"URI", "INT"}
    )
    sandbox.stop()
