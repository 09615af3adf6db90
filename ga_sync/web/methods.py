"""Which methods an address takes, for ``Allow`` (RFC 9110 §10.2.1): of all its handlers together."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from litestar.routes import HTTPRoute


class Methods:
    """The methods of every address of an application."""

    def __init__(self, routes: Iterable[Any]) -> None:
        self._known = [
            (re.compile(_pattern(route)), ", ".join(sorted(route.methods)))
            for route in routes
            if isinstance(route, HTTPRoute)
        ]
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, path: str) -> str | None:
        """What ``Allow`` says of an address; None where there is none such."""
        for pattern, methods in self._known:
            if pattern.fullmatch(path):
                return methods
        return None


def _pattern(route: HTTPRoute) -> str:
    parts = (re.escape(part) if isinstance(part, str) else "[^/]+" for part in route.path_components)
    return "/" + "/".join(parts)
