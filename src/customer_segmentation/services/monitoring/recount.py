"""The use case of counting all customers anew: to check the running distribution, and repair it.

Nobody waits for it but for a moment. All is read as of one moment, what was counted by then and the
customers; what that differs by is wrong at any later moment too, and is added in the end.
"""

import logging
import threading
from datetime import timedelta
from itertools import chain

import numpy as np

from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.monitoring.distribution import (
    Bins,
    Distribution,
    are_coarse,
    fit_bins,
)
from customer_segmentation.services.jobs.pool import start_worker
from customer_segmentation.services.monitoring.distribution import (
    Counted,
    Current,
    count,
    current_of,
    find_counted,
    save_counted,
)
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.arrow import ArrowReader, arrow_reader
from customer_segmentation.store.queries import distributions
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.models import Active

logger = logging.getLogger(__name__)

_SAMPLE = 100_000
"""Customers that finer bins are fitted to, at most."""

_MIN_PAUSE = timedelta(minutes=1)


def recount(units: UnitsOfWork) -> int:
    """Count all customers anew, repair what differs, and return how many were counted wrongly.

    Where the customers have changed so much that the bins do not tell them apart, they are counted
    over finer ones from then on.

    Raises:
        NotReadyError: there is no model yet.
    """
    with arrow_reader(units.database) as read:
        wrong, sample = _repair(units, read)
        if sample is not None and _refine(units, fit_bins(units.schema.attributes, sample.values)):
            _repair(units, read)
    with units.database.write() as connection:
        distributions.end_check(connection, now(), wrong)
    if wrong:
        logger.error("Counted wrongly: %s; the counts are repaired", counted(wrong, "customer"))
    return wrong


def refine_where_coarse(units: UnitsOfWork) -> None:
    """Count the customers anew where the bins do not tell them apart any more."""
    with units.read() as work:
        current = current_of(work)
    if _is_coarse(current):
        recount(units)


def begin_recount_when_due(units: UnitsOfWork, settings: Settings) -> None:
    """Start a recount in a process of its own, where the last one is long past or bins are coarse.

    To be called every minute or so; of several servers one starts it.
    """
    with units.read() as work:
        current = current_of(work)
    if not current.is_complete:
        return
    pause = _MIN_PAUSE if _is_coarse(current) else timedelta(hours=settings.recount_hours)
    with units.database.write() as connection:
        is_due = distributions.begin_check(connection, now(), now() - pause)
    if is_due:
        process = start_worker(settings, "recount", background=True)
        threading.Thread(target=process.wait, name="recount", daemon=True).start()


def _is_coarse(current: Current) -> bool:
    counts = current.counted.counts.sum(axis=0)
    return current.is_complete and are_coarse(current.bins, counts)


def _repair(units: UnitsOfWork, read: ArrowReader) -> tuple[int, StoredCustomers | None]:
    """Add what the counts lack; return how many differ, and some customers where bins are coarse.

    Where another model is activated meanwhile, all is counted anew anyway.
    """
    # The reader's process is started before others have to wait for it.
    units.customers.read_after(read, LARGEST_INTEGER, 1)
    with units.write(exclusive=True) as work:
        before, active, serving = current_of(work), work.active, work.serving
        total = int(work.customers.count(work.connection))
        parts = units.customers.read_parts(read)
        # The first part fixes the moment of which all the others are too.
        parts = chain([next(parts)], parts) if total else parts
    step = total // _SAMPLE + 1
    found = before.counted - before.counted
    sample = []
    for part in parts:
        ours = part.at(active.are_current(part.ids, part.epochs))
        found += count(serving, ours.values, ours.segments, bins=before.bins)
        sample.append(part.at(slice(None, None, step)))
    lacking = found - before.counted
    if _differs(lacking) and not _add(units, active, before.bins, lacking):
        return 0, None
    at_model = lacking.moved(before.bins, serving.model.bins)
    wrong = -(-int(np.abs(at_model.counts).sum()) // len(before.bins.cuts))
    is_coarse = active.is_rescored and total > 0 and are_coarse(before.bins, found.counts.sum(0))
    wrong = max(wrong, int(_differs(at_model)))
    return wrong, _joined(sample) if is_coarse else None


def _differs(lacking: Distribution) -> bool:
    return bool(lacking.counts.any() or lacking.digits.any() or lacking.outliers.any())


def _joined(parts: list[StoredCustomers]) -> StoredCustomers:
    return StoredCustomers(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.segments for part in parts]),
        np.concatenate([part.epochs for part in parts]),
    )


def _add(units: UnitsOfWork, active: Active, bins: Bins, lacking: Distribution) -> bool:
    """Add to what is counted; return False where it began anew meanwhile."""
    with units.write(exclusive=True) as work:
        known = find_counted(work)
        if work.active.activated_in != active.activated_in or not known.bins.equals(bins):
            return False
        save_counted(work.connection, work.serving, known.plus(lacking))
    return True


def _refine(units: UnitsOfWork, finer: Bins) -> bool:
    """Count over finer bins from now on; tell whether those who were counted must be again."""
    with units.write(exclusive=True) as work:
        if not work.active.is_rescored:
            return False
        known = find_counted(work)
        bins = work.serving.model.bins | finer
        moved = known.distribution.moved(known.bins, work.serving.model.bins)
        moved = moved.moved(work.serving.model.bins, bins)
        save_counted(work.connection, work.serving, Counted(bins, moved, known.changed))
    return True
