"""The fake keeps the contract of a Google."""

from collections.abc import Iterator

import pytest

from oauth.google import http_client
from tests.oauth.fake_google import CLIENT_ID, CLIENT_SECRET, ENDPOINTS, FakeGoogle
from tests.oauth.google_contract import GoogleContract, World


class TestFakeGoogle(GoogleContract):
    """Every sentence of the contract, on the fake."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        fake = FakeGoogle()
        with http_client(fake.transport()) as http:
            yield World(http, ENDPOINTS, CLIENT_ID, CLIENT_SECRET, "http://127.0.0.1:8000", fake)
