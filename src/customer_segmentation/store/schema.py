"""Bringing a database to the tables of this release."""

from pathlib import Path

from sqlalchemy import column as named
from sqlalchemy import inspect, select, table
from sqlalchemy.engine import Connection

from customer_segmentation.domain.errors import StoreAbsentError, UnknownDatabaseError
from customer_segmentation.store.database import Database, wait_for_turn

LATEST = "0025"
"""The newest migration; a test holds it against the files in `migrations/versions`."""

_MIGRATING = 20_000_105
_ALEMBIC = table("alembic_version", named("version_num"))


def migrate(database: Database, to: str = LATEST) -> None:
    """Apply every migration that the database lacks, all or none of them.

    Args:
        database: which.
        to: the newest migration that is applied.

    Raises:
        StoreUnavailableError: the database cannot be reached or written.
        UnknownDatabaseError: a newer release has migrated it.
    """
    with database.read() as connection:
        found = current_migration(connection)
    if found == to:
        return
    if found is not None and found > LATEST:
        raise UnknownDatabaseError(
            f"The database is of a newer release: it is at migration {found}, and this release "
            f"has {LATEST} at most"
        )
    # Imported only when there is work to do: most starts need no migration, and Alembic is big.
    from alembic import command
    from alembic.config import Config

    with database.write() as connection:
        # Of several processes that start at once, one migrates and the others wait.
        wait_for_turn(connection, _MIGRATING)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def require_file(database: Database) -> None:
    """See that a SQLite database is there, as connecting to it would make one.

    Raises:
        StoreAbsentError: it is not.
    """
    if database.path is not None and not database.path.exists():
        raise StoreAbsentError(
            f"There is no database {database.path}: name another in DATABASE_URL, or make one with "
            "customer-segmentation serve, demo or import"
        )


def current_migration(connection: Connection) -> str | None:
    """Return the newest migration that a database has, None where it has none."""
    if not inspect(connection).has_table(_ALEMBIC.name):
        return None
    return connection.execute(select(_ALEMBIC.c.version_num)).scalar_one_or_none()
