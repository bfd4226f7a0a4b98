"""When the counts were last checked against the customers, and what was found."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its row: time counts from now, as what is here was not checked yet."""
    checks = op.create_table(
        "count_checks",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("wrong", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(checks, [{"id": 1, "started_at": datetime.now(UTC), "wrong": 0}])
