"""How Hypothesis runs here: as everywhere, but without a clock, since a busy machine proves nothing wrong."""

from hypothesis import HealthCheck, settings

from tests.index.shelves import shelf

__all__ = ["shelf"]

settings.register_profile(
    "index", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("index")
