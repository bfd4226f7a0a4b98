"""The transaction of each change of segment, by which readers can go on where they stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which PostgreSQL fills by itself."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    default = sa.text("0" if is_sqlite else "(pg_current_xact_id()::text::bigint)")
    op.add_column(
        "segment_changes",
        sa.Column("transaction_id", sa.BigInteger, nullable=False, server_default=default),
    )
    op.create_index("segment_changes_in_order", "segment_changes", ["transaction_id", "id"])
