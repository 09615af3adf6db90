"""The documents as a site: every page in its place, every link and anchor there, nothing loaded from elsewhere."""

import functools
import http.server
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.site.__main__ import assemble, build
from tests.site.reference import ROOT, document, reference

# What a browser fetches by itself; `a` is followed by people only.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data", "link": "href"}
UNLOADED = {"canonical", "next", "prev"}


class Assets(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in FETCHED and given.get("rel") not in UNLOADED:
            self.found.append(given.get(FETCHED[tag], ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once."""
    folder = tmp_path_factory.mktemp("site")
    assemble(folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where it is served."""
    handler = functools.partial(_Quiet, directory=str(folder / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing."""


def _leaves(nav: list[Any]) -> Iterator[str]:
    for one in nav:
        if isinstance(one, str):
            yield one
        else:
            for value in one.values():
                yield from [value] if isinstance(value, str) else _leaves(value)


def pages() -> list[str]:
    """Every page of the navigation, in the reader's order."""
    configured = tomllib.loads((ROOT / "docs" / "zensical.toml").read_text("utf-8"))
    return list(_leaves(configured["project"]["nav"]))


def test_every_page_has_its_place_in_the_navigation(folder: Path) -> None:
    source = folder / "source"
    written = {str(path.relative_to(source)) for path in source.rglob("*.md")}
    assert sorted(pages()) == sorted(written)


def test_a_link_that_leads_nowhere_fails_the_site(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "zensical.toml").write_text(
        '[project]\nsite_name = "x"\ndocs_dir = "source"\nsite_dir = "site"\n', "utf-8"
    )
    (tmp_path / "source" / "README.md").write_text("# x\n\n[y](nowhere.md) [z](#nothing)\n", "utf-8")
    done: subprocess.CompletedProcess[str] = build(tmp_path)
    assert done.returncode != 0
    assert "page does not exist" in done.stdout + done.stderr
    assert "anchor does not exist" in done.stdout + done.stderr


def test_nothing_is_loaded_from_elsewhere(folder: Path) -> None:
    site = folder / "site"
    for page in site.rglob("*.html"):
        assets = Assets()
        assets.feed(page.read_text("utf-8"))
        assert assets.found
        assert [one for one in assets.found if re.match(r"(?:https?:)?//", one)] == [], page
    for sheet in site.rglob("*.css"):
        loaded = re.findall(r"(?:url\(|@import\s*)[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text("utf-8"))
        assert loaded == [], sheet


@pytest.mark.timeout(180)
def test_a_browser_asks_nobody_else_and_finds_every_page(browser: Browser, address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    for name in pages():
        place = name.removesuffix("README.md").removesuffix(".md")
        page.goto(address + (f"{place}/" if place else ""), wait_until="load")
        assert page.title().endswith("ga-sync"), name
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.locator("h1").count() == 1, name
        broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
        assert page.evaluate(broken) == [], name
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert refused == []


def test_the_reference_has_every_call_with_every_field() -> None:
    described = document()
    page = reference(described, (ROOT / "docs" / "http.md").read_text("utf-8"))
    headings = re.findall(r"^## `([A-Z]+ \S+)`$", page, re.MULTILINE)
    calls = [f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods]
    assert headings == calls
    query = page.split("## `POST /v1/links/{link_id}/recordings/query`")[1].split("\n## ")[0]
    assert "| `filter` | body | required | Filter |" in query
    assert "| `limit` | body |  | integer | at least 1; at most 10000; 50 unless given |" in query
    assert "Role: store, console." in query
