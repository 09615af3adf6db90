"""Boxes: a ciphertext that never prints, a secret that never prints, and the place a ciphertext belongs to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """Ciphertext in the record format of :mod:`models.record`; opening it is the keyring's explicit call."""

    ciphertext: bytes

    def __repr__(self) -> str:
        return f"<sealed, {len(self.ciphertext)} bytes>"


class Secret:
    """A plaintext secret on its way; ``str``, ``repr`` and formatting show nothing.

    >>> f"{Secret('s3cret')}"
    '<secret>'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; call it only at the rim that sends or seals it."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is never pickled or copied to disk")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext belongs: moved anywhere else, it does not open.

    ``generation`` counts the writes of one value, so that an older ciphertext put back is noticed.
    """

    customer_id: str
    table: str
    column: str
    row: str
    generation: int = 0
