"""The houses of these tests."""

from tests.web.fixtures import empty_stores, fresh, make_house, shared, shared_house, warm

__all__ = ["empty_stores", "fresh", "make_house", "shared", "shared_house", "warm"]
