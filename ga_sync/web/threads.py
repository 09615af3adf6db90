"""Handlers that wait for a database or for Google run in a thread; the event loop stays free.

The framework's own ``sync_to_thread`` wraps a handler once more for each other handler of the same path, and the second
wrapping never awaits the first; so it is not used here.
"""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import to_thread

P = ParamSpec("P")
Answer = TypeVar("Answer")


def in_thread(handler: Callable[P, Answer]) -> Callable[P, Awaitable[Answer]]:
    """An asynchronous handler that runs ``handler`` in a worker thread."""

    @wraps(handler)
    async def run(*args: P.args, **kwargs: P.kwargs) -> Answer:
        return await to_thread.run_sync(partial(handler, *args, **kwargs))

    return run
