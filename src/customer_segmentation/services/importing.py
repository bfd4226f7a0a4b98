"""The use case of importing customers from a table: insert, upsert, or replace all."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_NAMES, plain_number
from customer_segmentation.domain.history import Cause
from customer_segmentation.files.ahead import read_ahead
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.checking import Checker
from customer_segmentation.files.mapping import ColumnMapping
from customer_segmentation.files.reading import Source
from customer_segmentation.files.repeats import SeenIds
from customer_segmentation.files.transactions import Totals
from customer_segmentation.services.audit import note
from customer_segmentation.services.clock import now
from customer_segmentation.services.distribution import count_imported
from customer_segmentation.services.unit_of_work import UnitOfWork, UnitsOfWork, tried_again
from customer_segmentation.store import customers, erasures, history
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.customers import StoredCustomers

CHUNK = 20_000
"""Customers a transaction: few enough that writes of requests come between two of them."""


class Mode(StrEnum):
    """What an import does with the customers who are there."""

    INSERT = "insert"
    UPSERT = "upsert"
    REPLACE = "replace"


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do.

    Attributes:
        added: customers who were not there.
        changed: customers who were there with other attributes.
        unchanged: customers who were there with these attributes.
        removed: customers whom a replacement removed, as the table has them not.
        rejected: rows that were not taken.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Import:
    """How to import.

    Attributes:
        source: what the audit log calls the table.
        mode: what to do with the customers who are there.
        dry_run: whether to tell only what would be done.
        totals: of the customers' transactions, in place of what the table says.
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
) -> Outcome:
    """Store a table's customers, segmented, some thousand in a transaction.

    Cut off, it has done the first rows whole and the others not at all. Done again, those are found
    unchanged, and the result is the same as if it had not been cut off.

    A replacement removes the customers who were there at its start and whom the table has not; with
    a row rejected it removes nobody, as the row may be about anyone.

    Args:
        units: over the database.
        source: the table.
        mapping: what its columns mean.
        how: what to do.
        reject: is given the rows that are not taken.
        progress: is told how much of the source was read, and how many customers were found in it.

    Raises:
        DataFileError: the table lacks a column, or cannot be read on; what came before is stored.
            Or rejects are to replace everybody.
        MappingError: the mapping has not an entry for every attribute.
    """
    outcome = Outcome()
    given: list[IntArray] = []
    before = np.empty(0, dtype=np.int64)
    if how.mode is Mode.REPLACE:
        if source.is_rejects:
            raise DataFileError(f"{source.name} holds refused rows, not everybody: upsert them")
        with arrow_reader(units.database) as read:
            before = customers.read_ids(read)
    checker = Checker(source, mapping, seen=SeenIds())
    column = mapping.entries[CUSTOMER_ID.name].column or ""
    parts = ((block, checker.check(block)) for block in source.blocks(checker.wanted))
    for block, found in read_ahead(parts):
        if how.totals is not None:
            found = how.totals.fill(found)  # noqa: PLW2901
        refusals: dict[int, str] = {}
        for start in range(0, len(found.ids), CHUNK):
            rows = slice(start, start + CHUNK)
            done = _import_chunk(units, found.ids[rows], found.values[rows], how)
            outcome.added += done.added
            outcome.changed += done.changed
            outcome.unchanged += done.unchanged
            refusals |= {start + row: reason for row, reason in done.refused.items()}
            progress(block.position, outcome.added + outcome.changed + outcome.unchanged)
        faults = {int(found.rows[row]): (column, reason) for row, reason in refusals.items()}
        # Those that the checker found too, in the order of the lines.
        rejects = replace(block, rejects=found.rejects).refuse(faults)
        reject(rejects)
        outcome.rejected += len(rejects)
        given.append(found.ids)
    if how.mode is Mode.REPLACE and outcome.rejected == 0:
        if not any(len(ids) for ids in given):
            raise DataFileError(f"{how.source} holds no customers: nobody is removed")
        outcome.removed = _remove_others(units, before, np.concatenate([before[:0], *given]), how)
    return outcome


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done with some rows, and why which were refused, by their place."""

    added: int
    changed: int
    unchanged: int
    refused: dict[int, str] = field(default_factory=dict)


@tried_again
def _import_chunk(units: UnitsOfWork, ids: IntArray, values: FloatArray, how: Import) -> _Done:
    """Store customers, ids (n,) and attributes (n, d), in one transaction."""
    with units.read() if how.dry_run else units.write() as work:
        stored = customers.find_many(work.connection, ids, for_update=not how.dry_run)
        places, known = _find(stored.ids, ids)
        same = known.copy()
        same[known] = (stored.values[places[known]] == values[known]).all(axis=1)
        erased = np.isin(ids, erasures.find_many(work.connection, ids)) & ~known
        taken = known & ~same & (how.mode is Mode.INSERT)
        new, changed = ~known & ~erased, known & ~same & ~taken
        if not how.dry_run:
            _add(work, ids[new], values[new])
            _change(work, stored.at(places[changed]), values[changed])
            _note(work, ids, values, new, changed, how.source)
    refusals = dict.fromkeys(np.flatnonzero(taken).tolist(), f"{CUSTOMER_ID.name} is taken")
    refusals |= dict.fromkeys(np.flatnonzero(erased).tolist(), "the customer was erased")
    return _Done(int(new.sum()), int(changed.sum()), int(same.sum()), refusals)


def _find(stored: IntArray, ids: IntArray) -> tuple[IntArray, BoolArray]:
    """Return the place of each id, (n,), among sorted ones, and whether it is there."""
    if len(stored) == 0:
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=bool)
    places = np.minimum(np.searchsorted(stored, ids), len(stored) - 1)
    return places, stored[places] == ids


def _add(work: UnitOfWork, ids: IntArray, values: FloatArray) -> None:
    if len(ids) == 0:
        return
    serving = work.serving
    found = serving.assigner.assess(values)
    customers.add_many(work.connection, ids, values, found.segments, work.active.epoch)
    history.add_entered(work.connection, ids, now(), serving.version)
    count_imported(work, None, (values, found.segments), found.outliers)


def _change(work: UnitOfWork, before: StoredCustomers, values: FloatArray) -> None:
    if len(values) == 0:
        return
    serving = work.serving
    segments = serving.assigner.assign_calmly(values, before.segments)
    customers.change_many(work.connection, before.ids, values, segments, work.active.epoch)
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
    """Delete those of the customers there, (n,), who are not given, (m,); return how many."""
    others = np.setdiff1d(there, given)
    if how.dry_run:
        return len(others)
    return sum(
        _remove(units, others[start : start + CHUNK], how.source)
        for start in range(0, len(others), CHUNK)
    )


@tried_again
def _remove(units: UnitsOfWork, ids: IntArray, source: str) -> int:
    with units.write() as work:
        before = customers.find_many(work.connection, ids, for_update=True)
        customers.remove_many(work.connection, before.ids)
        left = (before.segments, None)
        version = work.serving.version
        history.add_many(work.connection, before.ids, now(), Cause.DELETED, left, version)
        count_imported(work, before, None)
        note(work.connection, "file", source, f"{len(before.ids)} customers removed")
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
    if not (new | changed).any():
        return
    done = f"{new.sum()} customers added, {changed.sum()} changed"
    note(work.connection, "file", source, done)
    if work.audit.keeps_values:
        for rows, action in ((new, "added"), (changed, "updated")):
            for customer_id, row in zip(ids[rows].tolist(), values[rows].tolist(), strict=True):
                attributes = dict(zip(FEATURE_NAMES, map(plain_number, row), strict=True))
                work.audit.note_change(work.connection, customer_id, action, attributes)
