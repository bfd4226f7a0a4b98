"""Queries on model versions and on which of them serves."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from customer_segmentation.store.tables import active_model, model_versions

_ACTIVE = select(active_model.c.version)
_ONLY_ROW = 1


def active_version(connection: Connection, *, keep: bool = False) -> int | None:
    """Return the version that serves, None before the first model.

    Args:
        connection: of a transaction.
        keep: let no other transaction activate another version until this one ends. SQLite's
            single writer needs nothing for that.
    """
    query = _ACTIVE.with_for_update(read=True) if keep else _ACTIVE
    return connection.execute(query).scalar_one_or_none()


def artifact(connection: Connection, version: int) -> str:
    """Return the artifact of a version."""
    return connection.execute(
        select(model_versions.c.artifact).where(model_versions.c.version == version)
    ).scalar_one()


def add(connection: Connection, artifact_text: str, created_at: datetime) -> int:
    """Add a model and return the version it gets."""
    latest = connection.execute(select(func.max(model_versions.c.version))).scalar_one()
    version = (latest or 0) + 1
    connection.execute(
        insert(model_versions).values(
            version=version, created_at=created_at, artifact=artifact_text
        )
    )
    return version


def activate(connection: Connection, version: int, *, rescored: bool = False) -> None:
    """Make a version the one that serves.

    Args:
        connection: of a transaction.
        version: which.
        rescored: whether every customer's row carries this version already.
    """
    values = {"version": version, "rescored": rescored}
    changed = connection.execute(
        update(active_model).where(active_model.c.id == _ONLY_ROW).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(active_model).values(id=_ONLY_ROW, **values))


def set_rescored(connection: Connection, version: int) -> None:
    """Note that every customer's row carries a version, if it still is the one that serves."""
    connection.execute(
        update(active_model).where(active_model.c.version == version).values(rescored=True)
    )


def is_rescored(connection: Connection) -> bool:
    """Return whether every customer's row carries the version that serves."""
    return connection.execute(select(active_model.c.rescored)).scalar_one_or_none() is not False
