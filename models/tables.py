"""Every table, imported once, so that migrations and checks see the whole of both stores."""

from models.api_key import ApiKey
from models.audit_event import AuditEvent
from models.base import DataBase, KeyringBase
from models.consent import Consent, ConsentState
from models.data_key import DataKey, Tombstone
from models.day import Day, Reading
from models.grant import Grant
from models.job import Job, Lease
from models.link import Link
from models.meta import DataFact, KeyringFact
from models.revocation import Revocation
from models.run import Run
from models.segment import Segment

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Consent",
    "ConsentState",
    "DataBase",
    "DataFact",
    "DataKey",
    "Day",
    "Grant",
    "Job",
    "KeyringBase",
    "KeyringFact",
    "Lease",
    "Link",
    "Reading",
    "Revocation",
    "Run",
    "Segment",
    "Tombstone",
]
