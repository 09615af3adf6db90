"""Worlds loaded from a table of sessions."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ga_sync.sandbox import blueprints as draw
from ga_sync.sandbox.mapping import parse_mapping
from ga_sync.sandbox.members import Memberships
from ga_sync.sandbox.table import BadMappingError, day_of, load_table, read_mapping, recording_id
from ga_sync.sandbox.truth import truth
from ga_sync.sandbox.world import World

Loose: TypeAlias = Any  # the visitor of conftest, JSON, and messages without static types


REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "online_shoppers_intention.csv"
NOW = datetime(2026, 1, 15, tzinfo=UTC)
BUYERS = {"display_name": "Buyers", "clauses": [draw.clause(draw.exact("customEvent:revenue", "1"))]}
SIMPLE: dict[str, Any] = {
    "day": {"column": "when"},
    "columns": {"land": "country", "revenue": "customEvent:revenue"},
    "audiences": [BUYERS],
    "time_zone": "Europe/Berlin",
}
TABLE = "when,who,sid,land,revenue,hits\n2026-01-02,a,s1,France,1,3\n2026-01-03,a,s2,Spain,0,4\n2026-01-03,b,s3,,0,1\n"


def mapped(given: dict[str, Any], **more: Loose) -> Loose:
    return parse_mapping({**given, **more})


def written(folder: Path, text: str = TABLE) -> Path:
    path = folder / "table.csv"
    path.write_text(text, "utf-8")
    return path


def test_columns_become_users_sessions_and_events(tmp_path: Path) -> None:
    mapping = mapped(
        SIMPLE, user_column="who", session_column="sid", events_column="hits", constants={"platform": "web"}
    )
    world = load_table(written(tmp_path), mapping)
    prop = next(iter(world.properties.values()))
    rows = prop.day(date(2026, 1, 3)).rows
    assert [(row.user, row.values, row.events) for row in rows] == [
        ("a", ("Spain", "0", "web", "s2"), 4),
        ("b", ("", "0", "web", "s3"), 1),
    ]
    days = truth(prop, Memberships(prop), NOW)["days"]
    number = str(prop.audiences[2].audience_id)
    assert [day["audiences"][number]["final"] for day in days[:2]] == [["s1"], ["s2"]]
    assert {one.api_name for one in prop.dimensions} == {"customEvent:revenue", "customEvent:sessioncam_id"}


def test_without_columns_for_them_each_row_has_its_own_user_and_id(tmp_path: Path) -> None:
    created = {**BUYERS, "created_day": "2026-01-03"}
    prop = next(iter(load_table(written(tmp_path), mapped(SIMPLE, audiences=[created])).properties.values()))
    rows = prop.day(date(2026, 1, 3)).rows
    assert [(row.user, row.values[-1]) for row in rows] == [
        ("row-1", recording_id(1)),
        ("row-2", recording_id(2)),
    ]
    assert len(recording_id(0)) == 32
    assert prop.today(prop.audiences[2].create_time) == date(2026, 1, 3)


def test_a_day_inside_a_month_is_a_weekend_exactly_where_the_table_says_so() -> None:
    rule = mapped(SIMPLE, day={"month_column": "m", "year": 2025, "weekend_column": "w"}).day
    for number in range(40):
        assert day_of(rule, {"m": "June", "w": "TRUE"}, number).weekday() >= 5
        assert day_of(rule, {"m": "2", "w": "FALSE"}, number).weekday() < 5
    plain = mapped(SIMPLE, day={"month_column": "m", "year": 2025}).day
    assert {day_of(plain, {"m": "Feb"}, number).day for number in range(60)} == set(range(1, 29))


def test_rows_can_be_dealt_over_the_last_days() -> None:
    rule = mapped(SIMPLE, day={"last_day": "2026-01-10", "days": 3}).day
    assert [day_of(rule, {}, number).day for number in range(4)] == [10, 9, 8, 10]


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("when,land\n2026-01-02,France\n", {}, "no column 'revenue'"),
        (TABLE.replace("2026-01-02", "soon"), {}, "row 1: no day"),
        (TABLE, {"day": {"column": "never"}}, "row 1: no day"),
        (TABLE, {"events_column": "land"}, "row 1"),
        ("when,land,revenue\n", {}, "no rows"),
        (
            TABLE,
            {"audiences": [{"display_name": "A", "clauses": [draw.clause(draw.exact("x", "1"))]}]},
            "audience 'A'",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    tmp_path: Path, text: str, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadMappingError, match=sentence):
        load_table(written(tmp_path, text), mapped(SIMPLE, **more))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "must be an object"),
        ({**SIMPLE, "colour": 1}, "has no colour"),
        ({**SIMPLE, "columns": None}, "columns must"),
        ({**SIMPLE, "columns": {"a": 1}}, "columns must"),
        ({**SIMPLE, "day": {}}, "day needs one of"),
        ({**SIMPLE, "day": {"last_day": "soon", "days": 1}}, "must be a day"),
        ({**SIMPLE, "time_zone": "Mars/North"}, "not an IANA name"),
        ({**SIMPLE, "audiences": [{"display_name": "A"}]}, "needs display_name and clauses"),
    ],
)
def test_a_bad_mapping_is_refused(given: Loose, sentence: str) -> None:
    with pytest.raises(BadMappingError, match=sentence):
        parse_mapping(given)


def test_mapping_files_are_json_or_toml(tmp_path: Path) -> None:
    as_json = tmp_path / "m.json"
    as_json.write_text(json.dumps(SIMPLE))
    assert read_mapping(as_json) == parse_mapping(SIMPLE)
    as_toml = tmp_path / "m.toml"
    as_toml.write_text(
        '[columns]\na = "country"\n[day]\nlast_day = 2026-01-10\ndays = 3\nweekend_values = ["1"]\n'
    )
    assert read_mapping(as_toml).day.last_day == date(2026, 1, 10)
    as_json.write_text("{")
    with pytest.raises(BadMappingError, match="not well-formed"):
        read_mapping(as_json)
    with pytest.raises(BadMappingError, match=r"\.json or \.toml"):
        read_mapping(tmp_path / "m.yaml")


SHOP: dict[str, Any] = {
    "day": {"month_column": "Month", "year": 2025, "weekend_column": "Weekend"},
    "columns": {
        "VisitorType": "newVsReturning",
        "TrafficType": "customEvent:traffic_type",
        "Region": "region",
        "PageValues": "customEvent:page_value",
        "Weekend": "customEvent:weekend",
        "Revenue": "customEvent:revenue",
    },
    "time_zone": "Europe/Istanbul",
    "audiences": [
        BUYERS,
        {
            "display_name": "Returning non-buyers",
            "clauses": [
                draw.clause(draw.exact("newVsReturning", "Returning_Visitor")),
                draw.clause({"notExpression": draw.exact("customEvent:revenue", "1")}),
            ],
        },
        {"display_name": "Weekend", "clauses": [draw.clause(draw.exact("customEvent:weekend", "TRUE"))]},
        {
            "display_name": "High page value",
            "clauses": [draw.clause(draw.over("customEvent:page_value", 50))],
        },
        {
            "display_name": "Traffic 2 or 3 in region 1",
            "clauses": [
                draw.clause(draw.condition("customEvent:traffic_type", inListFilter={"values": ["2", "3"]})),
                draw.clause(draw.exact("region", "1")),
            ],
        },
    ],
}
PLAIN: dict[str, Callable[[dict[str, str]], bool]] = {
    "Buyers": lambda line: line["Revenue"] == "1",
    "Returning non-buyers": lambda line: (
        line["VisitorType"] == "Returning_Visitor" and line["Revenue"] != "1"
    ),
    "Weekend": lambda line: line["Weekend"] == "TRUE",
    "High page value": lambda line: float(line["PageValues"]) > 50,
    "Traffic 2 or 3 in region 1": lambda line: line["TrafficType"] in ("2", "3") and line["Region"] == "1",
}


def test_real_sessions_fall_into_the_audiences_that_plain_python_finds(
    visit: Callable[[World], Any], order: Callable[..., Any]
) -> None:
    if not REAL.is_file():
        pytest.skip("the table of real sessions is not beside the repository")
    world = load_table(REAL, parse_mapping(SHOP))
    prop = next(iter(world.properties.values()))
    with REAL.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    visitor = visit(world)
    bearer = visitor.bearer("analytics@table.example")
    names = ["audienceResourceName", "customEvent:sessioncam_id"]
    answer = visitor.report(
        prop.name,
        bearer,
        date_ranges=[{"start_date": "2025-01-01", "end_date": "2025-12-31"}],
        names=names,
        order_bys=order(*names),
    )
    found: dict[str, set[str]] = {}
    for row in answer.rows:
        found.setdefault(row.dimension_values[0].value, set()).add(row.dimension_values[1].value)
    for audience in prop.audiences[2:]:
        wanted = {recording_id(n) for n, line in enumerate(lines) if PLAIN[audience.display_name](line)}
        assert found[prop.audience_name(audience)] == wanted, audience.display_name
    assert len(found[prop.audience_name(prop.audiences[2])]) == 1908
    assert len(found[prop.audience_name(prop.audiences[0])]) == 12330
