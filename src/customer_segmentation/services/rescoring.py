"""The use case of bringing every stored assignment to the model that serves."""

from collections.abc import Callable

from customer_segmentation.services.clock import now
from customer_segmentation.services.unit_of_work import UnitsOfWork
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
    done = 0
    last = 0
    version = None
    while True:
        with units.write() as work:
            if work.serving.version != version:
                version, last = work.serving.version, 0
            ids, values, left = customers.read_outdated(work.connection, version, last, CHUNK)
            if len(ids) == 0:
                models.set_rescored(work.connection, version)
                return
            segments = work.serving.assigner.assign(values)
            customers.reassign(work.connection, ids, segments, version)
            moved = segments != left
            changes = (left[moved], segments[moved])
            cause = models.activation_cause(work.connection)
            history.add_many(work.connection, ids[moved], now(), cause, changes, version)
        last = int(ids[-1])
        done += len(ids)
        progress(done)
