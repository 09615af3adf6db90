"""The thin rim: what is sent where, and how every broken answer ends."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from models.sealed import Secret
from oauth.errors import TryLater
from oauth.google import LONGEST_BODY, WHOLE_SECONDS, Google, http_client
from tests.oauth.fake_google import CLIENT_ID, CLIENT_SECRET, ENDPOINTS, FakeGoogle

Asked = Callable[[httpx.Request], httpx.Response]


def google(answer: Asked, monotonic: Callable[[], float] = lambda: 0.0) -> Google:
    return Google(
        http_client(httpx.MockTransport(answer)),
        ENDPOINTS,
        client_id=CLIENT_ID,
        client_secret=Secret(CLIENT_SECRET),
        monotonic=monotonic,
    )


@pytest.mark.parametrize("mood", ["timeout", "redirect", "endless", "squeezed", "html_503", "garbage"])
def test_a_broken_answer_means_later_and_is_asked_for_once(mood: str) -> None:
    fake = FakeGoogle(mood=mood)
    with pytest.raises(TryLater):
        google(fake.transport().handler).refresh(Secret("rt"))  # type: ignore[arg-type]
    assert fake.calls("/token") == 1
    assert fake.calls("/elsewhere") == 0


@pytest.mark.parametrize("mood", ["timeout", "redirect", "html_503"])
def test_a_broken_answer_to_a_revocation_means_later(mood: str) -> None:
    with pytest.raises(TryLater):
        google(FakeGoogle(mood=mood).transport().handler).revoke(Secret("rt"))  # type: ignore[arg-type]


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    read: list[int] = []

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            read.append(4096)
            yield b" " * 4096

    with pytest.raises(TryLater, match="too long"):
        google(lambda _: httpx.Response(200, content=chunks())).refresh(Secret("rt"))
    assert sum(read) <= LONGEST_BODY + 2 * 4096


def test_an_answer_that_trickles_is_given_up() -> None:
    seconds = iter([0.0, WHOLE_SECONDS - 1, WHOLE_SECONDS + 1])
    with pytest.raises(TryLater, match="too slow"):
        google(lambda _: httpx.Response(200, content=iter([b" "] * 9)), lambda: next(seconds)).refresh(
            Secret("rt")
        )


def test_secrets_travel_in_the_body_of_a_post_alone() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    google(answer).revoke(Secret("the-token"))
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", ENDPOINTS.revoke_uri)
    assert request.content == b"token=the-token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept-encoding"] == "identity"
    assert not any("the-token" in value or CLIENT_SECRET in value for value in request.headers.values())


def test_the_client_waits_only_so_long_and_follows_nothing() -> None:
    with http_client() as client:
        assert (client.timeout.connect, client.timeout.read) == (5.0, 20.0)
        assert client.follow_redirects is False
        assert client.trust_env is False
