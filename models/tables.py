"""Every table, imported once, so that migrations and checks see the whole of both stores."""

from models.api_key import ApiKey
from models.audit_event import AuditEvent, AuditHead
from models.base import DataBase, KeyringBase
from models.budget import Budget
from models.change import Change
from models.consent import Consent, ConsentState
from models.data_key import DataKey, Tombstone
from models.day import Day, Reading
from models.forget import Forget
from models.grant import Grant
from models.head import Head
from models.job import Job, Lease
from models.link import Link
from models.meta import DataFact, KeyringFact
from models.revocation import Revocation
from models.run import Run
from models.segment import Segment
from models.throttle import Throttle
from models.user import ConsoleSession, PendingSignIn, RecoveryCode, User
from models.webhook import Webhook

__all__ = [
    "ApiKey",
    "AuditEvent",
    "AuditHead",
    "Budget",
    "Change",
    "Consent",
    "ConsentState",
    "ConsoleSession",
    "DataBase",
    "DataFact",
    "DataKey",
    "Day",
    "Forget",
    "Grant",
    "Head",
    "Job",
    "KeyringBase",
    "KeyringFact",
    "Lease",
    "Link",
    "PendingSignIn",
    "Reading",
    "RecoveryCode",
    "Revocation",
    "Run",
    "Segment",
    "Throttle",
    "Tombstone",
    "User",
    "Webhook",
]
