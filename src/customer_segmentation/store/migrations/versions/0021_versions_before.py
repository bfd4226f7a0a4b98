"""How many model versions there were before a schema under which nothing of before is left."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: so far, what was before is left everywhere."""
    column = sa.Column("versions_before", sa.Integer, nullable=False, server_default=sa.text("0"))
    op.add_column("schemas", column)
