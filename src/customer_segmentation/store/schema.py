"""Bringing a database to the tables of this release."""

from pathlib import Path

from sqlalchemy import column as named
from sqlalchemy import inspect, select, table, text
from sqlalchemy.engine import Connection

from customer_segmentation.store.database import Database

LATEST = "0010"
"""The newest migration; a test holds it against the files in `migrations/versions`."""

_MIGRATING = 20_000_105
_ALEMBIC = table("alembic_version", named("version_num"))


def migrate(database: Database) -> None:
    """Apply every migration that the database lacks, all or none of them.

    Raises:
        StoreUnavailableError: the database cannot be reached or written.
    """
    with database.read() as connection:
        if current_migration(connection) == LATEST:
            return
    # Imported only when there is work to do: most starts need no migration, and Alembic is big.
    from alembic import command
    from alembic.config import Config

    with database.write() as connection:
        if not database.is_sqlite:
            # Of several processes that start at once, one migrates and the others wait.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current_migration(connection: Connection) -> str | None:
    """Return the newest migration that a database has, None where it has none."""
    if not inspect(connection).has_table(_ALEMBIC.name):
        return None
    return connection.execute(select(_ALEMBIC.c.version_num)).scalar_one_or_none()
