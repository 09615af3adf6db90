"""The audit log has an end: where it begins after its oldest events have left."""

import sqlalchemy as sa

from alembic import op

revision = "data_0006"
down_revision = "data_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_head", sa.Column("trimmed", sa.Integer(), nullable=True))
    op.add_column("audit_head", sa.Column("trimmed_digest", sa.LargeBinary(), nullable=True))
