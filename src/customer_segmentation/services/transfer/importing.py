"""The use case of importing customers from a table: insert, upsert, or replace all."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.errors import DataFileError, TransactionConflictError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_NAMES
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.plurals import counted
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.prefetch import prefetch
from customer_segmentation.files.read.tables import Source
from customer_segmentation.files.transactions.totals import DERIVED, Totals
from customer_segmentation.services.monitoring.distribution import count_imported
from customer_segmentation.services.monitoring.recount import refine_where_coarse
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.services.transfer.first_import import Beginning
from customer_segmentation.services.transfer.merging import Done, merge
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import erasures, history
from customer_segmentation.store.queries.customers import StoredCustomers

CHUNK = 20_000
"""Customers a transaction: few enough that writes of requests come between two of them."""


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do.

    Attributes:
        added: customers who were not there.
        changed: customers who were there with other attributes.
        unchanged: customers who were there with these attributes.
        removed: customers whom a replacement removed, as the table has them not.
        rejected: rows that were not taken.
        erased: rows of customers who were erased, which are passed over.
        filled: empty values that the mapping's default filled, by attribute.
        without_transactions: customers of whom the table of transactions has none.
        refused_transactions: customers who are rejected, as a transaction of theirs is refused.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    rejected: int = 0
    erased: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    without_transactions: int = 0
    refused_transactions: int = 0

    @property
    def stored(self) -> int:
        """How many customers are stored as the table has them."""
        return self.added + self.changed + self.unchanged


@dataclass(frozen=True, slots=True)
class Import:
    """How to import.

    Attributes:
        source: what the audit log calls the table.
        mode: what to do with the customers who are there.
        dry_run: whether to tell only what would be done.
        totals: of the customers' transactions, in place of what the table says. Of whom there are
            none keeps the totals that are stored; who is new has zeros.
    """

    source: str
    mode: Mode = Mode.UPSERT
    dry_run: bool = False
    totals: Totals | None = None


def import_customers(
    units: UnitsOfWork,
    source: Source,
    mapping: ColumnMapping,
    how: Import,
    reject: Callable[[list[Reject]], None],
    progress: Callable[[int, int], None] = lambda _done, _rows: None,
    beginning: Beginning | None = None,
) -> Outcome:
    """Store a table's customers, segmented, some thousand in a transaction.

    Cut off, it has done the first rows whole and the others not at all. Done again, those are found
    unchanged, and the result is the same as if it had not been cut off.

    A replacement removes the customers who were there at its start and whom the table has not; with
    a row rejected it removes nobody, as the row may be about anyone. What the table has no column
    for, and the mapping a default, is that default for who is new, and stays for who is there.

    Args:
        units: over the database.
        source: the table.
        mapping: what its columns mean.
        how: what to do.
        reject: is given the rows that are not taken.
        progress: is told how much of the source was read, and how many customers were found in it.
        beginning: keeps them, in place of the database, until the first model is trained on them.

    Raises:
        DataFileError: the table lacks a column, or cannot be read on; what came before is stored.
            Or rejects are to replace everybody.
        MappingError: the mapping has not an entry for every attribute.
    """
    outcome = Outcome()
    given: list[IntArray] = [np.empty(0, dtype=np.int64)]
    before = np.empty(0, dtype=np.int64)
    if how.mode is Mode.REPLACE:
        if source.is_rejects:
            raise DataFileError(f"{source.name} holds refused rows, not everybody: upsert them")
        if beginning is None:
            with arrow_reader(units.database) as read:
                before = units.customers.read_ids(read)
    if beginning is not None:
        beginning.begin_table(source.name)
    checker = Checker(source, mapping, seen=SeenIds())
    column = mapping.entries[CUSTOMER_ID.name].column or ""
    untold = np.array([name in checker.absent for name in FEATURE_NAMES])
    parts = ((block, checker.check(block)) for block in source.blocks(checker.wanted))
    for block, found in prefetch(parts):
        refusals: dict[int, str] = {}
        keeps = np.broadcast_to(untold, found.values.shape)
        if how.totals is not None:
            found = how.totals.fill(found)  # noqa: PLW2901
            keeps = _derived_without(how.totals, found.ids) | (keeps & ~_IS_DERIVED)
            refusals = _refuse_doubtful(how.totals, found.ids, outcome)
        taken = np.setdiff1d(np.arange(len(found.ids)), list(refusals))
        for start in range(0, len(taken), CHUNK):
            rows = taken[start : start + CHUNK]
            people = found.ids[rows], found.values[rows], keeps[rows]
            if beginning is None:
                done = _import_chunk(units, *people, how)
            else:
                done = beginning.take(*people, how.mode)
            outcome.added += done.added
            outcome.changed += done.changed
            outcome.unchanged += done.unchanged
            outcome.erased += done.erased
            refusals |= {int(rows[row]): reason for row, reason in done.refused.items()}
            progress(block.position, outcome.stored)
        faults = {int(found.rows[row]): (column, reason) for row, reason in refusals.items()}
        # Those that the checker found too, in the order of the lines.
        rejects = replace(block, rejects=found.rejects).refuse(faults)
        reject(rejects)
        outcome.rejected += len(rejects)
        given.append(found.ids)
    outcome.filled = {name: count for name, count in checker.filled.items() if count}
    everybody = np.concatenate(given)
    if beginning is not None:
        outcome.removed = beginning.removed
    elif how.mode is Mode.REPLACE and outcome.rejected == 0:
        outcome.removed = _remove_others(units, before, everybody, how)
    if not how.dry_run and beginning is None:
        refine_where_coarse(units)
    return outcome


_IS_DERIVED = np.isin(FEATURE_NAMES, DERIVED)
_DOUBTFUL = "a transaction of the customer is refused, so that the totals are not known"


def _refuse_doubtful(totals: Totals, ids: IntArray, outcome: Outcome) -> dict[int, str]:
    """Count the customers, (n,), without totals; return the rows of those with doubtful ones."""
    doubtful = np.isin(ids, totals.doubtful)
    outcome.without_transactions += int((~totals.tell_of(ids) & ~doubtful).sum())
    outcome.refused_transactions += int(doubtful.sum())
    return dict.fromkeys(np.flatnonzero(doubtful).tolist(), _DOUBTFUL)


def _derived_without(totals: Totals, ids: IntArray) -> BoolArray:
    """Return which attributes, (n, d), transactions should tell of customers but do not."""
    return np.logical_and.outer(~totals.tell_of(ids), _IS_DERIVED)


@retried
def _import_chunk(
    units: UnitsOfWork, ids: IntArray, values: FloatArray, keeps: BoolArray, how: Import
) -> Done:
    """Store customers, ids (n,) and attributes (n, d), in one transaction.

    Who is there keeps the attributes that are true in `keeps`, (n, d).
    """
    with units.read() if how.dry_run else units.write() as work:
        stored = work.customers.find_many(work.connection, ids, for_update=not how.dry_run)
        merged = merge((stored.ids, stored.values), ids, values, keeps, how.mode)
        merged.pass_over(erasures.find_many(work.connection, ids))
        if not how.dry_run:
            new, changed, values = merged.new, merged.changed, merged.values
            _add(work, ids[new], values[new])
            # Asked again, as before that the ids were free for others to be erased.
            if erasures.find_many(work.connection, ids[new]):
                raise TransactionConflictError("A customer was erased meanwhile; try again soon")
            _change(work, stored.at(merged.places[changed]), values[changed])
            _note(work, ids, values, new, changed, how.source)
    return merged.done


def _add(work: UnitOfWork, ids: IntArray, values: FloatArray) -> None:
    if len(ids) == 0:
        return
    serving = work.serving
    found = serving.assigner.assess(values)
    work.customers.add_many(work.connection, ids, values, found.segments, work.active.epoch)
    history.add_entered(work.connection, ids, now(), serving.version)
    count_imported(work, None, (values, found.segments), found.outliers)


def _change(work: UnitOfWork, before: StoredCustomers, values: FloatArray) -> None:
    if len(values) == 0:
        return
    serving = work.serving
    segments = serving.assigner.assign_with_hysteresis(values, before.segments)
    work.customers.change_many(work.connection, before.ids, values, segments, work.active.epoch)
    moved = segments != before.segments
    history.add_many(
        work.connection,
        before.ids[moved],
        now(),
        Cause.UPDATED,
        (before.segments[moved], segments[moved]),
        serving.version,
    )
    count_imported(work, before, (values, segments))


def _remove_others(units: UnitsOfWork, there: IntArray, given: IntArray, how: Import) -> int:
    """Delete those of the customers there, (n,), who are not given, (m,); return how many.

    Raises:
        DataFileError: nobody is given.
    """
    if not len(given):
        raise DataFileError(f"{how.source} holds no customers: nobody is removed")
    others = np.setdiff1d(there, given)
    if how.dry_run:
        return len(others)
    return sum(
        _remove(units, others[start : start + CHUNK], how.source)
        for start in range(0, len(others), CHUNK)
    )


@retried
def _remove(units: UnitsOfWork, ids: IntArray, source: str) -> int:
    with units.write() as work:
        before = work.customers.find_many(work.connection, ids, for_update=True)
        work.customers.remove_many(work.connection, before.ids)
        left = (before.segments, None)
        version = work.serving.version
        history.add_many(work.connection, before.ids, now(), Cause.DELETED, left, version)
        count_imported(work, before, None)
        note(work.connection, "file", source, f"{counted(len(before.ids), 'customer')} removed")
        if work.audit.keeps_values:
            for customer_id in before.ids.tolist():
                work.audit.note_change(work.connection, customer_id, "deleted")
    return len(before.ids)


def _note(
    work: UnitOfWork,
    ids: IntArray,
    values: FloatArray,
    new: BoolArray,
    changed: BoolArray,
    source: str,
) -> None:
    """Write to the audit log what a chunk did; customer by customer where values are kept."""
    for rows, action in ((new, "added"), (changed, "changed")):
        if rows.any():
            note(
                work.connection, "file", source, f"{counted(int(rows.sum()), 'customer')} {action}"
            )
    if work.audit.keeps_values:
        for rows, action in ((new, "added"), (changed, "updated")):
            for customer_id, row in zip(ids[rows].tolist(), values[rows].tolist(), strict=True):
                attributes = dict(zip(FEATURE_NAMES, map(plain_number, row), strict=True))
                work.audit.note_change(work.connection, customer_id, action, attributes)
