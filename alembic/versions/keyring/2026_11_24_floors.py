"""How far the data had come, with each data key."""

import sqlalchemy as sa

from alembic import op

revision = "keyring_0005"
down_revision = "keyring_0004"
branch_labels = None
depends_on = None
EXPANDS = True


def upgrade() -> None:
    op.add_column("data_keys", sa.Column("floor", sa.Integer(), nullable=False, server_default="0"))
