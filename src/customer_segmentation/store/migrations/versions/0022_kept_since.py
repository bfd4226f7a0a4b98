"""Since when transactions are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: so far, all are kept."""
    column = sa.Column("kept_since", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("active_model", column)
