"""Queries on the audit log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from customer_segmentation.domain.audit import AuditEntry
from customer_segmentation.store.prepared import Prepared
from customer_segmentation.store.tables import audit_chain, audit_entries, audit_values

_COLUMNS = [column for column in audit_entries.c if column.name != "position"]
_ADD = Prepared(insert(audit_entries).inline(), ["at", "actor", "kind", "subject", "action"])
_START = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the chain, with what is still there of the entry that it seals.

    Attributes:
        position: from 1, without gaps.
        hash: of the entry after the one before.
        entry: None where it was removed.
        is_in_place: whether the entry tells this position.
        values: what was written, None where it is not kept or was erased.
        salt: of the values.
    """

    position: int
    hash: str
    entry: AuditEntry | None
    is_in_place: bool
    values: Any
    salt: str | None


def add(
    connection: Connection,
    moment: datetime,
    actor: str,
    kind: str,
    subjects: Sequence[str],
    action: str,
) -> None:
    """Append an entry for each subject, without values."""
    for subject in subjects:
        _ADD.run(connection, at=moment, actor=actor, kind=kind, subject=subject, action=action)


def add_with_values(
    connection: Connection, entry: dict[str, Any], salt: str, values: dict[str, Any]
) -> None:
    """Append an entry, as columns by name, and the values that were written."""
    (entry_id,) = connection.execute(
        insert(audit_entries).values(entry).returning(audit_entries.c.id)
    ).one()
    connection.execute(
        insert(audit_values), {"entry_id": entry_id, "salt": salt, "written": values}
    )


def remove_values(connection: Connection, kind: str, subject: str) -> int:
    """Erase the values that were written to a subject; return how many entries had some."""
    about = select(audit_entries.c.id).where(
        audit_entries.c.kind == kind, audit_entries.c.subject == subject
    )
    return connection.execute(
        delete(audit_values).where(audit_values.c.entry_id.in_(about))
    ).rowcount


def chain_end(connection: Connection, *, for_update: bool = False) -> tuple[int, str] | None:
    """Return the last link's position and hash.

    Args:
        connection: of a transaction.
        for_update: whether nobody else may append until the transaction ends.

    Returns:
        None where the chain's beginning was removed.
    """
    first = select(audit_chain.c.position).where(audit_chain.c.position == _START)
    beginning = connection.execute(first.with_for_update() if for_update else first).one_or_none()
    if beginning is None:
        return None
    row = connection.execute(
        select(audit_chain.c.position, audit_chain.c.hash)
        .order_by(audit_chain.c.position.desc())
        .limit(1)
    ).one()
    return row.position, row.hash


def read_unsealed(connection: Connection, limit: int) -> list[AuditEntry]:
    """Return entries that no link seals yet, by rising ids."""
    link = select(audit_chain.c.position).where(audit_chain.c.entry_id == audit_entries.c.id)
    query = (
        select(*_COLUMNS)
        .where(audit_entries.c.position.is_(None), ~link.exists())
        .order_by(audit_entries.c.id)
        .limit(limit)
    )
    return [AuditEntry(*row) for row in connection.execute(query)]


def append_links(connection: Connection, links: list[tuple[int, int, str]]) -> None:
    """Append links: position, entry's id, hash; and write the positions to the entries."""
    rows = [{"position": p, "entry_id": e, "hash": h} for p, e, h in links]
    connection.execute(insert(audit_chain), rows)
    connection.execute(
        update(audit_entries)
        .where(audit_chain.c.entry_id == audit_entries.c.id, audit_chain.c.position >= links[0][0])
        .values(position=audit_chain.c.position)
    )


def read_chain(connection: Connection, chunk: int) -> Iterator[Link]:
    """Yield every link from the first."""
    query = (
        select(
            audit_chain.c.position,
            audit_chain.c.hash,
            audit_values.c.salt,
            audit_values.c.written,
            audit_entries.c.position.label("place"),
            *_COLUMNS,
        )
        .select_from(
            audit_chain.outerjoin(
                audit_entries, audit_chain.c.entry_id == audit_entries.c.id
            ).outerjoin(audit_values, audit_values.c.entry_id == audit_entries.c.id)
        )
        .where(audit_chain.c.position > bindparam("after"))
        .order_by(audit_chain.c.position)
        .limit(chunk)
    )
    after = _START
    while rows := connection.execute(query, {"after": after}).all():
        yield from (_link(row) for row in rows)
        after = rows[-1].position


def read_latest(
    connection: Connection, before: int | None, limit: int, kind: str | None, subject: str | None
) -> list[tuple[AuditEntry, Any]]:
    """Return entries with their values, the newest first.

    Args:
        connection: of a transaction.
        before: only entries of lower ids.
        limit: how many at most.
        kind: only entries about this kind.
        subject: only entries about this subject.
    """
    query = (
        select(*_COLUMNS, audit_values.c.written)
        .select_from(
            audit_entries.outerjoin(audit_values, audit_values.c.entry_id == audit_entries.c.id)
        )
        .order_by(audit_entries.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(audit_entries.c.id < before)
    if kind is not None:
        query = query.where(audit_entries.c.kind == kind)
    if subject is not None:
        query = query.where(audit_entries.c.subject == subject)
    return [(AuditEntry(*row[:-1]), row[-1]) for row in connection.execute(query)]


def count_loose(connection: Connection) -> int:
    """Count entries that tell a position and that no link seals."""
    link = select(audit_chain.c.position).where(audit_chain.c.entry_id == audit_entries.c.id)
    query = (
        select(func.count())
        .select_from(audit_entries)
        .where(audit_entries.c.position.is_not(None), ~link.exists())
    )
    return connection.execute(query).scalar_one()


def _link(row: Row[Any]) -> Link:
    entry = None if row.id is None else AuditEntry(*list(row)[5:])
    is_in_place = row.place == row.position
    return Link(row.position, row.hash, entry, is_in_place, row.written, row.salt)
