"""When a segment was first seen in Google's list."""

import sqlalchemy as sa

import models.base
from alembic import op

revision = "data_0007"
down_revision = "data_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("found_at", models.base.UtcDateTime(), nullable=True))
