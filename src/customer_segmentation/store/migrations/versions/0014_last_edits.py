"""An index by which a segment's last edit is found without the others."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("segment_edits_in_order", "segment_edits", ["number", "id"])
