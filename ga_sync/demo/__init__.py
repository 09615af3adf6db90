"""The demonstration."""

from collections.abc import Callable


def run(*, auto: bool, to_the_end: bool, port: int, tell: Callable[[str], None]) -> bool:
    raise NotImplementedError
