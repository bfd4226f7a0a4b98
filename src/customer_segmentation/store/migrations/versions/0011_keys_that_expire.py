"""When API keys expire, and which requests were done that are to be done once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the keys that there are never expire. Make the table."""
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.create_table(
        "requests_done",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("what", sa.String(100), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
