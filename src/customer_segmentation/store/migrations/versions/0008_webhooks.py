"""Receivers of events, and the events that could not be delivered to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("transaction_id", sa.BigInteger, nullable=False),
        sa.Column("row_id", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("webhook_id", sa.String(32), nullable=False, index=True),
        sa.Column("message_id", sa.String(100), nullable=False),
        sa.Column("after_transaction_id", sa.BigInteger, nullable=False),
        sa.Column("after_row_id", sa.BigInteger, nullable=False),
        sa.Column("until_transaction_id", sa.BigInteger, nullable=False),
        sa.Column("until_row_id", sa.BigInteger, nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
