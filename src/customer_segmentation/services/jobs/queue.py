"""Jobs that wait for their turn: of each kind one is at work, and the others begin after it.

Such a job goes on by itself where its process, its server or the database was stopped.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from customer_segmentation.domain.errors import JobRunningError, TooManyRequestsError
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin
from customer_segmentation.services.jobs.lifecycle import (
    launch,
    new_job,
    this_process,
)
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs

MAX_WAITING = 20
"""Jobs that wait, at most: their files take room on the disk."""

_RETRY_SECONDS = 10.0


def check_room(database: Database) -> None:
    """See that one more job may wait.

    Raises:
        TooManyRequestsError: too many wait already.
    """
    with database.read(brief=True) as connection:
        if len(jobs.waiting(connection)) >= MAX_WAITING:
            raise TooManyRequestsError(_RETRY_SECONDS, f"jobs wait, {MAX_WAITING}")


def add_waiting(
    database: Database, kind: JobKind, origin: Origin, request: dict[str, Any], job_id: str = ""
) -> Job:
    """Add a job that waits for its turn; `begin_waiting` begins it.

    Args:
        database: where to.
        kind: of the job.
        origin: who asks for it, and why.
        request: how it is to be done.
        job_id: its id, where something already bears it.
    """
    job = new_job(kind, origin, request, JobState.WAITING, job_id)
    with database.write() as connection:
        jobs.add(connection, job)
        note(connection, str(kind), job.id, "started", origin.by)
    return job


def begin_waiting(
    units: UnitsOfWork, settings: Settings, can_begin: Callable[[Job], bool]
) -> Job | None:
    """Begin the oldest job whose turn it is; return it.

    To be called every second or so, by every server.

    Args:
        units: over the database.
        settings: that the job goes by.
        can_begin: tells whether this server can, as it may lack the file.
    """
    database = units.database
    with database.read(brief=True) as connection:
        waiting = jobs.waiting(connection)
        busy = {job.kind for job in jobs.running(connection)} if waiting else set()
    for job in waiting:
        if job.kind in busy or not can_begin(job) or not _is_due(job):
            continue
        host, pid = this_process()
        begun = {"host": host, "pid": pid, "heartbeat_at": now(), "attempts": job.attempts + 1}
        try:
            with database.write() as connection:
                is_ours = jobs.take(connection, job, **begun)
        except JobRunningError:
            busy.add(job.kind)
            continue
        if is_ours:
            launch(database, settings, job)
            return job
    return None


def _is_due(job: Job) -> bool:
    """Return whether a job may be begun; one that got no further rests longer each time."""
    return now() - job.heartbeat_at >= timedelta(seconds=2**job.attempts - 1)
