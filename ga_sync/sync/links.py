"""A link as the sync and the doors use it: opened, in memory only."""

from dataclasses import dataclass
from datetime import date

from models.keyring import Keyring, Owner, Sealer
from models.link import Link
from models.sealed import Sealed

TOGETHER, APART = "together", "apart"
"""The shape of a link's reports: both dimensions at once, or one audience at a time by filter."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What a link says once its seals are open. Never stored, never logged."""

    link_id: str
    customer_id: str
    grant_id: str
    property: str
    display_name: str
    parameter_name: str
    time_zone: str
    service_level: str
    request_shape: str
    retention_days: int
    first_day: date
    epoch: int


def sealer_of(keyring: Keyring, link_id: str) -> Sealer:
    """The sealer of everything learnt through a link.

    Raises:
        DataKeyGone: the link was removed.
    """
    return keyring.sealer(Owner("link", link_id))


def open_link(sealer: Sealer, link: Link) -> OpenLink:
    """Open a link that is not removed."""

    def plain(column: str, box: Sealed | None) -> str:
        assert box is not None, "a link that is not removed has its sealed columns"
        return sealer.open(link.place(column), box).decode()

    return OpenLink(
        link_id=link.link_id,
        customer_id=link.customer_id,
        grant_id=link.grant_id,
        property=plain("property", link.property),
        display_name=plain("display_name", link.display_name),
        parameter_name=plain("parameter_name", link.parameter_name),
        time_zone=link.time_zone,
        service_level=link.service_level,
        request_shape=link.request_shape,
        retention_days=link.retention_days,
        first_day=link.first_day,
        epoch=link.epoch,
    )
