"""The use cases on jobs: start one in a process of its own, follow it, cancel it."""

import contextlib
import logging
import os
import socket
import subprocess
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from customer_segmentation.domain.errors import JobEndedError, StoreUnavailableError
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin, Phase
from customer_segmentation.services.jobs.pool import end_ready, keep_ready, start_worker
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import jobs

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
"""How often a working job shows that it lives, and notices that it is cancelled."""

LEASE = timedelta(seconds=20)
"""A job that has not shown it lives for this long has lost its lease."""

_LISTED = 100
_STOP_SECONDS = 5.0
_TASKS = {
    JobKind.TRAINING: "train",
    JobKind.STUDY: "study",
    JobKind.IMPORT: "import",
    JobKind.EXPORT: "export",
}
RESUMED = frozenset({JobKind.IMPORT, JobKind.EXPORT})
"""Kinds of jobs that go on where their process ends, and that wait for one another."""

MAX_ATTEMPTS = 5
"""How often in a row such a job is begun without getting any further."""

_processes: dict[str, subprocess.Popen[str]] = {}
"""The jobs at work that this process started, by id."""


def begin_job(
    units: UnitsOfWork,
    settings: Settings,
    kind: JobKind,
    origin: Origin,
    request: dict[str, Any] | None = None,
) -> Job:
    """Start a job in a process of its own, and return while it works.

    Raises:
        JobRunningError: one of this kind runs already.
    """
    return _begin(units, settings, kind, origin, request)[0]


def run_job(
    units: UnitsOfWork,
    settings: Settings,
    kind: JobKind,
    origin: Origin,
    request: dict[str, Any] | None = None,
) -> Job:
    """Start a job in a process of its own, and return how it ended; errors as `begin_job`."""
    job, watch = _begin(units, settings, kind, origin, request)
    watch.join()
    return get_job(units, job.id)


def get_job(units: UnitsOfWork, job_id: str) -> Job:
    """Return a job.

    Raises:
        JobNotFoundError: there is no such job.
    """
    with units.database.read() as connection:
        return jobs.get(connection, job_id)


def list_jobs(units: UnitsOfWork) -> list[Job]:
    """Return the newest hundred jobs, the newest first."""
    with units.database.read() as connection:
        return jobs.read_newest(connection, _LISTED)


def cancel_job(units: UnitsOfWork, job_id: str, by: str) -> Job:
    """Cancel a job: its model will never serve, and its process ends within a second.

    Raises:
        JobNotFoundError: there is no such job.
        JobEndedError: it has ended, or its model is active already.
    """
    with units.database.write() as connection:
        job = jobs.get(connection, job_id)
        cancelled = jobs.cancel(
            connection, job_id, finished_at=now(), error=f"cancelled by {by or 'someone'}"
        )
        if not cancelled and job.state is JobState.RUNNING:
            raise JobEndedError(
                "The new model is active already; its customers are being re-scored. To undo it, "
                "activate the version before"
            )
        if not cancelled:
            raise JobEndedError(f"The job has ended: {job.state}")
        note(connection, str(job.kind), job_id, "cancelled", by)
        return jobs.get(connection, job_id)


def start_job(
    database: Database, kind: JobKind, origin: Origin, request: dict[str, Any] | None = None
) -> Job:
    """Take the lease for a new job.

    Raises:
        JobRunningError: another job of this kind holds the lease.
    """
    close_dead_jobs(database)
    job = new_job(kind, origin, request, JobState.RUNNING)
    with database.write() as connection:
        jobs.add(connection, job)
        note(connection, str(kind), job.id, "started", origin.by)
    return job


def new_job(
    kind: JobKind,
    origin: Origin,
    request: dict[str, Any] | None,
    state: JobState,
    job_id: str = "",
) -> Job:
    """Return a job that this process holds, to be added."""
    moment = now()
    host, pid = this_process()
    return Job(
        id=job_id or uuid.uuid4().hex,
        kind=kind,
        state=state,
        phase=Phase.STARTING,
        done=0,
        total=0,
        created_at=moment,
        heartbeat_at=moment,
        finished_at=None,
        host=host,
        pid=pid,
        trigger=origin.trigger,
        requested_by=origin.by,
        reason=origin.reason,
        request=request or {},
        model_version=None,
        error=None,
        result=None,
    )


def this_process() -> tuple[str, int]:
    """Return what tells this process from every other: where it runs, and its id there."""
    return _process_space(), os.getpid()


def close_dead_jobs(database: Database) -> None:
    """Mark running jobs whose process is gone as interrupted, which frees their lease."""
    dead = find_dead_jobs(database)
    if dead:
        with database.write() as connection:
            for job_id in dead:
                interrupt(connection, job_id)


def get_ready() -> None:
    """Have a process ready for the next job, while jobs come often and none is at work."""
    if not _processes:
        keep_ready()


def stop_jobs(database: Database) -> None:
    """Cut off the jobs that this process started, and hand their leases back."""
    end_ready()
    with database.write() as connection:
        for job_id in list(_processes):
            interrupt(connection, job_id)
    for process in list(_processes.values()):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)


def find_dead_jobs(database: Database) -> list[str]:
    """Return the ids of running jobs whose process is gone."""
    with database.read() as connection:
        return [job.id for job in jobs.running(connection) if _is_dead(job)]


def interrupt(connection: Connection, job_id: str) -> None:
    """Mark a job as cut off, if it still counts as running; one that can go on waits for that."""
    job = jobs.get(connection, job_id)
    state, error = JobState.INTERRUPTED, "its process ended before it was done"
    if job.kind in RESUMED and job.attempts < MAX_ATTEMPTS:
        jobs.change(connection, job_id, state=JobState.WAITING, heartbeat_at=now())
        return
    if job.kind in RESUMED:
        state = JobState.FAILED
        error = f"its process ended {MAX_ATTEMPTS} times; the service's log may tell why"
    jobs.change(connection, job_id, state=state, finished_at=now(), error=error)


def _begin(
    units: UnitsOfWork,
    settings: Settings,
    kind: JobKind,
    origin: Origin,
    request: dict[str, Any] | None,
) -> tuple[Job, threading.Thread]:
    """Start a job; return it, and a thread that ends when it is over."""
    job = start_job(units.database, kind, origin, request)
    return job, launch(units.database, settings, job)


def launch(database: Database, settings: Settings, job: Job) -> threading.Thread:
    """Start the process of a job that has the lease; return a thread that ends when it is over."""
    process = start_worker(settings, _TASKS[job.kind], job.id, background=True)
    _processes[job.id] = process
    watch = threading.Thread(
        target=_watch,
        args=(database.url, process, job.id),
        name=f"job {job.id}",
        daemon=True,
    )
    watch.start()
    return watch


def _watch(url: str, process: subprocess.Popen[str], job_id: str) -> None:
    """Wait for a job's process; a job that it left running was cut off."""
    process.wait()
    del _processes[job_id]
    try:
        # Whoever started the job may have closed its connections meanwhile.
        with contextlib.closing(Database(url)) as database, database.write() as connection:
            interrupt(connection, job_id)
    except StoreUnavailableError as error:
        # Once the database answers, the job is found among those whose process is gone.
        logger.warning("Cannot tell yet whether job %s was cut off: %s", job_id, error)


def _is_dead(job: Job) -> bool:
    if now() - job.heartbeat_at > LEASE:
        return True
    return job.host == _process_space() and not _lives(job.pid)


def _process_space() -> str:
    """Return what tells where a process id is one process's: a machine, or a container on it.

    Containers may share a host name, and machines too; a kernel's boot and its process id
    namespaces have ids of their own.
    """
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # A system without /proc.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        parts += [boot, str(Path("/proc/self/ns/pid").readlink())]
    return " ".join(parts)


def _lives(pid: int) -> bool:
    """Return whether a process of this machine works; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except OSError:
        # Another user's, or a system without /proc.
        return True
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
