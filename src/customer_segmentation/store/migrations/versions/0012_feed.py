"""An order of changes of the service's own, which erasures and dumps leave as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_changes = sa.table(
    "segment_changes", sa.column("id"), sa.column("transaction_id"), sa.column("position")
)
_OLD_ORDER = (_changes.c.transaction_id, _changes.c.id)


def upgrade() -> None:
    """Number the changes, and let webhooks and dead letters tell their places by it."""
    op.add_column("segment_changes", sa.Column("position", sa.BigInteger))
    numbered = sa.select(
        _changes.c.id, sa.func.row_number().over(order_by=_OLD_ORDER).label("position")
    ).subquery()
    op.execute(
        sa.update(_changes)
        .where(_changes.c.id == numbered.c.id)
        .values(position=numbered.c.position)
    )
    op.drop_index("segment_changes_in_order", "segment_changes")
    op.create_index("segment_changes_in_order", "segment_changes", ["position"])
    # SQLite, which alters no column, has the table made anew.
    with op.batch_alter_table("segment_changes") as table:
        table.alter_column("transaction_id", nullable=True, server_default=None)
    feed = op.create_table(
        "feed",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    last = sa.func.coalesce(sa.func.max(_changes.c.position), 0)
    op.execute(feed.insert().from_select(["id", "position"], sa.select(sa.literal(1), last)))
    _place_webhooks()
    _place_dead_letters()


def _place_webhooks() -> None:
    op.add_column(
        "webhooks", sa.Column("position", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("webhooks", sa.Column("until", sa.BigInteger))
    webhooks = sa.table(
        "webhooks", *(sa.column(name) for name in ("transaction_id", "row_id", "position"))
    )
    op.execute(
        sa.update(webhooks).values(
            position=_position_of(webhooks.c.transaction_id, webhooks.c.row_id)
        )
    )
    for name in ("transaction_id", "row_id"):
        op.drop_column("webhooks", name)


def _place_dead_letters() -> None:
    """Make the table anew: on SQLite it gave the ids of letters that were removed again."""
    op.rename_table("dead_letters", "old_dead_letters")
    op.drop_index("ix_dead_letters_webhook_id", "old_dead_letters")
    letters = op.create_table(
        "dead_letters",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("webhook_id", sa.String(32), nullable=False, index=True),
        sa.Column("message_id", sa.String(100), nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    same = ("id", "webhook_id", "message_id", "failed_at", "error")
    places = [
        f"{end}_{part}" for end in ("after", "until") for part in ("transaction_id", "row_id")
    ]
    old = sa.table("old_dead_letters", *(sa.column(name) for name in (*same, *places)))
    op.execute(
        letters.insert().from_select(
            [*same, "after", "until"],
            sa.select(
                *(old.c[name] for name in same),
                _position_of(old.c.after_transaction_id, old.c.after_row_id),
                _position_of(old.c.until_transaction_id, old.c.until_row_id),
            ),
        )
    )
    op.drop_table("old_dead_letters")
    if op.get_bind().dialect.name == "postgresql":
        numbers = sa.func.pg_get_serial_sequence("dead_letters", "id")
        last = sa.select(sa.func.max(letters.c.id)).scalar_subquery()
        op.execute(sa.select(sa.func.setval(numbers, sa.func.coalesce(last, 1))))


def _position_of(
    transaction_id: sa.ColumnElement[int], row_id: sa.ColumnElement[int]
) -> sa.ColumnElement[int]:
    """Return the number of the last change up to a place of the order of old."""
    last = sa.select(sa.func.max(_changes.c.position)).where(
        sa.tuple_(*_OLD_ORDER) <= sa.tuple_(transaction_id, row_id)
    )
    return sa.func.coalesce(last.scalar_subquery(), 0)
