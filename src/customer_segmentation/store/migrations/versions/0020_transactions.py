"""Customers' transactions, and the day for which attributes hold that change with time."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the active day begins as today."""
    text = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.create_table(
        "transactions",
        sa.Column("id", text, primary_key=True),
        sa.Column("customer_id", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("fields", sa.JSON),
    )
    op.create_index("transactions_of_customers", "transactions", ["customer_id", "time"])
    op.create_table(
        "activity",
        sa.Column(
            "customer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("carried", sa.Text, nullable=False),
        sa.Column("states", sa.Text, nullable=False),
    )
    op.add_column("active_model", sa.Column("day", sa.Integer, nullable=False, server_default="0"))
    today = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    active_model = sa.table("active_model", sa.column("day"))
    op.execute(sa.update(active_model).values(day=today))
