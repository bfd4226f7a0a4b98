"""The use case of importing customers from a table: insert, upsert, or replace all."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IdArray, IntArray
from customer_segmentation.domain.errors import DataFileError, TransactionConflictError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.prefetch import prefetch
from customer_segmentation.files.read.tables import Source
from customer_segmentation.files.transactions.totals import DERIVED, Totals
from customer_segmentation.services.customers.following import have_transactions
from customer_segmentation.services.monitoring.recount import refine_where_coarse
from customer_segmentation.services.runtime.clock import give_way
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.services.transfer import storing
from customer_segmentation.services.transfer.first_import import Beginning
from customer_segmentation.services.transfer.likeness import Likeness
from customer_segmentation.services.transfer.merging import TAKEN, Done, Merged, merge
from customer_segmentation.services.transfer.records import ImportRecord, Outcome
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import erasures
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.imports import Replaced, digests_of

CHUNK = 20_000
"""Customers a transaction: few enough that writes of requests come between two of them."""


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
    record: ImportRecord | None = None,
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
        record: of the import, where it is a job: what it tells to be stored is passed over.

    Raises:
        JobLostError: the job was cancelled.
        DataFileError: the table lacks a column, or cannot be read on; what came before is stored.
            Or rejects are to replace everybody.
        MappingError: the mapping has not an entry for every attribute.
    """
    outcome = Outcome()
    if record is not None:
        outcome = replace(record.outcome, rejected=0, filled={})
    given: list[IntArray] = [np.empty(0, dtype=np.int64)]
    before = _find_replaced(units, source, how, beginning, record)
    if beginning is not None:
        beginning.begin_table(source.name)
    checker = Checker(units.schema, source, mapping, seen=SeenIds())
    key = mapping.entries.get(units.schema.id.name)
    column = "" if key is None else key.column or ""
    derived = np.isin(units.schema.names, DERIVED)
    untold = np.array([name in checker.absent for name in units.schema.names])
    parts = ((block, checker.check(block)) for block in source.blocks(checker.wanted))
    likeness = None if beginning is not None else Likeness(units.require_model())
    number = 0
    for block, found in prefetch(parts):
        if likeness is not None:
            likeness.look(found.values)
        refusals: dict[int, str] = {}
        keeps = np.broadcast_to(untold, found.values.shape)
        if how.totals is not None:
            found = how.totals.fill(found)  # noqa: PLW2901
            keeps = _derived_without(how.totals, found.ids, derived) | (keeps & ~derived)
            refusals = _refuse_doubtful(how.totals, found.ids, outcome)
        taken = np.setdiff1d(np.arange(len(found.ids)), list(refusals))
        for start in range(0, len(taken), CHUNK):
            rows = taken[start : start + CHUNK]
            part = _Part(number, found.ids[rows], found.values[rows], keeps[rows])
            done = _take(units, part, how, outcome, beginning, record)
            outcome = _plus(outcome, done)
            number += len(rows)
            refusals |= {int(rows[row]): reason for row, reason in done.refused.items()}
            progress(block.position, outcome.stored)
        faults = {int(found.rows[row]): (column, reason) for row, reason in refusals.items()}
        # Those that the checker found too, in the order of the lines.
        rejects = replace(block, rejects=found.rejects).refuse(faults)
        reject(rejects)
        outcome.rejected += len(rejects)
        if how.mode is Mode.REPLACE and beginning is None:
            given.append(_numbers_of(units, found.ids))
    outcome.differing = [] if likeness is None else likeness.differing
    outcome.filled = {name: count for name, count in checker.filled.items() if count}
    if beginning is not None:
        outcome.removed = beginning.removed
    elif how.mode is Mode.REPLACE and outcome.rejected == 0:
        others = _others(before, np.concatenate(given), how)
        outcome = _remove_others(units, others, how, outcome, record, number)
    if not how.dry_run and beginning is None:
        refine_where_coarse(units)
    return outcome


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Rows that are stored in one transaction.

    Attributes:
        number: how many rows of the table come before them.
        ids: (n,), of the customers.
        values: (n, d), their attributes.
        keeps: (n, d), the attributes that who is there keeps.
    """

    number: int
    ids: IdArray
    values: FloatArray
    keeps: BoolArray


def _numbers_of(units: UnitsOfWork, ids: IdArray) -> IntArray:
    """Return the numbers of ids, (n,), after their customers were stored."""
    with units.database.read() as connection:
        return units.ids.numbers_of(connection, ids)


def _find_replaced(
    units: UnitsOfWork,
    source: Source,
    how: Import,
    beginning: Beginning | None,
    record: ImportRecord | None,
) -> IntArray:
    """Return the numbers of the customers whom a replacement is about, (n,), rising.

    Raises:
        DataFileError: rejects are to replace everybody.
    """
    if how.mode is Mode.REPLACE:
        if source.is_rejects:
            raise DataFileError(f"{source.name} holds refused rows, not everybody: upsert them")
        if record is not None and record.everyone is not None:
            return record.everyone
        if beginning is None:
            return read_everyone(units)
    return np.empty(0, dtype=np.int64)


def _take(
    units: UnitsOfWork,
    part: _Part,
    how: Import,
    outcome: Outcome,
    beginning: Beginning | None,
    record: ImportRecord | None,
) -> Done:
    """Store a part, or keep it for the first model, or pass over what was stored before."""
    if beginning is not None:
        return beginning.take(part.ids, part.values, part.keeps, how.mode)
    if record is not None and part.number + len(part.ids) <= record.rows:
        return _stored_before(record, part)
    done = _import_part(units, part, how, outcome, record)
    if record is not None and not how.dry_run and units.database.is_sqlite:
        # Else those whom a service answers meanwhile would wait until all is stored.
        give_way()
    return done


def read_everyone(units: UnitsOfWork) -> IntArray:
    """Return the numbers of all customers, (n,), rising."""
    with arrow_reader(units.database) as read:
        return units.customers.read_ids(read)


def _stored_before(record: ImportRecord, part: _Part) -> Done:
    """Return what is left to tell of a part that was stored before the import was cut off."""
    refused = record.refused_within(part.number, part.number + len(part.ids))
    return Done(0, 0, 0, 0, dict.fromkeys(refused.tolist(), TAKEN))


_DOUBTFUL = "a transaction of the customer is refused, so that the totals are not known"


def _refuse_doubtful(totals: Totals, ids: IdArray, outcome: Outcome) -> dict[int, str]:
    """Count the customers, (n,), without totals; return the rows of those with doubtful ones."""
    doubtful = np.isin(ids, totals.doubtful)
    outcome.without_transactions += int((~totals.tell_of(ids) & ~doubtful).sum())
    outcome.refused_transactions += int(doubtful.sum())
    return dict.fromkeys(np.flatnonzero(doubtful).tolist(), _DOUBTFUL)


def _derived_without(totals: Totals, ids: IdArray, derived: BoolArray) -> BoolArray:
    """Return which attributes, (n, d), transactions should tell of customers but do not."""
    return np.logical_and.outer(~totals.tell_of(ids), derived)


@retried
def _import_part(
    units: UnitsOfWork,
    part: _Part,
    how: Import,
    outcome: Outcome,
    record: ImportRecord | None,
) -> Done:
    """Store the customers of a part in one transaction."""
    values = part.values
    with units.read() if how.dry_run else units.write() as work:
        number = work.ids.numbers_of if how.dry_run else work.ids.take_many
        ids = number(work.connection, part.ids)
        stored = work.customers.find_many(work.connection, ids, for_update=not how.dry_run)
        keeps = _keeps_followed(work, stored.ids, ids, part.keeps)
        merged = merge((stored.ids, stored.values), ids, values, keeps, how.mode)
        merged.pass_over(erasures.find_many(work.connection, ids))
        if not how.dry_run:
            new, changed, values = merged.new, merged.changed, merged.values
            before = stored.at(merged.places[changed])
            storing.add(work, ids[new], values[new], how.source)
            # Asked again, as before that the ids were free for others to be erased.
            if erasures.find_many(work.connection, ids[new]):
                raise TransactionConflictError("A customer was erased meanwhile; try again soon")
            storing.change(work, before, values[changed], how.source)
            if record is not None:
                replaced = _replaced(part.number, merged, before)
                so_far = _plus(outcome, merged.done)
                record.keep(work.connection, replaced, so_far, part.number + len(ids))
    return merged.done


def _keeps_followed(
    work: UnitOfWork, stored: IntArray, ids: IntArray, keeps: BoolArray
) -> BoolArray:
    """Return what who is there keeps, (n, d): also what follows from their transactions."""
    followed = have_transactions(work, stored)
    if len(followed) == 0:
        return keeps
    schema = work.customers.schema
    derived = np.array([attribute.derivation is not None for attribute in schema.attributes])
    kept: BoolArray = keeps | (np.isin(ids, followed)[:, None] & derived)
    return kept


def _replaced(number: int, merged: Merged, before: StoredCustomers) -> Replaced:
    """Return what a part replaced; ids rise in it."""
    new, changed = (rows[np.argsort(merged.ids[rows])] for rows in _rows(merged))
    order = np.argsort(before.ids)
    return Replaced(
        number=number,
        added=merged.ids[new],
        changed=merged.ids[changed],
        removed=np.empty(0, dtype=np.int64),
        digests=digests_of(merged.values[np.concatenate([new, changed])]),
        before=before.values[order],
        refused=number + np.flatnonzero(merged.taken),
    )


def _rows(merged: Merged) -> tuple[IntArray, IntArray]:
    return np.flatnonzero(merged.new), np.flatnonzero(merged.changed)


def _plus(outcome: Outcome, done: Done) -> Outcome:
    """Return an outcome with that of a part."""
    return replace(
        outcome,
        added=outcome.added + done.added,
        changed=outcome.changed + done.changed,
        unchanged=outcome.unchanged + done.unchanged,
        erased=outcome.erased + done.erased,
    )


def _others(before: IntArray, given: IntArray, how: Import) -> IntArray:
    """Return those who were there before, (n,), and are not given, (m,).

    Raises:
        DataFileError: nobody is given.
    """
    if not len(given):
        raise DataFileError(f"{how.source} holds no customers: nobody is removed")
    return np.setdiff1d(before, given)


def _remove_others(
    units: UnitsOfWork,
    others: IntArray,
    how: Import,
    outcome: Outcome,
    record: ImportRecord | None,
    start: int,
) -> Outcome:
    """Delete customers, (n,); return the outcome with them.

    Args:
        units: over the database.
        others: their numbers.
        how: what to do.
        outcome: before.
        record: of the import.
        start: how many rows the table has, after which the record counts them.
    """
    if how.dry_run:
        return replace(outcome, removed=len(others))
    for first in range(0, len(others), CHUNK):
        some, number = others[first : first + CHUNK], start + first
        if record is None or number + len(some) > record.rows:
            outcome = _remove(units, number, some, how.source, outcome, record)
    return outcome


@retried
def _remove(
    units: UnitsOfWork,
    number: int,
    ids: IntArray,
    source: str,
    outcome: Outcome,
    record: ImportRecord | None,
) -> Outcome:
    with units.write() as work:
        before = work.customers.find_many(work.connection, ids, for_update=True)
        storing.remove(work, before, source)
        outcome = replace(outcome, removed=outcome.removed + len(before.ids))
        if record is not None:
            none = np.empty(0, dtype=np.int64)
            replaced = Replaced(number, none, none, before.ids, none, before.values, none)
            record.keep(work.connection, replaced, outcome, number + len(ids))
    return outcome
