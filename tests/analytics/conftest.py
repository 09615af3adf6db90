"""A Google of a few lines, and the real client that talks to it."""

from collections.abc import Iterator

import pytest

from ga_sync.analytics.client import AnalyticsClient
from tests.analytics.tiny_google import TinyGoogle, tiny_google


@pytest.fixture
def google() -> Iterator[TinyGoogle]:
    with tiny_google() as tiny:
        yield tiny


@pytest.fixture
def client(google: TinyGoogle) -> Iterator[AnalyticsClient]:
    with AnalyticsClient(google.endpoint, google.endpoint) as made:
        yield made
