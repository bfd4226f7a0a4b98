"""The numbers that customers' ids stand for, where those are texts."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; every database of before has ids that are integers, and needs no rows."""
    text = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.create_table(
        "customer_ids",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("id", text, nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
