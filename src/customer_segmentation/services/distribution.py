"""The use cases of keeping the customers' distribution up to date, and of what it tells: drift."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.model.artifact import distribution_content, read_distribution
from customer_segmentation.model.distribution import (
    Distribution,
    count_customers,
    empty_distribution,
)
from customer_segmentation.model.drift import Drift, measure_drift
from customer_segmentation.services.clock import rest
from customer_segmentation.services.serving import ServingModel
from customer_segmentation.services.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store import distributions
from customer_segmentation.store.customers import StoredCustomers
from customer_segmentation.store.distributions import Changes, StoredDistribution

_CHUNK = 1_000


@dataclass(frozen=True, eq=False, slots=True)
class Current:
    """The customers as the active model sees them now.

    Attributes:
        serving: the active model.
        distribution: of the customers over its bins. While they are re-scored after an activation
            it holds those whose turn has come.
        changed: how many were added, changed or deleted since the activation.
    """

    serving: ServingModel
    distribution: Distribution
    changed: int


def read_current(units: UnitsOfWork) -> Current:
    """Return the distribution of the customers, the last change included.

    Raises:
        NotReadyError: there is no model yet.
    """
    with units.read() as work:
        stored = distributions.find(work.connection, work.serving.version)
        changes = distributions.read_changes(work.connection)
    counted, changed = _counted(work.serving, stored)
    counted += _count(work.serving, changes)
    return Current(work.serving, counted, changed + len(changes.ids))


def get_drift(units: UnitsOfWork) -> tuple[int, Drift]:
    """Return the active version, and how far the customers have drifted from its training data."""
    current = read_current(units)
    return current.serving.version, measure_drift(current.serving.model, current.distribution)


def count_waiting_changes(units: UnitsOfWork) -> None:
    """Count in the distribution what writers appended since.

    What is counted is read and looked at beside them; they wait only while it is put down.
    """
    while True:
        with units.read() as work:
            seen, before = work, distributions.find(work.connection, work.serving.version)
            changes = distributions.read_changes(work.connection, _CHUNK)
        if not changes.ids:
            return
        counted = _count(seen.serving, changes)
        with units.write() as work:
            stored = distributions.find(work.connection, work.serving.version, for_update=True)
            if work.active.epoch != seen.active.epoch or _told(stored) != _told(before):
                continue  # Another process counted these, or an activation began anew.
            distributions.remove_changes(work.connection, changes.ids)
            known, changed = _counted(work.serving, stored)
            changed += len(changes.ids)
            _save(work.connection, work.serving.version, known + counted, changed)
        if len(changes.ids) < _CHUNK:
            return
        rest()


def start_counting(
    connection: Connection, serving: ServingModel, distribution: Distribution | None = None
) -> None:
    """Begin to count for a model that is activated in this transaction.

    Args:
        connection: of the transaction.
        serving: the model.
        distribution: of the customers that carry the model's version already.
    """
    distributions.clear(connection)
    nobody = empty_distribution(serving.model.bins, len(serving.model.segments))
    _save(connection, serving.version, distribution or nobody, changed=0)


def add_counted(connection: Connection, serving: ServingModel, distribution: Distribution) -> None:
    """Add customers who were given their segments by the active model, as `count` has them."""
    stored = distributions.find(connection, serving.version, for_update=True)
    counted, changed = _counted(serving, stored)
    _save(connection, serving.version, counted + distribution, changed)


def count_imported(
    work: UnitOfWork,
    left: StoredCustomers | None,
    entered: tuple[FloatArray, IntArray] | None,
    outliers: BoolArray | None = None,
) -> None:
    """Count many customers that a transaction adds, changes or deletes.

    Args:
        work: the transaction.
        left: what they were; None where they are new.
        entered: their attributes, (n, d), and segment numbers, (n,); None where they are deleted.
        outliers: (n,), which of those who entered are, where that is known.
    """
    connection, serving = work.connection, work.serving
    stored = distributions.find(connection, serving.version, for_update=True)
    counted, changed = _counted(serving, stored)
    if left is not None:
        ours = left.at(work.active.settles(left.ids, left.epochs))
        signs = np.full(len(ours.ids), -1)
        counted += count(serving, ours.values, ours.segments, signs)
        changed += len(left.ids)
    if entered is not None:
        counted += count(serving, *entered, outliers=outliers)
        changed += len(entered[0]) if left is None else 0
    _save(connection, serving.version, counted, changed)


def count(
    serving: ServingModel,
    values: FloatArray,
    segments: IntArray,
    signs: IntArray | None = None,
    outliers: BoolArray | None = None,
) -> Distribution:
    """Return the distribution of customers, (n, d), in segments of these numbers, (n,).

    Args:
        serving: the model over whose bins it is.
        values: of the customers.
        segments: of the customers.
        signs: (n,), -1 for those who are taken off; all are added without.
        outliers: (n,), which of them are, where that is known.
    """
    if outliers is None:
        outliers = serving.assigner.assess(values).outliers
    return count_customers(
        serving.model.bins,
        len(serving.model.segments),
        values,
        np.searchsorted(serving.model.numbers, segments),
        outliers,
        signs,
    )


def _count(serving: ServingModel, changes: Changes) -> Distribution:
    """Return what changes amount to."""
    return count(serving, changes.values, changes.segments, changes.signs)


def _told(stored: StoredDistribution | None) -> int:
    """Return how many changes were counted, which rises whenever some are."""
    return 0 if stored is None else stored.changed


def _counted(serving: ServingModel, stored: StoredDistribution | None) -> tuple[Distribution, int]:
    if stored is None:
        return empty_distribution(serving.model.bins, len(serving.model.segments)), 0
    return read_distribution(stored.content), stored.changed


def _save(connection: Connection, version: int, distribution: Distribution, changed: int) -> None:
    content = distribution_content(distribution)
    distributions.save(connection, version, StoredDistribution(content, changed))
