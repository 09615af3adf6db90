"""A head per link: what its days and segments are, sealed.

It breaks: a version that does not write heads would leave them behind its days, which looks like rows put back.
"""

import sqlalchemy as sa

import models.base
from alembic import op

revision = "data_0009"
down_revision = "data_0008"
branch_labels = None
depends_on = None

SEEN = "current_setting('ga_sync.customer', true) IN ('*', customer_id)"


def upgrade() -> None:
    op.create_table(
        "heads",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("value", models.base.SealedBytes(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_heads")),
    )
    op.create_index(op.f("ix_heads_customer_id"), "heads", ["customer_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY customer ON heads USING ({SEEN}) WITH CHECK ({SEEN})")
        op.execute("ALTER TABLE heads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
