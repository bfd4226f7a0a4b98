"""Who was in an audience when its changes were exported last."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table: no changes were exported yet."""
    op.create_table(
        "audience_exports",
        sa.Column("audience_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("customer_id", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_index("audience_exports_by_customer", "audience_exports", ["customer_id"])
