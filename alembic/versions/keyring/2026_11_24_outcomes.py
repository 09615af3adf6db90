"""What Google said of a destroyed permission stands with its tombstone."""

import sqlalchemy as sa

from alembic import op

revision = "keyring_0003"
down_revision = "keyring_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tombstones", sa.Column("google", sa.String(length=16), nullable=True))
