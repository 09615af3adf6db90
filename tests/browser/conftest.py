"""A stage and a browser, each once; where there is no Chromium the tests here are skipped, and say so."""

from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser

from ga_sync.demo.stage import Stage
from tests.browser.tour import CHROMIUM, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's package chromium to run the browser tests")
    with chromium() as found:
        yield found


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Everything running on loopback, beginning empty: links of several tests would share one property's quota."""
    with Stage(port=0) as found:
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core (https://github.com/dequelabs/axe-core)."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
