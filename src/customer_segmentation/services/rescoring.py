"""The use case of bringing every stored assignment to the model that serves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.files.ahead import read_ahead
from customer_segmentation.model.distribution import Distribution
from customer_segmentation.services.clock import now
from customer_segmentation.services.distribution import add_counted, count
from customer_segmentation.services.unit_of_work import ServingModel, UnitsOfWork, tried_again
from customer_segmentation.store import customers, history, models
from customer_segmentation.store.arrow import ArrowReader, arrow_reader
from customer_segmentation.store.customers import StoredCustomers

CHUNK = 10_000
"""Customers a transaction: few enough that writes of requests come between two of them."""

_READ = 10 * CHUNK
"""Customers read at once: few enough for memory, and for the database to clean up behind."""


def rescore(units: UnitsOfWork, progress: Callable[[int], None] = lambda _done: None) -> None:
    """Give every customer's row the active model's segment, chunk after chunk.

    Reads do not wait for it: until a row's turn comes, it is scored when read. Cut off, it goes on
    where it stopped; when another model is activated meanwhile, it begins again with that one.

    Args:
        units: over the database.
        progress: is told how many customers were given their segment so far.
    """
    with arrow_reader(units.database) as read:
        while not _rescore_by_active(units, read, progress):
            pass


@dataclass(frozen=True, eq=False, slots=True)
class _Chunk:
    """Some customers as they were stored while the model served already.

    Attributes:
        stored: the customers, whose assignments another version gave.
        segments: (n,), the numbers of the segments that the model gives them.
        counted: their distribution.
    """

    stored: StoredCustomers
    segments: IntArray
    counted: Distribution


def _rescore_by_active(
    units: UnitsOfWork, read: ArrowReader, progress: Callable[[int], None]
) -> bool:
    """Re-score by the model that serves now; return False where another one came meanwhile."""
    with units.read() as work:
        serving, activation = work.serving, models.last_activation(work.connection)
    done = 0
    for chunk in read_ahead(_read_chunks(read, serving)):
        if not _write(units, activation, chunk):
            return False
        done += len(chunk.segments)
        progress(done)
    with units.database.write() as connection:
        return models.set_rescored(connection, activation)


def _read_chunks(read: ArrowReader, serving: ServingModel) -> Iterator[_Chunk]:
    last = 0
    while len((part := customers.read_outdated(read, serving.version, last, _READ)).ids) > 0:
        for start in range(0, len(part.ids), CHUNK):
            yield _score(serving, part.at(slice(start, start + CHUNK)))
        last = int(part.ids[-1])


def _score(serving: ServingModel, stored: StoredCustomers) -> _Chunk:
    segments = serving.assigner.assign_calmly(stored.values, stored.segments)
    return _Chunk(stored, segments, count(serving, stored.values, segments))


@tried_again
def _write(units: UnitsOfWork, activation: int, chunk: _Chunk) -> bool:
    """Write a chunk's assignments; return False where its model does not serve any more.

    Whoever was changed since the chunk was read carries the model's version already, as it served
    then. The others are as they were read.
    """
    with units.write() as work:
        if models.last_activation(work.connection) != activation:
            return False
        serving, ids = work.serving, chunk.stored.ids
        ends = (int(ids[0]), int(ids[-1]))
        waiting = customers.lock_outdated(work.connection, serving.version, *ends)
        if len(waiting) < len(ids):
            chunk = _score(serving, chunk.stored.at(np.searchsorted(ids, waiting)))
        ids, left, segments = chunk.stored.ids, chunk.stored.segments, chunk.segments
        moved = np.flatnonzero(segments != left)
        entered = dict(zip(ids[moved].tolist(), segments[moved].tolist(), strict=True))
        customers.reassign(work.connection, serving.version, *ends, entered)
        add_counted(work.connection, serving, chunk.counted)
        cause = models.activation_cause(work.connection)
        change = (left[moved], segments[moved])
        history.add_many(work.connection, ids[moved], now(), cause, change, serving.version)
    return True
