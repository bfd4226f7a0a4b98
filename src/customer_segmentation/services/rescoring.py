"""The use case of bringing every stored assignment to the model that serves."""

from collections.abc import Callable

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.services.clock import now
from customer_segmentation.services.distribution import count_rescored
from customer_segmentation.services.unit_of_work import UnitsOfWork, tried_again
from customer_segmentation.store import customers, history, models

CHUNK = 5_000
"""Customers a transaction: few enough that writes of requests come between two of them."""


def rescore(units: UnitsOfWork, progress: Callable[[int], None] = lambda _done: None) -> None:
    """Give every customer's row the active model's segment, chunk after chunk.

    Reads do not wait for it: until a row's turn comes, it is scored when read. Cut off, it goes on
    where it stopped; when another model is activated meanwhile, it goes on with that one.

    Args:
        units: over the database.
        progress: is told how many customers were given their segment so far.
    """
    done, last, version = 0, 0, None
    while True:
        version, ids = _rescore_chunk(units, version, last)
        if len(ids) == 0:
            # In a transaction of its own: what a chunk has only shared, two that are re-scoring
            # cannot both have for themselves.
            with units.database.write() as connection:
                if models.set_rescored(connection, version):
                    return
        last = int(ids[-1])
        done += len(ids)
        progress(done)


@tried_again
def _rescore_chunk(units: UnitsOfWork, version: int | None, last: int) -> tuple[int, IntArray]:
    """Score the next customers after an id; return the active version and their ids.

    Args:
        units: over the database.
        version: that the chunk before was given; another one begins with the first id again.
        last: the last id of the chunk before.
    """
    with units.write() as work:
        active = work.serving.version
        after = last if active == version else 0
        ids, values, left = customers.read_outdated(work.connection, active, after, CHUNK)
        if len(ids) > 0:
            segments = work.serving.assigner.assign_calmly(values, left)
            customers.reassign(work.connection, ids, segments, active)
            count_rescored(work.connection, work.serving, values, segments)
            moved = segments != left
            changes = (left[moved], segments[moved])
            cause = models.activation_cause(work.connection)
            history.add_many(work.connection, ids[moved], now(), cause, changes, active)
    return active, ids
