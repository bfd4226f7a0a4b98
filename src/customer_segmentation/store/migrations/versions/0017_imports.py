"""What imports replaced, so that they can be undone, and how often a job was begun in vain."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and add the column to jobs."""
    op.create_table(
        "import_changes",
        sa.Column("import_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first_id", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.LargeBinary, nullable=False)
            for name in ("added", "changed", "removed", "digests", "before", "refused")
        ),
    )
    op.create_index("import_changes_by_id", "import_changes", ["first_id", "last_id"])
    op.add_column(
        "jobs", sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
