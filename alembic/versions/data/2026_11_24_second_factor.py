"""A second factor of accounts, its recovery codes, and browsers that owe it.

It breaks although it only adds: an older version would let people in by the password alone.
"""

import sqlalchemy as sa

import models.base
from alembic import op

revision = "data_0008"
down_revision = "data_0007"
branch_labels = None
depends_on = None

SEEN = "current_setting('ga_sync.customer', true) IN ('*', customer_id)"


def upgrade() -> None:
    op.add_column("users", sa.Column("factor_secret", models.base.SealedBytes(), nullable=True))
    op.add_column("users", sa.Column("factor_generation", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("users", sa.Column("factor_begun_at", models.base.UtcDateTime(), nullable=True))
    op.add_column("users", sa.Column("factor_since", models.base.UtcDateTime(), nullable=True))
    op.add_column("users", sa.Column("factor_step", sa.Integer(), nullable=True))
    _table("pending_sign_ins", sa.Column("pending_hash", sa.LargeBinary(), nullable=False), with_end=True)
    _table("recovery_codes", sa.Column("code_ref", sa.LargeBinary(length=32), nullable=False))


def _table(name: str, key: sa.Column[bytes], *, with_end: bool = False) -> None:
    """A table of things of a person, which PostgreSQL shows to those who act for the customer."""
    end = [sa.Column("expires_at", models.base.UtcDateTime(), nullable=False)] if with_end else []
    op.create_table(
        name,
        key,
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        *end,
        sa.PrimaryKeyConstraint(key.name, name=op.f(f"pk_{name}")),
    )
    for column in ("customer_id", "user_id"):
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY customer ON {name} USING ({SEEN}) WITH CHECK ({SEEN})")
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
