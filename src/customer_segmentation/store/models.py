"""Queries on model versions and on which of them serves."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.store import jobs
from customer_segmentation.store.tables import (
    activations,
    active_model,
    customers,
    model_versions,
)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model version as it is stored.

    Attributes:
        version: its number.
        created_at: when it was trained.
        origin: what asked for it, who, and why.
        held_back: in plain words, why it did not become active by itself.
        artifact: the model.
    """

    version: int
    created_at: datetime
    origin: Origin
    held_back: tuple[str, ...]
    artifact: str


@dataclass(frozen=True, slots=True)
class Active:
    """What serves.

    Attributes:
        version: the model version.
        edition: rises with each edit of a segment's words.
    """

    version: int
    edition: int


_ALL = select(model_versions)
_ACTIVE = select(active_model.c.version, active_model.c.edition)
_IS_RESCORED = select(active_model.c.rescored)
_ONLY_ROW = 1
_NO_VERSION = 0


def active(connection: Connection, *, keep: bool = False) -> Active | None:
    """Return what serves, None before the first model.

    Args:
        connection: of a transaction.
        keep: let no other transaction activate another version until this one ends. SQLite's
            single writer needs nothing for that.
    """
    query = _ACTIVE.with_for_update(read=True) if keep else _ACTIVE
    row = connection.execute(query).one_or_none()
    return None if row is None else Active(row.version, row.edition)


def active_version(connection: Connection, *, keep: bool = False) -> int | None:
    """Return the version that serves, None before the first model; `keep` as for `active`."""
    found = active(connection, keep=keep)
    return None if found is None else found.version


def lock(connection: Connection) -> int | None:
    """Return the version that serves, and let no other transaction activate or rely on it."""
    return connection.execute(select(active_model.c.version).with_for_update()).scalar_one_or_none()


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
    connection: Connection,
    artifact: str,
    created_at: datetime,
    origin: Origin,
    held_back: tuple[str, ...] = (),
) -> int:
    """Add a model and return the version it gets.

    Args:
        connection: of a transaction.
        artifact: the model.
        created_at: when it was trained.
        origin: what asked for it, who, and why.
        held_back: in plain words, why it must not become active by itself.
    """
    latest = connection.execute(select(func.max(model_versions.c.version))).scalar_one()
    version = int(latest or 0) + 1
    connection.execute(
        insert(model_versions).values(
            version=version,
            created_at=created_at,
            trigger=str(origin.trigger),
            created_by=origin.by,
            reason=origin.reason,
            held_back=list(held_back),
            artifact=artifact,
        )
    )
    return version


def activate(
    connection: Connection, activation: Activation, segments: int, *, rescored: bool = False
) -> None:
    """Make a version the one that serves, and note it.

    What is counted of the customers starts anew with each activation, so a row that carries the
    version from a time when it served before is made to be scored again.

    Args:
        connection: of a transaction.
        activation: which version, when, by whom and why; its cause is what the history of the
            customers that it moves will say.
        segments: the number that the next new segment gets is at least this.
        rescored: whether every customer's row carries this version already.
    """
    values = {
        "version": activation.version,
        "cause": str(activation.cause),
        "rescored": rescored,
    }
    settled = is_rescored(connection)
    changed = connection.execute(
        update(active_model).where(active_model.c.id == _ONLY_ROW).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(active_model).values(id=_ONLY_ROW, edition=0, next_segment=segments, **values)
        )
    if not settled:
        # Only a re-scoring that did not come to its end leaves rows of several versions.
        connection.execute(
            update(customers)
            .where(customers.c.model_version == activation.version)
            .values(model_version=_NO_VERSION)
        )
    raise_next_segment(connection, segments)
    connection.execute(
        insert(activations).values(
            {
                column.name: getattr(activation, column.name)
                for column in activations.c
                if column.name != "id"
            }
        )
    )


def activations_of(connection: Connection) -> list[Activation]:
    """Return each time that a version began to serve, the newest first."""
    columns = [column for column in activations.c if column.name != "id"]
    rows = connection.execute(select(*columns).order_by(activations.c.id.desc())).mappings()
    return [Activation(**{**row, "cause": Cause(row["cause"])}) for row in rows]


def next_segment(connection: Connection) -> int:
    """Return the number that the next new segment gets, which none ever had."""
    return connection.execute(select(active_model.c.next_segment)).scalar_one_or_none() or 0


def raise_next_segment(connection: Connection, number: int) -> None:
    """Let the next new segment have at least this number."""
    connection.execute(
        update(active_model).where(active_model.c.next_segment < number).values(next_segment=number)
    )


def raise_edition(connection: Connection) -> None:
    """Tell every reader that the words of a segment were edited."""
    connection.execute(update(active_model).values(edition=active_model.c.edition + 1))


def delete_old(connection: Connection, keep: int) -> list[int]:
    """Delete versions but the newest ones, the active one and its predecessor; return them.

    Args:
        connection: of a transaction.
        keep: how many of the newest stay.
    """
    serving = active_version(connection)
    previous = connection.execute(
        select(activations.c.previous).order_by(activations.c.id.desc()).limit(1)
    ).scalar_one_or_none()
    newest = connection.execute(
        select(model_versions.c.version).order_by(model_versions.c.version.desc()).limit(keep)
    ).scalars()
    kept = {*newest, serving, previous} - {None}
    old = connection.execute(
        select(model_versions.c.version).where(model_versions.c.version.not_in(kept))
    )
    gone = list(old.scalars())
    if gone:
        jobs.forget_versions(connection, gone)
        connection.execute(delete(model_versions).where(model_versions.c.version.in_(gone)))
    return gone


def activation_cause(connection: Connection) -> Cause:
    """Return why the version that serves was activated."""
    return Cause(connection.execute(select(active_model.c.cause)).scalar_one())


def last_activation(connection: Connection) -> int:
    """Return the number of the last activation; it rises with each, also of the same version."""
    return connection.execute(select(func.max(activations.c.id))).scalar_one_or_none() or 0


def set_rescored(connection: Connection, activation: int) -> bool:
    """Note that every row carries the version of an activation; return False for an older one."""
    # Locked first, as an activation that is about to commit is not among the others yet.
    lock(connection)
    if last_activation(connection) != activation:
        return False
    connection.execute(update(active_model).values(rescored=True))
    return True


def is_rescored(connection: Connection) -> bool:
    """Return whether every customer's row carries the version that serves."""
    return connection.execute(_IS_RESCORED).scalar_one_or_none() is not False


def _stored(row: RowMapping) -> StoredModel:
    return StoredModel(
        version=row["version"],
        created_at=row["created_at"],
        origin=Origin(Trigger(row["trigger"]), row["created_by"], row["reason"]),
        held_back=tuple(row["held_back"]),
        artifact=row["artifact"],
    )
