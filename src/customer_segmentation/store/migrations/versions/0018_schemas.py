"""The schemas of the customers; a database of before holds those of the shipped one."""

from datetime import UTC, datetime
from importlib.resources import files

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and store the shipped schema where there are customers or were some."""
    schemas = op.create_table(
        "schemas",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("continues", sa.JSON, nullable=False),
    )
    op.add_column(
        "model_versions", sa.Column("schema", sa.Integer, nullable=False, server_default="1")
    )
    op.add_column(
        "active_model", sa.Column("schema", sa.Integer, nullable=False, server_default="1")
    )
    active_model = sa.table("active_model", sa.column("version"))
    if op.get_bind().execute(sa.select(active_model.c.version)).first() is not None:
        shipped = files("customer_segmentation").joinpath("schema.toml").read_text("utf-8")
        row = {"number": 1, "created_at": datetime.now(UTC), "created_by": "", "text": shipped}
        op.bulk_insert(schemas, [row | {"continues": {}}])
