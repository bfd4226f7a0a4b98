"""The use case of retraining: a job in a process of its own, one at a time."""

import os
import socket
import subprocess
import sys
import uuid
from datetime import timedelta

from sqlalchemy import Connection

from customer_segmentation.domain.errors import (
    ModelHeldBackError,
    TrainingFailedError,
    TrainingRefusedError,
)
from customer_segmentation.services.clock import now
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import jobs, models
from customer_segmentation.store.database import Database
from customer_segmentation.store.jobs import Job, JobState, Phase

HEARTBEAT_SECONDS = 2.0
"""How often a working job shows that it lives."""

LEASE = timedelta(seconds=20)
"""A job that has not shown it lives for this long has lost its lease."""


def retrain(units: UnitsOfWork, settings: Settings) -> int:
    """Train a model on the customers as they are now; return once it serves.

    Returns:
        the new version.

    Raises:
        TrainingRunningError: a training runs already.
        TrainingRefusedError: the customers cannot be trained on.
        ModelHeldBackError: the new model does not pass the gates, and stays a candidate.
        TrainingFailedError: the training's process ended without a model.
    """
    job_id = start_job(units.database)
    run_worker(settings, "train", job_id)
    with units.database.write() as connection:
        _interrupt(connection, job_id)
        job = jobs.get(connection, job_id)
        made = None if job.model_version is None else models.find(connection, job.model_version)
    if job.state is JobState.HELD_BACK and made is not None:
        raise ModelHeldBackError(made.version, made.held_back)
    if job.state is JobState.REFUSED:
        raise TrainingRefusedError(job.error)
    if job.state is not JobState.SUCCEEDED or job.model_version is None:
        raise TrainingFailedError(
            f"The training ended without a new model ({job.error}); the active model stays"
        )
    units.refresh()
    return job.model_version


def start_job(database: Database) -> str:
    """Take the lease for a new job, whose id is returned.

    Raises:
        TrainingRunningError: another job holds the lease.
    """
    close_dead_job(database)
    moment = now()
    job = Job(
        id=uuid.uuid4().hex,
        state=JobState.RUNNING,
        phase=Phase.STARTING,
        done=0,
        total=0,
        created_at=moment,
        heartbeat_at=moment,
        finished_at=None,
        host=socket.gethostname(),
        pid=os.getpid(),
        model_version=None,
        error=None,
    )
    with database.write() as connection:
        jobs.add(connection, job)
    return job.id


def close_dead_job(database: Database) -> None:
    """Mark a running job whose process is gone as interrupted, which frees the lease."""
    with database.read() as connection:
        job = jobs.running(connection)
    if job is not None and _is_dead(job):
        with database.write() as connection:
            _interrupt(connection, job.id)


def finish_rescoring(database: Database, settings: Settings) -> None:
    """Complete, in the background, a re-scoring that a crash cut off."""
    with database.read() as connection:
        settled = models.is_rescored(connection) or jobs.running(connection) is not None
    if not settled:
        start_worker(settings, "rescore")


def run_worker(settings: Settings, task: str, *arguments: str) -> int:
    """Run a task of `services/worker.py` in a process of its own; return its exit status."""
    with start_worker(settings, task, *arguments) as process:
        return process.wait()


def start_worker(settings: Settings, task: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a task of `services/worker.py` in a process of its own.

    The settings go through a pipe: arguments and environments can be seen by other processes,
    and a database URL may hold a password.
    """
    command = [sys.executable, "-m", "customer_segmentation.services.worker", task, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdin is not None  # noqa: S101
    process.stdin.write(settings.model_dump_json())
    process.stdin.close()
    return process


def _interrupt(connection: Connection, job_id: str) -> None:
    """Mark a job as cut off, if it still counts as running."""
    jobs.change(
        connection,
        job_id,
        state=JobState.INTERRUPTED,
        finished_at=now(),
        error="its process ended before it was done",
    )


def _is_dead(job: Job) -> bool:
    if now() - job.heartbeat_at > LEASE:
        return True
    if job.host != socket.gethostname():
        return False
    try:
        os.kill(job.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
