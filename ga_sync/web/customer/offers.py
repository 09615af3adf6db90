"""What a customer may choose from: found by name, remembered for a moment so that a search costs Google nothing."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from ga_sync.accounts.errors import Refusal
from ga_sync.accounts.linking import Linking
from ga_sync.accounts.proof import Proof
from ga_sync.accounts.views import View

REMEMBERED = timedelta(minutes=2)
MOST_REMEMBERED = 64
SHOWN, MOST_CHOSEN = 50, 20
_AT_ONCE = 4


class Offers:
    """The properties of each grant, as Google told them a moment ago; in memory only."""

    def __init__(self, linking: Linking, clock: Callable[[], datetime]) -> None:
        self._linking, self._clock = linking, clock
        self._told: dict[str, tuple[datetime, list[View]]] = {}
        self._lock = threading.Lock()

    def properties(self, grant_id: str, customer_id: str, *, anew: bool = False) -> list[View]:
        """Every property that the grant's Google account can see. Raises as ``Linking.properties``."""
        with self._lock:
            at, found = self._told.get(grant_id, (None, []))
        if at is not None and not anew and self._clock() - at < REMEMBERED:
            return found
        found = self._linking.properties(grant_id, customer_id)
        with self._lock:
            self._told[grant_id] = (self._clock(), found)
            while len(self._told) > MOST_REMEMBERED:
                del self._told[next(iter(self._told))]
        return found

    def forget(self, grant_id: str) -> None:
        """What is linked has changed."""
        with self._lock:
            self._told.pop(grant_id, None)


def found_by(properties: Sequence[View], words: str) -> list[View]:
    """Those whose names or number hold every word, whatever its case."""
    wanted = words.casefold().split()
    return [
        one
        for one in properties
        if all(
            word in f"{one['display_name']} {one['account']} {one['property']}".casefold() for word in wanted
        )
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """A property with the dimensions to choose from; ``refusal`` says why there are none.

    ``proof`` is how many ids Google knew yesterday under the suggested dimension; None where it was not asked.
    """

    property: View
    dimensions: Sequence[View] = ()
    proof: int | None = None
    refusal: str | None = None


def choices(
    linking: Linking, proof: Proof, grant_id: str, customer_id: str, chosen: Sequence[View]
) -> list[Choice]:
    """The dimensions of each chosen property, a few properties at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda one: _choice(linking, proof, grant_id, customer_id, one), chosen))


def _choice(linking: Linking, proof: Proof, grant_id: str, customer_id: str, one: View) -> Choice:
    name = str(one["property"])
    try:
        found = linking.dimensions(grant_id, name, customer_id)
    except Refusal as refusal:
        return Choice(one, refusal=str(refusal))
    likely = next((each["parameter_name"] for each in found if each["suggested"]), None)
    if likely is None:
        return Choice(one, found)
    try:
        return Choice(one, found, proof.seen_yesterday(grant_id, customer_id, name, likely))
    except Refusal as refusal:
        return Choice(one, refusal=str(refusal))
