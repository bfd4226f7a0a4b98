"""The use case of taking an import back, as far as nobody else has changed its customers since."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import TransactionConflictError
from customer_segmentation.domain.jobs import Job, Phase
from customer_segmentation.services.runtime.clock import give_way
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.services.transfer import storing
from customer_segmentation.services.transfer.merging import find_places
from customer_segmentation.services.transfer.records import hold
from customer_segmentation.store.queries import erasures, imports
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.imports import Replaced, digests_of

MAX_LISTED = 100
"""How many of the customers who stay as others left them are named."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing an import has done.

    Attributes:
        removed: customers whom it had added.
        restored: customers whom it had changed or removed, who are as before.
        kept: customers who stay as they are, as somebody else has changed them since.
        kept_ids: the first of these.
    """

    removed: int = 0
    restored: int = 0
    kept: int = 0
    kept_ids: tuple[CustomerId, ...] = ()

    @classmethod
    def of(cls, result: dict[str, Any] | None) -> "Undone":
        """Return what a job's result tells."""
        told = result or {}
        removed, restored, kept = (told.get(name, 0) for name in ("removed", "restored", "kept"))
        return cls(removed, restored, kept, tuple(told.get("kept_ids", ())))

    def plus(self, removed: int, restored: int, kept: int, ids: list[CustomerId]) -> "Undone":
        """Return this and what undoing a part has done; ids are those of the first who are kept."""
        told = (*self.kept_ids, *ids)[:MAX_LISTED]
        return Undone(self.removed + removed, self.restored + restored, self.kept + kept, told)

    @property
    def result(self) -> dict[str, Any]:
        """What a job's row holds of it."""
        return {
            "removed": self.removed,
            "restored": self.restored,
            "kept": self.kept,
            "kept_ids": list(self.kept_ids),
        }


def undo_import(units: UnitsOfWork, job: Job, import_id: str, source: str) -> Undone:
    """Take an import back, its last part first; each part in a transaction of its own.

    Cut off, it goes on with the parts that are left.

    Args:
        units: over the database.
        job: that undoes.
        import_id: of the import.
        source: what the audit log calls its table.

    Raises:
        JobLostError: the job was cancelled.
    """
    undone = Undone.of(job.result)
    with units.database.read() as connection:
        total = done = imports.count_parts(connection, import_id)
    while True:
        told = {"phase": Phase.UNDOING, "done": total - done, "total": total}
        following = _undo_last(units, job.id, import_id, source, undone, told)
        if following is None:
            return undone
        undone, done = following, done - 1
        if units.database.is_sqlite:
            give_way()


@retried
def _undo_last(
    units: UnitsOfWork,
    job_id: str,
    import_id: str,
    source: str,
    undone: Undone,
    told: dict[str, Any],
) -> Undone | None:
    """Undo the last part of an import that is left; None where none is."""
    with units.write() as work:
        part = imports.last(work.connection, import_id)
        if part is None:
            return None
        undone = _undo(work, part, source, undone)
        imports.remove(work.connection, import_id, part.number)
        hold(work.connection, job_id, result=undone.result, attempts=0, **told)
    return undone


def _undo(work: UnitOfWork, part: Replaced, source: str, undone: Undone) -> Undone:
    stored = np.concatenate([part.added, part.changed])
    found = work.customers.find_many(work.connection, np.sort(stored), for_update=True)
    as_left = _find_as_left(found, stored, part.digests)
    new, old = as_left[: len(part.added)], as_left[len(part.added) :]
    storing.remove(work, _of(found, part.added[new]), source)
    before = part.before[: len(part.changed)]
    storing.change(work, _of(found, part.changed[old]), before[old], source)
    back = _may_come_back(work, part.removed)
    _add(work, part.removed[back], part.before[len(part.changed) :][back], source)
    kept = np.concatenate([stored[~as_left], part.removed[~back]])
    told = work.ids.ids_of(work.connection, kept[:MAX_LISTED].tolist())
    return undone.plus(int(new.sum()), int(old.sum()) + int(back.sum()), len(kept), told)


def _find_as_left(found: StoredCustomers, ids: IntArray, digests: IntArray) -> BoolArray:
    """Return which customers, (n,), are as the import left them."""
    places, are_there = find_places(found.ids, ids)
    now = digests_of(found.values)
    are_there[are_there] = now[places[are_there]] == digests[are_there]
    return are_there


def _of(found: StoredCustomers, ids: IntArray) -> StoredCustomers:
    """Return those of some ids, (n,), all of whom were found."""
    return found.at(np.searchsorted(found.ids, ids))


def _may_come_back(work: UnitOfWork, ids: IntArray) -> BoolArray:
    """Return which customers who were removed, (n,), are not there again and were not erased."""
    there = work.customers.find_many(work.connection, ids).ids
    gone = np.array(erasures.find_many(work.connection, ids), dtype=np.int64)
    may: BoolArray = ~np.isin(ids, np.concatenate([there, gone]))
    return may


def _add(work: UnitOfWork, ids: IntArray, values: FloatArray, source: str) -> None:
    storing.add(work, ids, values, source)
    # Asked again, as before that the ids were free for others to be erased.
    if len(ids) and erasures.find_many(work.connection, ids):
        raise TransactionConflictError("A customer was erased meanwhile; try again soon")
