"""Entries of the audit log that tell their place in its chain, which alone orders them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WRITTEN = ("id", "at", "actor", "kind", "subject", "action", "digest")
_SQLITE = [
    "DROP TRIGGER audit_entries_refuse_UPDATE",
    "CREATE TRIGGER audit_entries_refuse_UPDATE BEFORE UPDATE ON audit_entries "
    "WHEN OLD.position IS NOT NULL "
    f"OR (OLD.{', OLD.'.join(_WRITTEN)}) IS NOT (NEW.{', NEW.'.join(_WRITTEN)}) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END",
]
_POSTGRESQL = [
    "DROP TRIGGER audit_entries_only_grows ON audit_entries",
    f"CREATE TRIGGER audit_entries_only_grows BEFORE UPDATE OF {', '.join(_WRITTEN)} OR DELETE "
    "ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER audit_entries_never_moves BEFORE UPDATE ON audit_entries "
    "FOR EACH ROW WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION refuse_change()",
]


def upgrade() -> None:
    """Write the positions of links to their entries; an entry gets one once, when it is sealed."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("audit_entries_in_order", "audit_entries")
    op.drop_column("audit_entries", "transaction_id")
    op.add_column("audit_entries", sa.Column("position", sa.BigInteger))
    if is_sqlite:
        op.execute(_SQLITE[0])
    else:
        op.execute(_POSTGRESQL[0])
    entries = sa.table("audit_entries", sa.column("id"), sa.column("position"))
    chain = sa.table("audit_chain", sa.column("entry_id"), sa.column("position"))
    op.execute(
        sa.update(entries).where(chain.c.entry_id == entries.c.id).values(position=chain.c.position)
    )
    op.create_index("audit_entries_in_order", "audit_entries", ["position"])
    for statement in (_SQLITE if is_sqlite else _POSTGRESQL)[1:]:
        op.execute(statement)
