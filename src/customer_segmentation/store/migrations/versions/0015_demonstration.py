"""A mark by which the demonstration is known from a bank's own customers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark; what is there by now counts as a bank's own, so that nothing of it goes."""
    mark = sa.Column("is_demo", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("active_model", mark)
