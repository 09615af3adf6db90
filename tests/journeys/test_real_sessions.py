"""Genuine sessions: 12,330 of a shop, and the audiences that a shop would define, against the file read by hand."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ga_sync.sandbox.table import recording_id  # the documented id of a line
from tests.journeys import browser
from tests.journeys.doors import Api
from tests.journeys.processes import Machine, is_ready, wait_until
from tests.journeys.truth import Control

TABLE = Path(__file__).resolve().parents[2] / "../shared/data/online_shoppers_intention.csv"
DAYS, LINES = 30, 12_330
COLUMNS = ("PageValues", "ProductRelated", "Region", "Revenue", "TrafficType", "VisitorType", "Weekend")
Line = Mapping[str, str]
Json = dict[str, Any]


# --- the shop's audiences: as Google's clauses, and as plain Python --------------------------------------


def exactly(column: str, value: str) -> Json:
    """A string condition."""
    return condition(column, stringFilter={"matchType": "EXACT", "value": value, "caseSensitive": True})


def one_of(column: str, *values: str) -> Json:
    """An in-list condition."""
    return condition(column, inListFilter={"values": list(values), "caseSensitive": True})


def over(column: str, value: float) -> Json:
    """A numeric condition."""
    return condition(column, numericFilter={"operation": "GREATER_THAN", "value": {"doubleValue": value}})


def condition(column: str, **one_filter: object) -> Json:
    """A condition on one column of the table."""
    return {"dimensionOrMetricFilter": {"fieldName": f"customEvent:{column.lower()}", **one_filter}}


def both(*expressions: Json) -> Json:
    """All of these."""
    return {"andGroup": {"filterExpressions": list(expressions)}}


def either(*expressions: Json) -> Json:
    """Any of these."""
    return {"orGroup": {"filterExpressions": list(expressions)}}


def no(expression: Json) -> Json:
    """Not this."""
    return {"notExpression": expression}


AUDIENCES: dict[str, tuple[Json, Callable[[Line], bool]]] = {
    "Everybody": (one_of("Weekend", "TRUE", "FALSE"), lambda _: True),
    "Buyers": (exactly("Revenue", "1"), lambda line: line["Revenue"] == "1"),
    "Returning, did not buy": (
        both(exactly("VisitorType", "Returning_Visitor"), no(exactly("Revenue", "1"))),
        lambda line: line["VisitorType"] == "Returning_Visitor" and line["Revenue"] != "1",
    ),
    "Weekend visitors": (exactly("Weekend", "TRUE"), lambda line: line["Weekend"] == "TRUE"),
    "High page value": (over("PageValues", 50.5), lambda line: float(line["PageValues"]) > 50.5),
    "Traffic 2 in region 3": (
        both(exactly("TrafficType", "2"), exactly("Region", "3")),
        lambda line: (line["TrafficType"], line["Region"]) == ("2", "3"),
    ),
    "Nested": (
        both(
            either(over("ProductRelated", 40), both(exactly("Weekend", "TRUE"), one_of("Region", "1", "4"))),
            no(either(exactly("Revenue", "1"), exactly("VisitorType", "New_Visitor"))),
        ),
        lambda line: (
            (int(line["ProductRelated"]) > 40 or (line["Weekend"] == "TRUE" and line["Region"] in {"1", "4"}))
            and not (line["Revenue"] == "1" or line["VisitorType"] == "New_Visitor")
        ),
    ),
}


def mapping(last_day: date) -> Json:
    """How the sandbox reads the table."""
    clauses = {
        name: {
            "clauseType": "INCLUDE",
            "simpleFilter": {
                "scope": "AUDIENCE_FILTER_SCOPE_WITHIN_SAME_SESSION",
                "filterExpression": expression,
            },
        }
        for name, (expression, _) in AUDIENCES.items()
    }
    return {
        "day": {"last_day": last_day.isoformat(), "days": DAYS},
        "columns": {column: f"customEvent:{column.lower()}" for column in COLUMNS},
        "audiences": [{"display_name": name, "clauses": [clause]} for name, clause in clauses.items()],
    }


@pytest.fixture(scope="module")
def expected() -> dict[str, set[str]]:
    """The recordings of each audience, by reading the file line by line."""
    if not TABLE.exists():
        pytest.skip(f"there is no table of genuine sessions at {TABLE}")
    with TABLE.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == LINES
    return {
        name: {recording_id(number) for number, line in enumerate(lines) if holds(line)}
        for name, (_, holds) in AUDIENCES.items()
    }


@pytest.mark.timeout(300)
def test_a_shop_finds_exactly_its_own_sessions(expected: dict[str, set[str]], tmp_path: Path) -> None:
    """Link, synchronise, and compare every audience; then the clock alone brings the next run."""
    offset, described = tmp_path / "offset", tmp_path / "mapping.json"
    described.write_text(json.dumps(mapping(datetime.now(UTC).date() - timedelta(days=2))), "utf-8")
    variables = {"GA_SYNC_BACKFILL_DAYS": str(DAYS + 10), "GA_SYNC_CLOCK_OFFSET_FILE": str(offset)}
    with ExitStack() as undo:
        machine = undo.enter_context(Machine(tmp_path / "machine", variables))
        url = machine.sandbox("--table", str(TABLE), "--mapping", str(described))
        control = Control(url, offset)
        undo.callback(control.close)
        machine.install()
        serve, url = machine.begin_serve("--with-worker")
        api = Api(url, machine.key("admin", "*"))
        undo.callback(api.close)
        serve.until(lambda: is_ready(url), "a ready answer")
        link_id = linked(api, control)
        every_audience_is_exact(api, link_id, expected)
        the_clock_alone_brings_a_run(api, control, link_id)
        every_audience_is_exact(api, link_id, expected)
        assert serve.terminate() == 0


def linked(api: Api, control: Control) -> str:
    """The shop's property, linked and read once."""
    (shop,) = control.properties()
    begun = api.grants("shop")
    answer = browser.consent(begun["link_url"], control.user_of(shop["property"]))
    assert answer.status_code == 200, answer.text
    link = api.link(begun["grant_id"], shop["property"], shop["recording_parameter"])
    run = api.run_until_ended(link["link_id"], link["last_run"]["run_id"])
    assert (run["status"], run["days_left"]) == ("succeeded", 0), run
    return str(link["link_id"])


def every_audience_is_exact(api: Api, link_id: str, expected: dict[str, set[str]]) -> None:
    """Each segment by its own pages; two together by one question."""
    listed = {one["name"]: one for one in api.all(f"/v1/links/{link_id}/segments", "segments", limit=100)}
    assert {name: one["recordings"] for name, one in listed.items()} == {
        name: len(ids) for name, ids in expected.items()
    }
    for name, one in listed.items():
        found = api.ids(link_id, limit=5000, filter={"segment": one["segment_id"]})
        assert Counter(found) == Counter(expected[name]), name
    number = {name: {"segment": one["segment_id"]} for name, one in listed.items()}
    question = {"all": [number["Weekend visitors"], {"not": number["Buyers"]}]}
    assert (
        set(api.ids(link_id, limit=900, filter=question)) == expected["Weekend visitors"] - expected["Buyers"]
    )


def the_clock_alone_brings_a_run(api: Api, control: Control, link_id: str) -> None:
    """Nobody asks; an interval passes."""
    before = {run["run_id"] for run in api.all(f"/v1/links/{link_id}/runs", "runs")}
    control.move(hours=3)

    def another() -> bool:
        runs = api.all(f"/v1/links/{link_id}/runs", "runs")
        return any(run["run_id"] not in before and run["status"] == "succeeded" for run in runs)

    wait_until(another, "a run that nobody asked for")
