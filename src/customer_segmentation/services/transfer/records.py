"""What an import or export that is a job writes to its row: how far it is, and how it ended.

An import keeps with each part that it stores what it replaced, so that it can go on where it was
cut off, and be undone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.errors import (
    JobLostError,
    SegmentationError,
    StoreUnavailableError,
    TrainingRefusedError,
)
from customer_segmentation.domain.jobs import Job, JobState, Phase
from customer_segmentation.services.jobs.lifecycle import this_process
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import imports, jobs
from customer_segmentation.store.queries.imports import Replaced

_PROGRESS_SECONDS = 0.25


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
        differing: the attributes that are spread otherwise by far than in the training data of the
            active model.
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
    differing: list[str] = field(default_factory=list)

    @property
    def stored(self) -> int:
        """How many customers are stored as the table has them."""
        return self.added + self.changed + self.unchanged

    @classmethod
    def of(cls, result: dict[str, Any]) -> "Outcome":
        """Return what a job's result tells."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in result.items() if name in known})


def hold(connection: Connection, job_id: str, **values: object) -> None:
    """Write to a job's row in a transaction of its work, if this process still holds the job.

    Raises:
        JobLostError: it was cancelled, or another process goes on with it: nothing may be stored.
    """
    if not jobs.advance(connection, job_id, this_process(), heartbeat_at=now(), **values):
        raise JobLostError


class ImportRecord:
    """The record of an import that is a job.

    Attributes:
        outcome: of the parts that were stored before this process began.
        rows: how many rows of the table these parts are of, or customers were removed after them.
        is_complete: whether all is stored.
        everyone: (n,), the ids of the customers who were there when a replacement began.
    """

    def __init__(self, connection: Connection, job: Job, everyone: IntArray | None = None) -> None:
        """Read how far the import is."""
        told = job.result or {}
        self.job_id = job.id
        self.outcome = Outcome.of(told)
        self.rows = int(told.get("rows", 0))
        self.is_complete = bool(told.get("is_complete", False))
        self.everyone = everyone
        self._refused = imports.refused_rows(connection, job.id)

    def refused_within(self, start: int, end: int) -> IntArray:
        """Return which of the rows stored before were refused, counted from the first of some."""
        found = self._refused[(self._refused >= start) & (self._refused < end)]
        return np.sort(found) - start

    def keep(self, connection: Connection, replaced: Replaced, outcome: Outcome, rows: int) -> None:
        """Keep, in the transaction that stores a part, what it replaced and how far the import is.

        Args:
            connection: of the transaction.
            replaced: what the part replaced.
            outcome: of all parts so far, this one included.
            rows: how many rows they are of.

        Raises:
            JobLostError: this process holds the job no longer.
        """
        told = {**asdict(outcome), "rows": rows}
        hold(connection, self.job_id, result=told, attempts=0)
        if len(replaced.ids) or len(replaced.refused):
            imports.add(connection, self.job_id, replaced)


class Progress:
    """Writes to a job's row how much is done, a few times a second."""

    def __init__(self, database: Database, job_id: str, phase: Phase, total: int) -> None:
        """Write nothing yet.

        Args:
            database: where the job is.
            job_id: of the job.
            phase: what it is doing.
            total: how much there is to do; 0 where that is not known.
        """
        self._database = database
        self._job_id = job_id
        self._phase = phase
        self._total = total
        self._told = 0.0

    def __call__(self, done: int, _rows: int = 0) -> None:
        """Write how much is done, unless that was done a moment ago.

        Raises:
            JobLostError: this process holds the job no longer.
        """
        moment = time.monotonic()
        if moment - self._told < _PROGRESS_SECONDS:
            return
        self._told = moment
        with self._database.write() as connection:
            hold(connection, self._job_id, phase=self._phase, done=done, total=self._total)


@contextmanager
def end_noted(database: Database, job_id: str) -> Iterator[None]:
    """Write to a job's row why it failed, unless it is to go on or another process holds it."""
    try:
        yield
    except (StoreUnavailableError, JobLostError):
        raise
    except TrainingRefusedError as refusal:
        _fail(database, job_id, JobState.REFUSED, str(refusal))
        raise
    except SegmentationError as failure:
        _fail(database, job_id, JobState.FAILED, str(failure))
        raise
    except Exception as failure:
        told = f"an unexpected {type(failure).__name__}; the service's log has its trace"
        _fail(database, job_id, JobState.FAILED, told)
        raise


def finish(connection: Connection, job_id: str, state: JobState, **values: object) -> None:
    """Write how a job ended.

    Raises:
        JobLostError: this process holds the job no longer.
    """
    hold(connection, job_id, state=state, finished_at=now(), **values)


def _fail(database: Database, job_id: str, state: JobState, error: str) -> None:
    with database.write() as connection:
        finish(connection, job_id, state, error=error)
