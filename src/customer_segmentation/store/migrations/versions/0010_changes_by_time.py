"""The order of segment changes in time, so that what changed lately is found without the rest."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the changes by their time, with all that is asked of them by it."""
    columns = ["changed_at", "from_segment", "to_segment"]
    op.create_index("segment_changes_by_time", "segment_changes", columns)
