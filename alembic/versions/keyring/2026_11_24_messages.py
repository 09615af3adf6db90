"""How many messages each data key has sealed, for the bound that its random nonces set."""

import sqlalchemy as sa

from alembic import op

revision = "keyring_0006"
down_revision = "keyring_0005"
branch_labels = None
depends_on = None
EXPANDS = True


def upgrade() -> None:
    op.add_column("data_keys", sa.Column("messages", sa.BigInteger(), server_default="0", nullable=False))
