"""Attempts to sign in are counted for unknown addresses, too; links know which forgets they honour; keys expire."""

import sqlalchemy as sa

import models.base
from alembic import op

revision = "data_0004"
down_revision = "data_0002"
branch_labels = None
depends_on = None

WITH_A_CUSTOMER = (
    "api_keys",
    "audit_events",
    "changes",
    "consent_states",
    "consents",
    "console_sessions",
    "days",
    "grants",
    "jobs",
    "links",
    "readings",
    "revocations",
    "runs",
    "segments",
    "users",
    "webhooks",
)
SEEN = "current_setting('ga_sync.customer', true) IN ('*', customer_id)"


def upgrade() -> None:
    op.create_table(
        "throttles",
        sa.Column("reference", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", models.base.UtcDateTime(), nullable=False),
        sa.Column("last_at", models.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_throttles")),
    )
    op.create_index(op.f("ix_throttles_last_at"), "throttles", ["last_at"], unique=False)
    op.add_column("links", sa.Column("forgotten", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("links", sa.Column("generated_at", models.base.UtcDateTime(), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", models.base.UtcDateTime(), nullable=True))
    op.drop_column("users", "failures")
    op.drop_column("users", "locked_until")
    if op.get_bind().dialect.name == "postgresql":
        for table in WITH_A_CUSTOMER:
            op.execute(f"CREATE POLICY customer ON {table} USING ({SEEN}) WITH CHECK ({SEEN})")
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
