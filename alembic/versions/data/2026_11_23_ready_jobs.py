"""Claims among many jobs; what the last look at a sealed day changed."""

import sqlalchemy as sa

from alembic import op

revision = "data_0005"
down_revision = "data_0004"
branch_labels = None
depends_on = None
EXPANDS = True


def upgrade() -> None:
    held, new = sa.text("lease_until IS NOT NULL"), sa.text("epoch = 0")
    op.create_index("ix_jobs_lease_until", "jobs", ["lease_until"], postgresql_where=held, sqlite_where=held)
    op.create_index("ix_jobs_never_claimed", "jobs", ["due_at"], postgresql_where=new, sqlite_where=new)
    op.add_column("readings", sa.Column("came", sa.Integer(), nullable=True))
    op.add_column("readings", sa.Column("went", sa.Integer(), nullable=True))
