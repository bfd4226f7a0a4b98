"""Epochs, so that a retrain writes only the customers whom it moves."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let rows tell when their assignment was written; where it is not settled, begin anew."""
    # A column renamed is there at once, however many customers there are; what it holds is older
    # than the first epoch, and so is no newer than the last activation.
    op.alter_column("customers", "model_version", new_column_name="epoch")
    op.drop_table("customer_changes")
    op.create_table(
        "customer_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("left", sa.LargeBinary),
        sa.Column("left_segment", sa.Integer),
        sa.Column("entered", sa.LargeBinary),
        sa.Column("entered_segment", sa.Integer),
    )
    op.add_column("activations", sa.Column("epoch", sa.Integer, nullable=False, server_default="0"))
    for name in ("epoch", "activated_in"):
        op.add_column(
            "active_model", sa.Column(name, sa.Integer, nullable=False, server_default="0")
        )
    op.add_column(
        "active_model",
        sa.Column("rescored_up_to", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.drop_column("active_model", "rescored")
    # Customers are counted anew.
    op.execute(sa.delete(sa.table("distributions")))
    versions = sa.table("model_versions", sa.column("version", sa.Integer))
    first = sa.select(sa.func.max(versions.c.version) + 1).scalar_subquery()
    active = sa.table(
        "active_model", sa.column("epoch", sa.Integer), sa.column("activated_in", sa.Integer)
    )
    op.execute(sa.update(active).values(epoch=first, activated_in=first))
