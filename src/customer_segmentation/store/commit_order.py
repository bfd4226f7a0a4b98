"""An order of rows that is final: PostgreSQL's transactions draw row ids before they commit.

Rows ordered by their transaction's id first, and read only up to the oldest transaction that has
not ended, never appear later before one that was read. On SQLite, which has one writer, every
transaction's id is 0 and the rows' ids alone are in the order of commits.

Source: PostgreSQL's manual, 9.27, "Transaction ID and Snapshot Information Functions".
"""

from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Table, Text, cast, func


def up_to_running(connection: Connection, query: Select[Any], table: Table) -> Select[Any]:
    """Narrow a query to the rows of transactions before the oldest one that has not ended."""
    if connection.dialect.name != "postgresql":
        return query
    snapshot = func.pg_snapshot_xmin(func.pg_current_snapshot())
    return query.where(table.c.transaction_id < cast(cast(snapshot, Text), BigInteger))
