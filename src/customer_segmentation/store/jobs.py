"""Queries on training jobs; the running job's row is the lease that only one can hold."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.errors import TrainingRunningError
from customer_segmentation.store.tables import jobs


class JobState(StrEnum):
    """Where a job is in its life."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD_BACK = "held back"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Phase(StrEnum):
    """What a running job is doing."""

    STARTING = "starting"
    READING = "reading"
    FITTING = "fitting"
    RESCORING = "rescoring"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Job:
    """A training job.

    Attributes:
        id: 32 hexadecimal digits.
        state: where it is in its life.
        phase: what it is doing.
        done: how many customers the phase has dealt with.
        total: of how many.
        created_at: when it was started.
        heartbeat_at: when its process last showed that it lives.
        finished_at: when it ended.
        host: the machine of its process.
        pid: the id of its process.
        model_version: the version it made.
        error: why it made none, for people.
    """

    id: str
    state: JobState
    phase: Phase
    done: int
    total: int
    created_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    host: str
    pid: int
    model_version: int | None
    error: str | None


def add(connection: Connection, job: Job) -> None:
    """Add a job.

    Raises:
        TrainingRunningError: it is a running one and another runs already.
    """
    try:
        connection.execute(
            insert(jobs), {column.name: getattr(job, column.name) for column in jobs.c}
        )
    except IntegrityError as taken:
        raise TrainingRunningError from taken


def get(connection: Connection, job_id: str) -> Job:
    """Return a job."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one()
    return Job(**{**row, "state": JobState(row["state"]), "phase": Phase(row["phase"])})


def running(connection: Connection) -> Job | None:
    """Return the job that holds the lease."""
    job_id = connection.execute(
        select(jobs.c.id).where(jobs.c.state == JobState.RUNNING)
    ).scalar_one_or_none()
    return None if job_id is None else get(connection, job_id)


def change(connection: Connection, job_id: str, **values: object) -> bool:
    """Change columns of a running job; return False where it is no longer running."""
    result = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(**values)
    )
    return result.rowcount == 1
