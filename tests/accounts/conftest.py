"""The houses of these tests."""

from tests.accounts.people import people
from tests.index.shelves import shelf
from tests.web.fixtures import empty_stores, fresh, make_house, shared, shared_house

__all__ = ["empty_stores", "fresh", "make_house", "people", "shared", "shared_house", "shelf"]
