"""The use cases of keeping the customers' distribution up to date, and of what it tells: drift."""

from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.model.artifact import distribution_content, read_distribution
from customer_segmentation.model.monitoring.distribution import (
    Bins,
    Distribution,
    count_customers,
    empty_distribution,
)
from customer_segmentation.model.monitoring.drift import Drift, measure_drift
from customer_segmentation.services.runtime.clock import rest
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import distributions
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.distributions import Changes, StoredDistribution

_CHUNK = 1_000


@dataclass(frozen=True, eq=False, slots=True)
class Current:
    """The customers as the active model sees them now.

    Attributes:
        serving: the active model.
        bins: over which the customers are counted: the model's, and finer ones where those would
            not tell today's customers apart.
        counted: the customers over these bins. While they are re-scored after an activation these
            are those whose turn has come.
        changed: how many were added, changed or deleted since the activation.
        is_complete: whether all customers are counted.
    """

    serving: ServingModel
    bins: Bins
    counted: Distribution
    changed: int
    is_complete: bool

    @property
    def distribution(self) -> Distribution:
        """The customers over the model's bins."""
        return self.counted.moved(self.bins, self.serving.model.bins)


def read_current(units: UnitsOfWork) -> Current:
    """Return the distribution of the customers, the last change included.

    Raises:
        NotReadyError: there is no model yet.
    """
    with units.read() as work:
        return current_of(work)


def current_of(work: UnitOfWork) -> Current:
    """Return the distribution of the customers as a transaction sees them."""
    stored = distributions.find(work.connection, work.serving.version)
    changes = distributions.read_changes(work.connection, work.customers.width)
    found = _counted(work.serving, stored)
    counted = found.distribution + _count(work.serving, changes, found.bins)
    changed = found.changed + len(changes.ids)
    return Current(work.serving, found.bins, counted, changed, work.active.is_rescored)


def get_drift(units: UnitsOfWork) -> tuple[int, Drift]:
    """Return the active version, and how far the customers have drifted from its training data."""
    current = read_current(units)
    return current.serving.version, drift_of(current)


def drift_of(current: Current) -> Drift:
    """Return how far the customers have drifted from the active model's training data."""
    return measure_drift(
        current.serving.model, current.distribution, is_complete=current.is_complete
    )


def count_waiting_changes(units: UnitsOfWork) -> None:
    """Count in the distribution what writers appended since.

    What is counted is read and looked at beside them; they wait only while it is put down.
    """
    while True:
        with units.read() as work:
            seen, before = work, distributions.find(work.connection, work.serving.version)
            changes = distributions.read_changes(work.connection, work.customers.width, _CHUNK)
        if not changes.ids:
            return
        known = _counted(seen.serving, before)
        counted = _count(seen.serving, changes, known.bins)
        with units.write() as work:
            now = find_counted(work)
            is_same = now.changed == known.changed and now.bins.equals(known.bins)
            if work.active.epoch != seen.active.epoch or not is_same:
                continue  # Another process counted these, or an activation began anew.
            distributions.remove_changes(work.connection, changes.ids)
            save_counted(work.connection, work.serving, now.plus(counted, len(changes.ids)))
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
    bins = serving.model.bins
    if distribution is None:
        distribution = empty_distribution(bins, len(serving.model.segments))
    save_counted(connection, serving, Counted(bins, distribution, 0))


def restart_counting(work: UnitOfWork) -> None:
    """Begin to count anew for the same model, as all customers are looked at again.

    How many were changed since the model was activated stays.
    """
    changed = current_of(work).changed
    start_counting(work.connection, work.serving)
    known = find_counted(work)
    save_counted(work.connection, work.serving, replace(known, changed=changed))


def add_counted(work: UnitOfWork, distribution: Distribution) -> None:
    """Add customers who were given their segments by the active model, as `count` has them."""
    known = find_counted(work)
    moved = distribution.moved(work.serving.model.bins, known.bins)
    save_counted(work.connection, work.serving, known.plus(moved))


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
    serving = work.serving
    known = find_counted(work)
    if left is not None:
        ours = left.at(work.active.are_current(left.ids, left.epochs))
        signs = np.full(len(ours.ids), -1)
        gone = count(serving, ours.values, ours.segments, signs, bins=known.bins)
        known = known.plus(gone, len(left.ids))
    if entered is not None:
        came = count(serving, *entered, outliers=outliers, bins=known.bins)
        known = known.plus(came, len(entered[0]) if left is None else 0)
    save_counted(work.connection, serving, known)


def count(
    serving: ServingModel,
    values: FloatArray,
    segments: IntArray,
    signs: IntArray | None = None,
    outliers: BoolArray | None = None,
    bins: Bins | None = None,
) -> Distribution:
    """Return the distribution of customers, (n, d), in segments of these numbers, (n,).

    Args:
        serving: the model.
        values: of the customers.
        segments: of the customers.
        signs: (n,), -1 for those who are taken off; all are added without.
        outliers: (n,), which of them are, where that is known.
        bins: over which they are counted; the model's unless given.
    """
    if outliers is None:
        outliers = serving.assess(values).outliers
    return count_customers(
        serving.model.bins if bins is None else bins,
        len(serving.model.segments),
        serving.rows(values),
        np.searchsorted(serving.model.numbers, segments),
        outliers,
        signs,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """Customers counted over bins.

    Attributes:
        bins: of each attribute.
        distribution: the customers.
        changed: how many changes were counted since the activation.
    """

    bins: Bins
    distribution: Distribution
    changed: int

    def plus(self, distribution: Distribution, changed: int = 0) -> "Counted":
        """Return these and some more, and how many changes these come from."""
        return Counted(self.bins, self.distribution + distribution, self.changed + changed)


def find_counted(work: UnitOfWork) -> Counted:
    """Return what is counted, but for changes that wait, kept from others until the end."""
    stored = distributions.find(work.connection, work.serving.version, for_update=True)
    return _counted(work.serving, stored)


def save_counted(connection: Connection, serving: ServingModel, counted: Counted) -> None:
    """Replace what is counted."""
    content = distribution_content(counted.distribution)
    if counted.bins is not serving.model.bins:
        content["bins"] = [cuts.tolist() for cuts in counted.bins.cuts]
    stored = StoredDistribution(content, counted.changed)
    distributions.save(connection, serving.version, stored)


def _count(serving: ServingModel, changes: Changes, bins: Bins) -> Distribution:
    """Return what changes amount to."""
    return count(serving, changes.values, changes.segments, changes.signs, bins=bins)


def _counted(serving: ServingModel, stored: StoredDistribution | None) -> Counted:
    bins = serving.model.bins
    if stored is None:
        return Counted(bins, empty_distribution(bins, len(serving.model.segments)), 0)
    if (cuts := stored.content.get("bins")) is not None:
        bins = replace(bins, cuts=tuple(np.array(found, dtype=np.float64) for found in cuts))
    return Counted(bins, read_distribution(stored.content), stored.changed)
