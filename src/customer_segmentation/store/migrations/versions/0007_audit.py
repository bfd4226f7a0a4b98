"""The audit log: entries that nobody can change by a statement, and the chain that seals them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SQLITE = [
    f"CREATE TRIGGER {table}_refuse_{action} BEFORE {action} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
    for table in ("audit_entries", "audit_chain")
    for action in ("UPDATE", "DELETE")
]
_POSTGRESQL = [
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN RAISE EXCEPTION 'the audit log only grows'; END$$",
    *(
        f"CREATE TRIGGER {table}_{name} BEFORE {actions} ON {table} "
        f"FOR EACH {what} EXECUTE FUNCTION refuse_change()"
        for table in ("audit_entries", "audit_chain")
        for name, actions, what in (
            ("only_grows", "UPDATE OR DELETE", "ROW"),
            ("is_never_emptied", "TRUNCATE", "STATEMENT"),
        )
    ),
]


def upgrade() -> None:
    """Make the tables, and refuse every update and deletion of what only grows."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    default = sa.text("0" if is_sqlite else "(pg_current_xact_id()::text::bigint)")
    op.create_table(
        "audit_entries",
        sa.Column("id", row_id, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("transaction_id", sa.BigInteger, nullable=False, server_default=default),
    )
    op.create_index("audit_entries_in_order", "audit_entries", ["transaction_id", "id"])
    op.create_index("audit_entries_by_subject", "audit_entries", ["kind", "subject"])
    op.create_table(
        "audit_values",
        sa.Column("entry_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("written", sa.JSON, nullable=False),
    )
    chain = op.create_table(
        "audit_chain",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry_id", sa.BigInteger, unique=True),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(chain, [{"position": 0, "entry_id": None, "hash": "0" * 64}])
    for statement in _SQLITE if is_sqlite else _POSTGRESQL:
        op.execute(statement)
