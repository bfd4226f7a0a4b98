"""Audiences and who is in them, what customers agreed to, and campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_NAME = sa.String(200)


def upgrade() -> None:
    """Make the tables; events may tell of audiences too."""
    op.add_column("segment_changes", sa.Column("audience_id", sa.Integer))
    op.add_column("segment_changes", sa.Column("entered", sa.Boolean))
    edition = sa.Column("audiences", sa.Integer, nullable=False, server_default="0")
    op.add_column("active_model", edition)
    op.create_table(
        "audiences",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", _NAME, nullable=False, unique=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("owner", _NAME, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("is_frozen", sa.Boolean, nullable=False),
        _moment("created_at"),
        sa.Column("created_by", _NAME, nullable=False),
        sa.Column("checked", sa.String(100), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table("audience_members", _key("audience_id"), _key("customer_id", sa.BigInteger))
    op.create_index("audience_members_by_customer", "audience_members", ["customer_id"])
    op.create_table(
        "audience_sizes",
        _key("audience_id"),
        _key("day"),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "consents",
        _key("customer_id", sa.BigInteger),
        sa.Column("purpose", sa.String(100), primary_key=True),
        sa.Column("channel", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", _NAME, nullable=False),
        _moment("at"),
    )
    by_purpose = ["purpose", "channel", "state", "customer_id"]
    op.create_index("consents_by_purpose", "consents", by_purpose)
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", _NAME, nullable=False, unique=True),
        sa.Column("audience_id", sa.Integer, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        _moment("created_at"),
        sa.Column("created_by", _NAME, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("left_out", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("results", sa.JSON),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "campaign_members",
        _key("campaign_id"),
        _key("customer_id", sa.BigInteger),
        sa.Column("arm", sa.Integer, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("before", sa.Double),
        sa.Column("outcome", sa.Double),
        sa.Column("addressed", sa.Boolean),
    )
    op.create_index("campaign_members_by_customer", "campaign_members", ["customer_id"])


def _key(name: str, kind: type[sa.Integer] = sa.Integer) -> "sa.Column[int]":
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _moment(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
