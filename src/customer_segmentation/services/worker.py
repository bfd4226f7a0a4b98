"""The process that trains, so that requests never wait for it.

Run as `python -m customer_segmentation.services.worker TASK [JOB]` with the settings as JSON on
standard input. Only this process imports scikit-learn; one that serves never does.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

from sqlalchemy import Connection

from customer_segmentation.domain.errors import (
    SegmentationError,
    StoreUnavailableError,
    TrainingFailedError,
    TrainingRefusedError,
)
from customer_segmentation.domain.history import Cause
from customer_segmentation.engines.engine import Engine
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.model.gates import find_failures
from customer_segmentation.services.clock import now
from customer_segmentation.services.loading import load_first_data
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.rescoring import rescore
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.training import HEARTBEAT_SECONDS
from customer_segmentation.services.unit_of_work import UnitsOfWork, load_model
from customer_segmentation.store import customers, jobs, models
from customer_segmentation.store.database import Database
from customer_segmentation.store.jobs import JobState, Phase

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run a task; return the process's exit status, 0 where it was done."""
    configure_logs()
    settings = Settings.model_validate_json(sys.stdin.read())
    database = Database(settings.database_url)
    units = UnitsOfWork(database)
    engine = LocalEngine()
    try:
        match arguments:
            case ["load"]:
                load_first_data(database, engine, settings)
            case ["train", job_id]:
                with _heartbeat(database, job_id):
                    run_training(units, engine, settings, job_id)
            case ["rescore"]:
                rescore(units)
            case _:
                raise SystemExit("usage: worker load | train JOB | rescore")
    except SegmentationError as error:
        logger.error("%s", error)
        return 1
    finally:
        database.close()
    return 0


def run_training(units: UnitsOfWork, engine: Engine, settings: Settings, job_id: str) -> None:
    """Do a training job: train, activate, re-score; the job's row tells how it went.

    Raises:
        SegmentationError: the training made no model; the job says why.
    """
    database = units.database
    try:
        version = _train(database, engine, settings, job_id)
        if version is None:
            return
        rescore(units, lambda done: _note(database, job_id, phase=Phase.RESCORING, done=done))
    except TrainingRefusedError as refusal:
        _end(database, job_id, JobState.REFUSED, error=str(refusal))
        raise
    except SegmentationError as failure:
        _end(database, job_id, JobState.FAILED, error=str(failure))
        raise
    _end(database, job_id, JobState.SUCCEEDED, phase=Phase.DONE)


def _train(database: Database, engine: Engine, settings: Settings, job_id: str) -> int | None:
    """Train and activate a model; return its version, or None where it is held back."""
    _note(database, job_id, phase=Phase.READING)
    with database.read() as connection:
        ids, values = customers.read_all(connection)
        serving = _serving_model(connection)
    _note(database, job_id, phase=Phase.FITTING, total=len(ids))
    model = engine.train(ids, values, settings.parameters, serving)
    held_back = find_failures(model, serving, settings.gates)
    with database.write() as connection:
        version = models.add(connection, to_json(model), now(), held_back)
        # The lease is checked in the very transaction that activates: a worker that was taken
        # for dead must not replace the model of the one that came after it.
        if not jobs.change(connection, job_id, phase=Phase.RESCORING, model_version=version):
            raise TrainingFailedError("The training lost its lease to another one")
        if not held_back:
            models.activate(connection, version, Cause.RETRAINED)
    if held_back:
        _end(database, job_id, JobState.HELD_BACK, phase=Phase.DONE)
        return None
    return version


def _serving_model(connection: Connection) -> Model | None:
    """Return the model whose segments the new one continues."""
    version = models.active_version(connection)
    return None if version is None else load_model(connection, version).model


def _note(database: Database, job_id: str, **values: object) -> None:
    with database.write() as connection:
        jobs.change(connection, job_id, heartbeat_at=now(), **values)


def _end(database: Database, job_id: str, state: JobState, **values: object) -> None:
    _note(database, job_id, state=state, finished_at=now(), **values)


@contextlib.contextmanager
def _heartbeat(database: Database, job_id: str) -> Iterator[None]:
    """Show in the job's row that this process lives, and end it when its parent is gone."""
    parent = os.getppid()
    stopped = threading.Event()
    _note(database, job_id, pid=os.getpid())

    def beat() -> None:
        while not stopped.wait(HEARTBEAT_SECONDS):
            if os.getppid() != parent:
                os._exit(1)
            # A database that is away for a moment costs a beat; away for long, it costs the lease.
            with contextlib.suppress(StoreUnavailableError):
                _note(database, job_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
