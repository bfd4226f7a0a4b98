"""Customers, model versions and training jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "customers",
        sa.Column(
            "customer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
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
        sa.Column("model_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "segment_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("customer_id", sa.BigInteger, nullable=False, index=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("from_segment", sa.Integer),
        sa.Column("to_segment", sa.Integer),
        sa.Column("model_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "model_versions",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_back", sa.JSON, nullable=False),
        sa.Column("artifact", sa.Text, nullable=False),
    )
    op.create_table(
        "active_model",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, sa.ForeignKey("model_versions.version"), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("rescored", sa.Boolean, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("model_version", sa.Integer, sa.ForeignKey("model_versions.version")),
        sa.Column("error", sa.Text),
    )
    op.create_index(
        "one_running_job",
        "jobs",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
