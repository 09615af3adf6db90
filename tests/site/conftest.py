"""The browser of these tests."""

from tests.browser.conftest import browser

__all__ = ["browser"]
