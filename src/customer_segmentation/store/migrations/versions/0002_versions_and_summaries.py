"""Where versions come from, jobs of several kinds, edited segments, and running distributions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what versions, jobs and segments need to be told apart, and counts that are kept up."""
    for table in ("model_versions", "jobs"):
        op.add_column(
            table, sa.Column("trigger", sa.String(32), nullable=False, server_default="request")
        )
        op.add_column(table, sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "model_versions",
        sa.Column("created_by", sa.String(200), nullable=False, server_default=""),
    )
    op.add_column(
        "jobs", sa.Column("requested_by", sa.String(200), nullable=False, server_default="")
    )
    op.add_column(
        "jobs", sa.Column("kind", sa.String(16), nullable=False, server_default="training")
    )
    op.add_column("jobs", sa.Column("request", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("result", sa.JSON))
    op.drop_index("one_running_job", "jobs")
    op.create_index(
        "one_running_job",
        "jobs",
        ["kind"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.add_column(
        "active_model", sa.Column("edition", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column(
        "active_model", sa.Column("next_segment", sa.Integer, nullable=False, server_default="0")
    )
    op.create_table(
        "activations",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous", sa.Integer),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "segment_edits",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("strategies", sa.JSON, nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_by", sa.String(200), nullable=False),
    )
    op.create_table(
        "distributions",
        sa.Column("model_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
    )
    op.create_table(
        "customer_changes",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("model_version", sa.Integer, nullable=False),
        sa.Column("sign", sa.Integer, nullable=False),
        sa.Column("ends_change", sa.Boolean, nullable=False),
        sa.Column("age", sa.BigInteger, nullable=False),
        sa.Column("gender", sa.Integer, nullable=False),
        sa.Column("monthly_income", sa.Double, nullable=False),
        sa.Column("account_balance", sa.Double, nullable=False),
        sa.Column("loyalty_score", sa.Integer, nullable=False),
        sa.Column("education_level", sa.Integer, nullable=False),
        sa.Column("facebook_interaction", sa.Integer, nullable=False),
        sa.Column("twitter_interaction", sa.Integer, nullable=False),
        sa.Column("email_interaction", sa.Integer, nullable=False),
        sa.Column("instagram_interaction", sa.Integer, nullable=False),
        sa.Column("total_withdrawal_amount", sa.Double, nullable=False),
        sa.Column("total_deposit_amount", sa.Double, nullable=False),
        sa.Column("transaction_count", sa.BigInteger, nullable=False),
        sa.Column("has_loan", sa.Integer, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
    )
