"""${message}."""

import sqlalchemy as sa
${imports if imports else ""}
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# True where it only adds what older versions can leave alone (docs/decisions/0008-two-versions-at-once.md).
EXPANDS = False


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
