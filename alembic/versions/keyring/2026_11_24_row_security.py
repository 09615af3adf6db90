"""On PostgreSQL a request finds the keys of its own customer and the system's, and writes those of its own alone."""

from alembic import op

revision = "keyring_0004"
down_revision = "keyring_0003"
branch_labels = None
depends_on = None

WITH_A_CUSTOMER = ("data_keys", "forgets", "tombstones")
SEEN = "current_setting('ga_sync.customer', true) IN ('*', customer_id)"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in WITH_A_CUSTOMER:
        op.execute(f"CREATE POLICY customer ON {table} USING ({SEEN}) WITH CHECK ({SEEN})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    system = "customer_id = '*' AND current_setting('ga_sync.customer', true) <> ''"
    op.execute(f"CREATE POLICY system ON data_keys FOR SELECT USING ({system})")
