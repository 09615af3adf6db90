"""A stage for each test, and what looks for barriers."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from ga_sync.demo.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Everything running on loopback, beginning empty: links of several tests would share one property's quota."""
    with Stage(port=0) as found:
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core (https://github.com/dequelabs/axe-core)."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
