"""What the docs say exists: links, settings, commands, columns, addresses, problems, reasons, errors and tests."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from litestar.routes import HTTPRoute

from ga_sync.accounts.views import LINK_ACTIONS
from ga_sync.analytics.errors import AnalyticsError
from ga_sync.cli.app import app
from ga_sync.settings import Settings, load
from ga_sync.sync.completeness import INCOMPLETE, STATES, SUSPECT, Signs, verdict_of
from ga_sync.web.app import create_app
from ga_sync.web.errors import STATUS
from ga_sync.web.services import Services
from models.base import SealedBytes
from models.tables import DataBase, KeyringBase

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Ends of a run that are no refusal of Google's Analytics APIs.
OTHER_ENDS = {"grant_dead", "client_refused", "token_unavailable", "paused", "damaged", "internal", "quota_…"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", text(name))


def section(name: str, title: str) -> str:
    """What stands under one heading, up to the next of its level or above."""
    hashes, _, _ = title.partition(" ")
    body = text(name).split(f"\n{title}\n", 1)[1]
    return re.split(rf"^#{{1,{len(hashes)}}} ", body, maxsplit=1, flags=re.MULTILINE)[0]


def rows(table: str) -> list[list[str]]:
    """The cells of every table row, headings and rules left out."""
    lines = [line for line in table.splitlines() if line.startswith("| `") or re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def ticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- links and names -------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, as they are made where it is shown."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), target


def test_every_picture_is_small_and_shown() -> None:
    shown = {
        ((ROOT / name).parent / target).resolve()
        for name in NAMES
        for target in re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", prose(name))
    }
    pictures = set((ROOT / "docs" / "pictures").iterdir())
    assert pictures - shown == set()
    assert {one.name for one in pictures if one.stat().st_size > 150 * 1024} == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_test_that_is_named_exists(name: str) -> None:
    written = text(name)
    for path in re.findall(r"\btests/[\w./]*\w", written):
        assert (ROOT / path).exists(), path
    known = {
        found
        for path in (ROOT / "tests").rglob("*.py")
        for found in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert set(re.findall(r"`(test_\w+)`", written)) - known == set()


def test_every_decision_is_reached_from_the_front_door() -> None:
    made = {f"docs/decisions/{page.name}" for page in (ROOT / "docs" / "decisions").glob("*.md")}
    assert made - set(re.findall(r"\]\((docs/decisions/[^)#]+)\)", text("README.md"))) == set()


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda page: page.stem
)
def test_every_decision_ends_with_what_enforces_it(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[-1] == "What enforces it"


def test_every_room_that_is_drawn_is_there() -> None:
    drawn = {path for cells in rows(section("docs/house.md", "## Rooms")) for path in ticked(cells[0])}
    assert {path for path in drawn if not (ROOT / path).exists()} == set()


# --- settings --------------------------------------------------------------------------------------------

VARIABLES = {f"GA_SYNC_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_that_is_named_is_a_setting(name: str) -> None:
    named = set(re.findall(r"\bGA_SYNC_[A-Z_]*[A-Z]\b(?!_TEST)", text(name)))
    assert {one for one in named if not one.startswith("GA_SYNC_TEST_")} - VARIABLES == set()


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    table = {tuple(ticked(cells[0])): cells[1] for cells in rows(section("README.md", "## Configuration"))}
    assert {one for names in table for one in names} == VARIABLES
    for field in (
        "public_url",
        "listen",
        "retention_days",
        "backfill_days",
        "quota_share",
        "admin_daily_budget",
    ):
        assert table[f"GA_SYNC_{field.upper()}",] == f"`{Settings.model_fields[field].default}`"


# --- the command line ------------------------------------------------------------------------------------


def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 -- click's
    """Every command with its words; a group that does something by itself is one too."""
    for name, command in group.commands.items():
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from commands(command, words)
            if not command.invoke_without_command:
                continue
        yield words, command


COMMANDS = dict(commands(typer.main.get_command(app)))


def called(written: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every `ga-sync …` of a page: its command's words, and the options given to it."""
    lines = [line for block in FENCE.findall(written) for line in block.splitlines()]
    spans = re.findall(r"`(ga-sync [^`]+)`", FENCE.sub("", written))
    containers = [
        f"ga-sync {found[1]}"
        for line in lines
        if (found := re.search(r"docker run .* ga-sync (\w.*)$", line))
    ]
    for line in [*spans, *containers, *(line for line in lines if line.startswith("ga-sync "))]:
        plain = re.split(r"\s[#>&]\s?", line.partition(" ")[2])[0].split()
        words = tuple(word for word in plain[:2] if re.fullmatch(r"[a-z]+", word))
        yield words, [word for word in plain if word.startswith("--")]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_is_named_can_be_called(name: str) -> None:
    for words, options in called(text(name)):
        assert words in COMMANDS, words
        known = {option for parameter in COMMANDS[words].params for option in parameter.opts}
        assert set(options) <= known | {"--help"}, (words, options)


def test_every_command_stands_in_the_readme() -> None:
    table = section("README.md", "## Command line")
    assert {words for words, _ in called(table)} == COMMANDS.keys()


# --- what is stored --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "base"),
    [("### Data store", DataBase), ("### Keyring store", KeyringBase)],
    ids=["data", "keyring"],
)
def test_every_column_is_listed_with_how_it_stands_and_what_for(
    title: str, base: type[DataBase] | type[KeyringBase]
) -> None:
    tables = re.split(r"^\*\*`(\w+)`\*\*", section("docs/security.md", title), flags=re.MULTILINE)
    listed = {
        (table, ticked(cells[0])[0]): cells[1:]
        for table, body in zip(tables[1::2], tables[2::2], strict=True)
        for cells in rows(body)
    }
    stored = {
        (table.name, column.name): column for table in base.metadata.sorted_tables for column in table.columns
    }
    assert listed.keys() == stored.keys()
    for name, (stands, purpose) in listed.items():
        assert purpose
        assert stands in {"clear", "hashed", "blind", "wrapped", "sealed"}
        assert (stands == "sealed") is isinstance(stored[name].type, SealedBytes), name


# --- the doors -------------------------------------------------------------------------------------------


# The framework serves the document under addresses of its own, too.
SAME_DOCUMENT = {"GET /openapi", "GET /openapi/openapi.json", "GET /openapi/{path}"}


class Unused:
    """Every service of which building the application only keeps hold."""

    def __init__(self, **known: object) -> None:
        vars(self).update(known)

    def __getattr__(self, _name: str) -> "Unused":
        return Unused()


def addresses() -> set[str]:
    """Every method and path of the application."""
    services = cast("Services", Unused(settings=load(_env_file=None)))
    return {
        f"{method} {re.sub(r':[a-z]+}', '}', route.path)}"
        for route in create_app(services).routes
        for method in cast("HTTPRoute", route).methods
        if method not in {"OPTIONS", "HEAD"}
    }


def test_every_address_is_documented_and_every_documented_one_exists() -> None:
    listed = re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`?]+)`", text("docs/http.md"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == addresses() - SAME_DOCUMENT


def test_every_problem_is_documented_with_its_status() -> None:
    listed = {ticked(cells[1])[0]: int(cells[0]) for cells in rows(section("docs/http.md", "## Problems"))}
    assert listed == STATUS


# --- runs and days ---------------------------------------------------------------------------------------


def test_every_state_and_reason_of_a_day_is_explained() -> None:
    listed = rows(section("docs/sync.md", "## How complete a day is"))
    states = [ticked(cells[0])[0] for cells in listed if len(cells) == 2]
    reasons = {ticked(cells[0])[0]: cells[1] for cells in listed if len(cells) == 3}
    assert tuple(states) == STATES
    assert reasons.keys() == set(Signs.__dataclass_fields__) | SUSPECT | INCOMPLETE
    assert {
        one: "none" if said == "complete" else said for one in reasons if (said := verdict_of([one]).state)
    } == reasons


def slugs(root: type[AnalyticsError]) -> Iterator[str]:
    for child in root.__subclasses__():
        yield child.slug.replace("-", "_")
        yield from slugs(child)


def test_every_end_of_a_run_is_explained() -> None:
    listed = {
        one for cells in rows(section("docs/sync.md", "## When a run stops")) for one in ticked(cells[0])
    }
    assert listed == set(slugs(AnalyticsError)) - {"quota_exhausted"} | OTHER_ENDS
    assert LINK_ACTIONS.keys() - {"quota_exhausted"} <= listed


def test_every_promise_has_a_proof() -> None:
    """That the tests which are named exist is tested above, of every page."""
    promises = re.split(r"^\*\*(\d+)\. ", text("docs/privacy.md"), flags=re.MULTILINE)
    assert promises[1::2] == [str(number) for number in range(1, 12)]
    for number, promise in zip(promises[1::2], promises[2::2], strict=True):
        assert re.search(r"^Proof: .*`tests/\w+", promise, re.MULTILINE), number


def test_every_proof_in_the_table_of_threats_is_a_test() -> None:
    told = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    there = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(told) > 60
    assert sorted(told - there) == []
