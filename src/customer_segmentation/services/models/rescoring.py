"""The use case of bringing every stored assignment to the active model."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.files.read.prefetch import prefetch
from customer_segmentation.model.monitoring.distribution import Distribution
from customer_segmentation.services.audiences.membership import note_customers
from customer_segmentation.services.jobs.pool import start_worker
from customer_segmentation.services.monitoring.distribution import add_counted, count
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.store.arrow import ArrowReader, arrow_reader
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import history, jobs, models
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.models import Active

PART = 50_000
"""Customers looked at in one transaction, while writes of requests wait, at most."""

MOVES = 5_000
"""Customers written in one transaction, at most."""

CUT_OFF_SECONDS = 3.0
"""A re-scoring that has not advanced for this long has lost its process."""

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """All customers as they were at some moment.

    Attributes:
        customers: by rising ids.
        epoch: whoever was changed since carries this epoch or a later one.
        read_at: the moment.
    """

    customers: StoredCustomers
    epoch: int
    read_at: datetime


def rescore(
    units: UnitsOfWork,
    progress: Callable[[int], None] = lambda _done: None,
    snapshot: Snapshot | None = None,
) -> None:
    """See that every customer's row tells its segment by the active model, chunk after chunk.

    Only customers whom the model moves are written. Reads do not wait for it: until a row's turn
    comes, it is scored when read. Cut off, it goes on where it stopped; when another model is
    activated meanwhile, it goes on with that one. Of several processes at it one goes on, and the
    others wait until that is done, or take over if it is cut off.

    Args:
        units: over the database.
        progress: is told how many customers were given their segment so far.
        snapshot: what was read of the customers already.
    """
    with arrow_reader(units.database) as read:
        while True:
            with units.read() as work:
                active, serving = work.active, work.serving
            if _rescore_by(active, serving, units, read, progress, snapshot):
                return
            snapshot = None
            _wait_while_others_rescore(units, active.activated_in)


class ProgressWatch:
    """Tells a re-scoring that was cut off from one that goes on, by whether it advances."""

    def __init__(self) -> None:
        """Have seen nothing yet."""
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def is_cut_off(self, active: Active | None) -> bool:
        """Return whether customers wait to be re-scored, and for some seconds none was."""
        if active is None or active.is_rescored:
            self._seen = None
            return False
        seen = (active.activated_in, active.rescored_up_to)
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since >= CUT_OFF_SECONDS


class Rescoring:
    """Sees that what an activation leaves to be written down is written, in a process of its own.

    Any server notices where that is cut off, on whichever machine, and goes on with it.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        """Start nothing yet."""
        self._database = database
        self._settings = settings
        self._watch = ProgressWatch()
        self._process: subprocess.Popen[str] | None = None
        self._starting = threading.Lock()

    def begin(self) -> None:
        """Start it, where there is anything to do, unless it or a training is at it."""
        with self._database.read() as connection:
            at_it = any(job.phase is Phase.RESCORING for job in jobs.running(connection))
            settled = models.is_rescored(connection)
        if not (settled or at_it):
            self._look_after(start=True)

    def resume(self) -> None:
        """Start it where it was cut off; to be called every second or so."""
        with self._database.read() as connection:
            active = models.active(connection)
        is_cut_off = self._watch.is_cut_off(active)
        if is_cut_off or self._process is not None:
            self._look_after(start=is_cut_off)

    def _look_after(self, *, start: bool) -> None:
        """Take note of a process that has ended, and start one where none is at it."""
        with self._starting:
            if self._process is not None and self._process.poll() is not None:
                self._process = None
            if start and self._process is None:
                self._process = start_worker(self._settings, "rescore", background=True)


def _wait_while_others_rescore(units: UnitsOfWork, activated_in: int) -> None:
    """Wait until another process is done with an activation, or was cut off."""
    watch = ProgressWatch()
    while True:
        with units.read() as work:
            active = work.active
        if active.activated_in != activated_in or active.is_rescored or watch.is_cut_off(active):
            return
        time.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, eq=False, slots=True)
class _Chunk:
    """Customers with ids that follow one another, and what the active model makes of them.

    Attributes:
        after: ids are above this one.
        last: the greatest id.
        epoch: whoever was changed since this was read carries this epoch or a later one.
        waiting: those whose segments another model had given.
        segments: (n,), the numbers of the segments that the active model gives them.
        counted: their distribution.
    """

    after: int
    last: int
    epoch: int
    waiting: StoredCustomers
    segments: IntArray
    counted: Distribution


def _rescore_by(
    active: Active,
    serving: ServingModel,
    units: UnitsOfWork,
    read: ArrowReader,
    progress: Callable[[int], None],
    snapshot: Snapshot | None,
) -> bool:
    """Re-score by a model; return False where another one serves, or another process re-scores."""
    if active.is_rescored:
        return True
    done, after = 0, active.rescored_up_to
    for chunk in prefetch(_chunks(units, read, active, serving, snapshot)):
        if not _write(units, active, chunk):
            return False
        done, after = done + len(chunk.waiting.ids), chunk.last
        progress(done)
    with units.write(exclusive=True) as work:
        if not _is_next(work, active, after):
            return False
        models.pass_rescored(work.connection, LARGEST_INTEGER)
    return True


def _is_next(work: UnitOfWork, active: Active, after: int) -> bool:
    """Return whether an activation's re-scoring has come just as far as an id.

    Otherwise another process has been at it, and whoever follows is counted already.
    """
    place = (work.active.activated_in, work.active.rescored_up_to)
    return place == (active.activated_in, after)


def _chunks(
    units: UnitsOfWork,
    read: ArrowReader,
    active: Active,
    serving: ServingModel,
    snapshot: Snapshot | None,
) -> Iterator[_Chunk]:
    after = active.rescored_up_to
    for part, epoch in _parts(units, read, active, snapshot):
        segments = serving.reassign_many(part.values, part.segments)
        moves = np.cumsum(segments != part.segments)
        ends = np.searchsorted(moves, np.arange(MOVES, moves[-1], MOVES), side="right")
        for rows in np.split(np.arange(len(segments)), ends):
            waiting = rows[part.epochs[rows] < epoch]
            place = (after, int(part.ids[rows[-1]]), epoch)
            yield _chunk(serving, place, part.at(waiting), segments[waiting])
            after = place[1]


def _parts(
    units: UnitsOfWork, read: ArrowReader, active: Active, snapshot: Snapshot | None
) -> Iterator[tuple[StoredCustomers, int]]:
    """Yield customers that are to be looked at, and the epoch of those who were changed since."""
    after = active.rescored_up_to
    if snapshot is not None and after == 0:
        known = snapshot.customers
        for start in range(0, len(known.ids), PART):
            yield known.at(slice(start, start + PART)), snapshot.epoch
        after = int(known.ids[-1])
        with units.database.read() as connection:
            if not units.customers.are_after(connection, after):
                return
    while len((found := units.customers.read_after(read, after, PART)).ids) > 0:
        yield found, active.activated_in
        after = int(found.ids[-1])


def _chunk(
    serving: ServingModel,
    place: tuple[int, int, int],
    waiting: StoredCustomers,
    segments: IntArray,
) -> _Chunk:
    return _Chunk(*place, waiting, segments, count(serving, waiting.values, segments))


@retried
def _write(units: UnitsOfWork, active: Active, chunk: _Chunk) -> bool:
    """Write the assignments that a chunk changes; return False where its turn is over."""
    with units.write(exclusive=True) as work:
        if not _is_next(work, active, chunk.after):
            return False
        epochs = (chunk.epoch, active.activated_in)
        found = work.customers.count_written_before(
            work.connection, chunk.after, chunk.last, epochs
        )
        if found != (len(chunk.waiting.ids),) * 2:
            chunk = _read_again(work, chunk)
        left, segments = chunk.waiting.segments, chunk.segments
        moved = np.flatnonzero(segments != left)
        ids = chunk.waiting.ids[moved]
        work.customers.reassign(work.connection, ids, segments[moved], work.active.epoch)
        cause = models.activation_cause(work.connection)
        change = (left[moved], segments[moved])
        history.add_many(work.connection, ids, now(), cause, change, work.serving.version)
        note_customers(work, ids, cause)
        add_counted(work, chunk.counted)
        work.customers.refresh(work.connection, chunk.after, chunk.last)
        models.pass_rescored(work.connection, chunk.last)
    return True


def _read_again(work: UnitOfWork, chunk: _Chunk) -> _Chunk:
    """Return a chunk without those who were deleted meanwhile, and with those changed as they are.

    Whoever was changed since the activation needs no re-scoring.
    """
    place = (chunk.after, chunk.last, chunk.epoch)
    unchanged = work.customers.find_ids_written_before(work.connection, *place)
    same = chunk.waiting.at(np.searchsorted(chunk.waiting.ids, unchanged))
    changed = work.customers.find_written(work.connection, *place, work.active.activated_in)
    waiting, serving = same + changed, work.serving
    segments = serving.reassign_many(waiting.values, waiting.segments)
    return _chunk(serving, place, waiting, segments)
