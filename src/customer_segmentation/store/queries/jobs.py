"""Queries on jobs; a running job's row is the lease that only one of its kind can hold."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.errors import JobNotFoundError, JobRunningError
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Phase, Trigger
from customer_segmentation.store.tables import jobs

_NOT_ENDED = (JobState.WAITING, JobState.RUNNING)


def add(connection: Connection, job: Job) -> None:
    """Add a job.

    Raises:
        JobRunningError: it is a running one and another of its kind runs already.
    """
    try:
        connection.execute(
            insert(jobs), {column.name: getattr(job, column.name) for column in jobs.c}
        )
    except IntegrityError as taken:
        raise JobRunningError(job.kind) from taken


def get(connection: Connection, job_id: str) -> Job:
    """Return a job.

    Raises:
        JobNotFoundError: there is no such job.
    """
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise JobNotFoundError(job_id)
    return _job(row)


def read_newest(connection: Connection, limit: int) -> list[Job]:
    """Return the newest jobs, the newest first."""
    rows = connection.execute(select(jobs).order_by(jobs.c.created_at.desc()).limit(limit))
    return [_job(row) for row in rows.mappings()]


def running(connection: Connection) -> list[Job]:
    """Return the jobs that hold a lease, at most one of each kind."""
    rows = connection.execute(select(jobs).where(jobs.c.state == JobState.RUNNING)).mappings()
    return [_job(row) for row in rows]


def last_started(connection: Connection, kind: JobKind) -> datetime | None:
    """Return when the newest job of a kind was started."""
    query = select(func.max(jobs.c.created_at)).where(jobs.c.kind == kind)
    return connection.execute(query).scalar_one()


def count_started(connection: Connection, kind: JobKind, since: datetime) -> int:
    """Return how many jobs of a kind were started since a moment."""
    query = select(func.count()).where(jobs.c.kind == kind, jobs.c.created_at > since)
    return connection.execute(query).scalar_one()


def read_of_kind(connection: Connection, kind: JobKind, limit: int) -> list[Job]:
    """Return the newest jobs of a kind, the newest first."""
    query = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.created_at.desc())
    return [_job(row) for row in connection.execute(query.limit(limit)).mappings()]


def find(connection: Connection, ids: Collection[str]) -> list[Job]:
    """Return those jobs of some ids that there are."""
    rows = connection.execute(select(jobs).where(jobs.c.id.in_(ids))).mappings()
    return [_job(row) for row in rows]


def waiting(connection: Connection) -> list[Job]:
    """Return the jobs that wait for their turn, the oldest first."""
    query = select(jobs).where(jobs.c.state == JobState.WAITING).order_by(jobs.c.created_at)
    return [_job(row) for row in connection.execute(query).mappings()]


def take(connection: Connection, job: Job, **values: object) -> bool:
    """Give a waiting job the lease; return False where it waits no longer.

    Raises:
        JobRunningError: another job of this kind holds the lease.
    """
    is_waiting = (jobs.c.id == job.id) & (jobs.c.state == JobState.WAITING)
    try:
        result = connection.execute(
            update(jobs).where(is_waiting).values(state=JobState.RUNNING, **values)
        )
    except IntegrityError as taken:
        raise JobRunningError(job.kind) from taken
    return result.rowcount == 1


def advance(connection: Connection, job_id: str, holder: tuple[str, int], **values: object) -> bool:
    """Change columns of a job that a process holds; return False where it does so no longer.

    Args:
        connection: of a transaction.
        job_id: of the job.
        holder: the process: its machine, and its id there.
        values: of the columns.
    """
    host, pid = holder
    is_held = (jobs.c.state == JobState.RUNNING) & (jobs.c.host == host) & (jobs.c.pid == pid)
    query = update(jobs).where(jobs.c.id == job_id, is_held).values(**values)
    return connection.execute(query).rowcount == 1


def change(connection: Connection, job_id: str, **values: object) -> bool:
    """Change columns of a running job; return False where it is no longer running."""
    result = connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(**values)
    )
    return result.rowcount == 1


def cancel(connection: Connection, job_id: str, **values: object) -> bool:
    """Mark a job as cancelled that has not ended; return False where it is too late for that."""
    result = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job_id,
            jobs.c.state.in_(_NOT_ENDED),
            jobs.c.phase != Phase.RESCORING,
        )
        .values(state=JobState.CANCELLED, **values)
    )
    return result.rowcount == 1


def remove_old(connection: Connection, before: datetime) -> None:
    """Remove jobs that were started before a moment and have ended, but the last of each kind."""
    newer = jobs.alias("newer")
    is_followed = (
        select(newer.c.id)
        .where(newer.c.kind == jobs.c.kind, newer.c.created_at > jobs.c.created_at)
        .exists()
    )
    connection.execute(
        delete(jobs).where(jobs.c.created_at < before, jobs.c.state.not_in(_NOT_ENDED), is_followed)
    )


def forget_versions(connection: Connection, versions: list[int]) -> None:
    """Let no job name versions that are about to be deleted."""
    connection.execute(
        update(jobs).where(jobs.c.model_version.in_(versions)).values(model_version=None)
    )


def _job(row: RowMapping) -> Job:
    kinds = {"kind": JobKind, "state": JobState, "phase": Phase, "trigger": Trigger}
    return Job(**{**row, **{name: kind(row[name]) for name, kind in kinds.items()}})
