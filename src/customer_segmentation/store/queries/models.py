"""Queries on model versions and on which of them serves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from customer_segmentation.domain.arrays import BoolArray, IntArray
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.transactions import day_of
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.queries import jobs, schemas
from customer_segmentation.store.tables import (
    activations,
    active_model,
    model_versions,
)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model version as it is stored.

    Attributes:
        version: its number.
        created_at: when the customers that it was trained on were read.
        origin: what asked for it, who, and why.
        held_back: in plain words, why it did not become active by itself.
        artifact: the model.
        schema: the number of the schema that held.
    """

    version: int
    created_at: datetime
    origin: Origin
    held_back: tuple[str, ...]
    artifact: str
    schema: int


@dataclass(frozen=True, slots=True)
class Active:
    """What is active.

    Attributes:
        version: the model version.
        edition: rises with each edit of a segment's words.
        epoch: what is written to customers carries it.
        activated_in: the first epoch in which the version serves.
        rescored_up_to: the re-scoring has passed the customers up to this id.
        schema: the number of the customers' schema.
        day: for which attributes hold that change with time, in days since 1970.
        kept_since: transactions of before are not kept, in microseconds since 1970; 0 keeps all.
        audiences: rises with each change of the dynamic audiences' rules; 0 before there is one.
    """

    version: int
    edition: int
    epoch: int
    activated_in: int
    rescored_up_to: int
    schema: int
    day: int
    kept_since: int
    audiences: int

    @property
    def is_rescored(self) -> bool:
        """Whether every customer's row tells its segment by this version."""
        return self.rescored_up_to >= LARGEST_INTEGER

    @overload
    def are_current(self, customer_id: int, epoch: int) -> bool: ...
    @overload
    def are_current(self, customer_id: IntArray, epoch: IntArray) -> BoolArray: ...
    @overload
    def are_current(self, customer_id: Column[int], epoch: Column[int]) -> ColumnElement[bool]: ...
    def are_current(self, customer_id: Any, epoch: Any) -> Any:
        """Tell whether rows tell their segments by this version, and are counted for it.

        A row of a later epoch may tell it by another version.

        Args:
            customer_id: of one, of many, (n,), or the column.
            epoch: in which each was written last.
        """
        passed = customer_id <= self.rescored_up_to
        return (epoch <= self.epoch) & ((epoch >= self.activated_in) | passed)


_ALL = select(model_versions)
_SERVING = select(*(active_model.c[name] for name in Active.__slots__))
_ACTIVE = Prepared(_SERVING)
_SHARED = Prepared(_SERVING.with_for_update(read=True))
_LOCK_EXCLUSIVELY = text("LOCK TABLE active_model IN EXCLUSIVE MODE")
_ACTIVATION = [column for column in activations.c if column.name not in ("id", "epoch")]
_ONLY_ROW = 1


def active(
    connection: Connection, *, for_share: bool = False, exclusive: bool = False
) -> Active | None:
    """Return what is active, None before the first model.

    SQLite's single writer needs neither lock.

    Args:
        connection: of a transaction.
        for_share: let no other transaction activate another version until this one ends.
        exclusive: let no other transaction write to customers either.
    """
    if exclusive:
        _lock_exclusively(connection)
    rows = (_SHARED if for_share and not exclusive else _ACTIVE).run(connection)
    return Active(*rows[0]) if rows else None


def active_version(connection: Connection, *, exclusive: bool = False) -> int | None:
    """Return the active version, None before the first model; `exclusive` as for `active`."""
    found = active(connection, exclusive=exclusive)
    return None if found is None else found.version


def lock(connection: Connection) -> int | None:
    """Return the active version, and let no other transaction activate or rely on it."""
    return active_version(connection, exclusive=True)


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
        created_at: when the customers that it was trained on were read.
        origin: what asked for it, who, and why.
        held_back: in plain words, why it must not become active by itself.
    """
    version = latest_version(connection) + 1
    connection.execute(
        insert(model_versions).values(
            version=version,
            created_at=created_at,
            trigger=str(origin.trigger),
            created_by=origin.by,
            reason=origin.reason,
            held_back=list(held_back),
            artifact=artifact,
            schema=schemas.current_number(connection),
        )
    )
    return version


def latest_version(connection: Connection) -> int:
    """Return the last version that was given, there or not any more; 0 before the first."""
    latest = connection.execute(select(func.max(model_versions.c.version))).scalar_one()
    return int(latest or 0) or schemas.versions_before(connection)


def activate(
    connection: Connection, activation: Activation, segments: int, *, rescored: bool = False
) -> None:
    """Make a version the active one, and note it.

    Args:
        connection: of a transaction.
        activation: which version, when, by whom and why; its cause is what the history of the
            customers that it moves will say.
        segments: the number that the next new segment gets is at least this.
        rescored: whether every customer's row tells its segment by this version already.
    """
    epoch = begin_epoch(connection)
    values = {
        "version": activation.version,
        "cause": str(activation.cause),
        "activated_in": epoch,
        "rescored_up_to": LARGEST_INTEGER if rescored else 0,
    }
    changed = connection.execute(
        update(active_model).where(active_model.c.id == _ONLY_ROW).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(active_model).values(
                id=_ONLY_ROW,
                edition=0,
                next_segment=segments,
                epoch=epoch,
                schema=schemas.current_number(connection),
                day=day_of(activation.activated_at),
                **values,
            )
        )
    raise_next_segment(connection, segments)
    connection.execute(
        insert(activations).values(
            {column.name: getattr(activation, column.name) for column in _ACTIVATION}
            | {"epoch": epoch}
        )
    )


def begin_day(connection: Connection, day: int) -> None:
    """Let attributes that change with time hold for another day.

    As after an activation, rows of before are scored when read until the re-scoring has passed
    them. Whoever it moves is moved by time.
    """
    epoch = begin_epoch(connection)
    values = {"day": day, "cause": str(Cause.TIME), "activated_in": epoch, "rescored_up_to": 0}
    connection.execute(update(active_model).values(values))


def keep_since(connection: Connection, time: int) -> None:
    """Keep no transactions of before a time, in microseconds since 1970, from now on."""
    is_later = active_model.c.kept_since < time
    connection.execute(update(active_model).where(is_later).values(kept_since=time))


def activations_of(connection: Connection) -> list[Activation]:
    """Return each time that a version began to serve, the newest first."""
    query = select(*_ACTIVATION).order_by(activations.c.id.desc())
    rows = connection.execute(query).mappings()
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
    """Return why the active version was activated."""
    return Cause(connection.execute(select(active_model.c.cause)).scalar_one())


def begin_epoch(connection: Connection) -> int:
    """Begin a new epoch and return it; 1 before the first model.

    Every transaction that wrote to customers in an earlier one has ended, and is seen from here on.
    """
    _lock_exclusively(connection)
    query = update(active_model).values(epoch=active_model.c.epoch + 1)
    return connection.execute(query.returning(active_model.c.epoch)).scalar_one_or_none() or 1


def _lock_exclusively(connection: Connection) -> None:
    """Wait until no other transaction keeps what is active, and let none do so until this one ends.

    The row's own lock would not do on PostgreSQL: whoever shares it lets others share it too, past
    one who waits to have it alone, for as long as they come. Of a table's locks, each waits its
    turn; whoever shares the row's takes one that waits for this one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK_EXCLUSIVELY)


def pass_rescored(connection: Connection, customer_id: int) -> None:
    """Note that the re-scoring has passed the customers up to an id."""
    connection.execute(update(active_model).values(rescored_up_to=customer_id))


def is_rescored(connection: Connection) -> bool:
    """Return whether every customer's row tells its segment by the active version."""
    found = active(connection)
    return found is None or found.is_rescored


def _stored(row: RowMapping) -> StoredModel:
    return StoredModel(
        version=row["version"],
        created_at=row["created_at"],
        origin=Origin(Trigger(row["trigger"]), row["created_by"], row["reason"]),
        held_back=tuple(row["held_back"]),
        artifact=row["artifact"],
        schema=row["schema"],
    )
