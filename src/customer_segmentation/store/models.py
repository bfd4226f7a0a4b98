"""Queries on model versions and on which of them serves."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from customer_segmentation.domain.history import Cause
from customer_segmentation.store.tables import active_model, model_versions


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model version as it is stored.

    Attributes:
        version: its number.
        created_at: when it was trained.
        held_back: in plain words, why it did not become active by itself.
        artifact: the model.
    """

    version: int
    created_at: datetime
    held_back: tuple[str, ...]
    artifact: str


_ALL = select(model_versions)
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


def find(connection: Connection, version: int) -> StoredModel | None:
    """Return a version, or None where there is no such one."""
    rows = connection.execute(_ALL.where(model_versions.c.version == version)).mappings()
    row = rows.one_or_none()
    return None if row is None else _stored(row)


def read_all(connection: Connection) -> list[StoredModel]:
    """Return every version, the newest first."""
    rows = connection.execute(_ALL.order_by(model_versions.c.version.desc())).mappings()
    return [_stored(row) for row in rows]


def add(
    connection: Connection, artifact: str, created_at: datetime, held_back: tuple[str, ...] = ()
) -> int:
    """Add a model and return the version it gets.

    Args:
        connection: of a transaction.
        artifact: the model.
        created_at: when it was trained.
        held_back: in plain words, why it must not become active by itself.
    """
    latest = connection.execute(select(func.max(model_versions.c.version))).scalar_one()
    stored = StoredModel((latest or 0) + 1, created_at, held_back, artifact)
    connection.execute(insert(model_versions), asdict(stored))
    return stored.version


def activate(connection: Connection, version: int, cause: Cause, *, rescored: bool = False) -> None:
    """Make a version the one that serves.

    Args:
        connection: of a transaction.
        version: which.
        cause: what the history of the customers that it moves will say.
        rescored: whether every customer's row carries this version already.
    """
    values = {"version": version, "cause": str(cause), "rescored": rescored}
    changed = connection.execute(
        update(active_model).where(active_model.c.id == _ONLY_ROW).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(active_model).values(id=_ONLY_ROW, **values))


def activation_cause(connection: Connection) -> Cause:
    """Return why the version that serves was activated."""
    return Cause(connection.execute(select(active_model.c.cause)).scalar_one())


def set_rescored(connection: Connection, version: int) -> None:
    """Note that every customer's row carries a version, if it still is the one that serves."""
    connection.execute(
        update(active_model).where(active_model.c.version == version).values(rescored=True)
    )


def is_rescored(connection: Connection) -> bool:
    """Return whether every customer's row carries the version that serves."""
    return connection.execute(select(active_model.c.rescored)).scalar_one_or_none() is not False


def _stored(row: RowMapping) -> StoredModel:
    return StoredModel(**{**row, "held_back": tuple(row["held_back"])})
