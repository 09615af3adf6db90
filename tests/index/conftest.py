"""How Hypothesis runs here: as everywhere, but without a clock, since a busy machine proves nothing wrong."""

from hypothesis import settings

from tests.index.shelves import shelf

__all__ = ["shelf"]

settings.register_profile("index", parent=settings.default, deadline=None)
settings.load_profile("index")
