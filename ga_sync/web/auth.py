"""Who may: the guard of every address of version 1. Checked in this order: key, role, object; the body comes after."""

import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from sqlalchemy.orm import Session

from ga_sync.accounts import store
from ga_sync.accounts.errors import NotFound
from ga_sync.accounts.keys import Principal
from ga_sync.accounts.names import check_customer, is_plain
from ga_sync.web.services import Services
from models.api_key import ANY_CUSTOMER
from models.link import LinkStatus
from models.session import act_for

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]
_TOUCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and whose object the address names (empty where it names none)."""

    principal: Principal
    customer_id: str

    @property
    def actor(self) -> str:
        """For the audit log."""
        return f"key:{self.principal.key_id}"

    def only(self, customer_id: str | None) -> str | None:
        """The customer that a list is about: the key's own, or the one asked for; None is all of them.

        Raises:
            NotFound: the customer asked for is not this key's.
            Invalid: it is no customer's id.
        """
        if customer_id is not None:
            self.principal.require_customer(customer_id)
            return check_customer(customer_id)
        own = self.principal.customer_id
        return None if own == ANY_CUSTOMER else own


class Door:
    """Admits callers; remembers when it last noted a key's use."""

    def __init__(self, services: Services, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._services, self._monotonic = services, monotonic
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    def admit(self, connection: Connection, roles: tuple[str, ...]) -> Caller:
        """The caller.

        Raises:
            Unauthenticated, Forbidden, NotFound: in this order.
        """
        scheme, _, text = (connection.headers.get("authorization") or "").partition(" ")
        with self._services.stores.data.reading() as session:
            key = text.strip() if scheme.lower() == "bearer" else None
            principal = self._services.keys.authenticate(session, key)
            principal.require_role(*roles)
            customer_id = self._object(session, connection)
        if customer_id and not principal.may_see(customer_id):
            raise NotFound("there is no such object for this key")
        self._note_use(principal.key_id)
        return Caller(principal, customer_id)

    def _object(self, session: Session, connection: Connection) -> str:
        """The customer of the object that the address names; of a list, the customer that it is asked of."""
        parts = connection.path_params
        customer_id: str | None = ""
        if "link_id" in parts:
            removing = connection.scope.get("method") == "DELETE"
            customer_id = _of_link(session, str(parts["link_id"]), removed_too=removing)
        elif "grant_id" in parts:
            customer_id = _of_grant(session, str(parts["grant_id"]))
        elif "customer_id" in parts:
            customer_id = str(parts["customer_id"])
        else:
            customer_id = str(connection.query_params.get("customer_id", ""))
        if customer_id is None:
            raise NotFound("there is no such object for this key")
        return customer_id

    def has_noted(self, key_id: str) -> bool:
        """Whether the key's use was noted lately, so that it need not be noted again."""
        return self._monotonic() - self._touched.get(key_id, -_TOUCH_SECONDS) < _TOUCH_SECONDS

    def _note_use(self, key_id: str) -> None:
        with self._lock:
            if self.has_noted(key_id):
                return
            self._touched[key_id] = self._monotonic()
        self._services.keys.touch(key_id)


def _of_link(session: Session, link_id: str, *, removed_too: bool) -> str | None:
    row = store.link_owner(session, link_id) if is_plain(link_id) else None
    if row is None or (row[1] == LinkStatus.REMOVED and not removed_too):
        return None
    return row[0]


def _of_grant(session: Session, grant_id: str) -> str | None:
    return store.grant_customer(session, grant_id) if is_plain(grant_id) else None


def allow(*roles: str) -> Guard:
    """A guard that admits these roles (and administrators) and leaves the caller in the request's state."""

    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        door: Door = connection.app.state.door
        caller = await to_thread.run_sync(door.admit, connection, roles)
        act_for(caller.principal.customer_id)
        connection.scope["state"]["caller"] = caller

    return guard
