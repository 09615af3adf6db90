"""Nothing goes to an origin that the configuration does not name."""

import httpx
import pytest

from oauth.google import http_client
from oauth.outbound import OutboundRefused

KNOWN = {"https://oauth2.googleapis.com", "http://127.0.0.1:8123"}


def answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=request.url.host)


@pytest.mark.parametrize(
    "url",
    [
        "https://oauth2.googleapis.com/token?a=b",
        "https://OAuth2.googleapis.com:443/",
        "http://127.0.0.1:8123/x",
    ],
)
def test_a_known_origin_is_reached(url: str) -> None:
    with http_client(httpx.MockTransport(answer), KNOWN) as client:
        assert client.get(url).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com:444/token",
        "https://oauth2.googleapis.com.example/token",
        "https://oauth2.googleapis.com@example.com/token",
        "http://127.0.0.1:8124/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_any_other_origin_is_not(url: str) -> None:
    def never(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    with http_client(httpx.MockTransport(never), KNOWN) as client, pytest.raises(OutboundRefused):
        client.get(url)


def test_a_redirect_leads_nowhere() -> None:
    def away(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"location": "https://example.com/"})

    with http_client(httpx.MockTransport(away), KNOWN) as client:
        assert client.post("https://oauth2.googleapis.com/token").status_code == 307
        with pytest.raises(OutboundRefused):
            client.post("https://oauth2.googleapis.com/token", follow_redirects=True)


def test_the_fence_stands_before_the_real_network_too() -> None:
    with http_client(origins=KNOWN) as client, pytest.raises(OutboundRefused):
        client.get("https://example.com/")
