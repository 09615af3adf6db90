"""The network to Google's OAuth endpoints, and nothing else: every decision is :mod:`oauth.protocol`'s.

Secrets travel in POST bodies only, so that no log of addresses holds one. Redirects are never followed, for a 307
would post the client's secret again to wherever it points.
"""

from collections.abc import Callable, Collection, Mapping

import httpx

from models.sealed import Secret
from oauth import protocol
from oauth.errors import TryLater
from oauth.outbound import Fence
from oauth.protocol import Endpoints, Revoked, TokenAnswer

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5.0, 20.0, 30.0
LONGEST_BODY = 64 * 1024

_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}


def http_client(
    transport: httpx.BaseTransport | None = None, origins: Collection[str] | None = None
) -> httpx.Client:
    """A client for these endpoints; the caller closes it.

    It has timeouts, follows no redirect, and takes no proxy, password file or certificate from the environment.

    Args:
        transport: stands in for the network.
        origins: where it may send anything; anywhere where this is left out.
    """
    if origins is not None:
        transport = Fence(transport or httpx.HTTPTransport(trust_env=False), origins)
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(
        transport=transport, timeout=timeout, follow_redirects=False, trust_env=False, headers=_HEADERS
    )


class Google:
    """Google's OAuth endpoints, for one OAuth client."""

    def __init__(
        self,
        http: httpx.Client,
        endpoints: Endpoints,
        *,
        client_id: str,
        client_secret: Secret,
        monotonic: Callable[[], float],
    ) -> None:
        self.endpoints = endpoints
        self._http, self._client_id, self._secret = http, client_id, client_secret
        self._monotonic = monotonic

    def exchange(self, code: str, verifier: Secret, redirect_uri: str) -> TokenAnswer:
        """Turn a code into tokens; raises what :func:`oauth.protocol.read_token_answer` does.

        https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
        """
        form = protocol.exchange_form(self._client_id, self._secret, code, verifier, redirect_uri)
        return protocol.read_token_answer(*self._post(self.endpoints.token_uri, form))

    def refresh(self, refresh_token: Secret) -> TokenAnswer:
        """A new access token; raises what :func:`oauth.protocol.read_token_answer` does.

        https://developers.google.com/identity/protocols/oauth2/web-server#offline
        """
        form = protocol.refresh_form(self._client_id, self._secret, refresh_token)
        return protocol.read_token_answer(*self._post(self.endpoints.token_uri, form))

    def revoke(self, token: Secret) -> Revoked:
        """End the permission; raises TryLater where it must be taken to be alive.

        https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
        """
        form = {"token": token.reveal()}
        return protocol.read_revoke_answer(*self._post(self.endpoints.revoke_uri, form))

    def _post(self, uri: str, form: Mapping[str, str]) -> tuple[int, str, bytes]:
        """Status, content type and body, whole; raises TryLater where there is no answer of a sane size in time."""
        deadline = self._monotonic() + WHOLE_SECONDS
        try:
            with self._http.stream(
                "POST", uri, data=form, headers=_HEADERS, follow_redirects=False
            ) as response:
                body = self._read(response, deadline)
        except httpx.HTTPError as error:
            raise TryLater(type(error).__name__) from None
        return response.status_code, response.headers.get("content-type", ""), body

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise TryLater("an encoding that was not asked for")
        body = bytearray()
        for chunk in response.iter_bytes():  # as they come: no encoding was let through
            body += chunk
            if len(body) > LONGEST_BODY:
                raise TryLater("an answer too long")
            if self._monotonic() > deadline:
                raise TryLater("an answer too slow")
        return bytes(body)
