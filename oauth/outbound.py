"""Where this service may send anything by HTTP: to the origins that the configuration names, and nowhere else."""

from collections.abc import Collection

import httpx


class OutboundRefused(httpx.ConnectError):
    """The origin is not one that the configuration names; nothing was sent, no name was looked up."""


class Fence(httpx.BaseTransport):
    """A transport that lets requests to known origins through."""

    def __init__(self, inner: httpx.BaseTransport, origins: Collection[str]) -> None:
        """Let only ``origins`` through, each ``scheme://host[:port]``, without the scheme's own port."""
        self._inner = inner
        self._origins = frozenset(httpx.URL(origin).copy_with(raw_path=b"/") for origin in origins)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises OutboundRefused."""
        if request.url.copy_with(raw_path=b"/", userinfo=b"", fragment=None) not in self._origins:
            raise OutboundRefused("the origin is not one that the configuration names", request=request)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
