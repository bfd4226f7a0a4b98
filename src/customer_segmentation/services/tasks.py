"""What a worker process does for a job; the job's row tells how far it is and how it went."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from customer_segmentation.domain.errors import (
    SegmentationError,
    TrainingCancelledError,
    TrainingRefusedError,
)
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Job, JobState, Phase
from customer_segmentation.engines.engine import Engine
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.model.gates import find_failures
from customer_segmentation.services.activation import activate
from customer_segmentation.services.clock import now
from customer_segmentation.services.rescoring import Snapshot, rescore
from customer_segmentation.services.serving import load_model
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.training import parameters_of
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import customers, erasures, jobs, models
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.customers import StoredCustomers
from customer_segmentation.store.database import Database

_PROGRESS_SECONDS = 0.25

AWAITING_APPROVAL = (
    "The model passes every gate and waits for approval: someone other than who asked for the "
    "training must activate it"
)


def run_training(
    units: UnitsOfWork, engine: Callable[[], Engine], settings: Settings, job_id: str
) -> None:
    """Do a training job: train, activate, re-score.

    Args:
        units: over the database.
        engine: returns the one to train with, which may take a while to be there.
        settings: that the training goes by.
        job_id: of the job.

    Raises:
        SegmentationError: the training made no model; the job says why.
    """
    database = units.database
    progress = _Progress(database, job_id)
    with _failures_noted(database, job_id):
        with database.write() as connection:
            epoch, read_at = models.begin_epoch(connection), now()
        snapshot = Snapshot(_read_customers(database, progress), epoch, read_at)
        if not _train(units, engine(), settings, job_id, snapshot, progress):
            end(database, job_id, JobState.HELD_BACK, phase=Phase.DONE)
            return
        total = len(snapshot.customers.ids)
        rescore(units, lambda done: progress(Phase.RESCORING, done, total), snapshot)
    end(database, job_id, JobState.SUCCEEDED, phase=Phase.DONE)


def run_study(
    units: UnitsOfWork, engine: Callable[[], Engine], settings: Settings, job_id: str
) -> None:
    """Do a study; its job keeps the result. Arguments as for `run_training`.

    Raises:
        SegmentationError: there is no result; the job says why.
    """
    database = units.database
    progress = _Progress(database, job_id)
    with _failures_noted(database, job_id):
        with database.read() as connection:
            job = jobs.get(connection, job_id)
        found = _read_customers(database, progress)
        study = engine().study(
            found.values, settings.parameters, settings.gates, job.request["ks"], progress
        )
    end(database, job_id, JobState.SUCCEEDED, phase=Phase.DONE, result=asdict(study))


def note(database: Database, job_id: str, **values: object) -> bool:
    """Write to a running job's row that it lives, and more; return False where it does not run."""
    with database.write() as connection:
        return jobs.change(connection, job_id, heartbeat_at=now(), **values)


def end(database: Database, job_id: str, state: JobState, **values: object) -> None:
    """Write how a job ended."""
    note(database, job_id, state=state, finished_at=now(), **values)


@dataclass(frozen=True, eq=False, slots=True)
class _Trained:
    """A new model and what it comes from.

    Attributes:
        model: the model.
        held_back: in plain words, why it must not serve by itself.
        snapshot: the customers that it was trained on.
        serving: the version that its clusters were matched to.
    """

    model: Model
    held_back: tuple[str, ...]
    snapshot: Snapshot
    serving: int | None


def _train(
    units: UnitsOfWork,
    engine: Engine,
    settings: Settings,
    job_id: str,
    snapshot: Snapshot,
    progress: "_Progress",
) -> bool:
    """Train a model on customers; tell whether it serves now."""
    found = snapshot.customers
    with units.database.read() as connection:
        job = jobs.get(connection, job_id)
        version = models.active_version(connection)
        serving = None if version is None else load_model(connection, version).model
        next_number = models.next_segment(connection)
    parameters = parameters_of(settings, job.request)
    model = engine.train(
        found.ids, found.values, parameters, serving, next_number=next_number, progress=progress
    )
    held_back = find_failures(model, serving, settings.gates)
    return _store(units, settings, job, _Trained(model, held_back, snapshot, version))


def _read_customers(database: Database, progress: "_Progress") -> StoredCustomers:
    with database.read() as connection:
        total = customers.count(connection)
    progress(Phase.READING, 0, total)
    with arrow_reader(database) as read:
        return customers.read_all(read, total, lambda done: progress(Phase.READING, done, total))


def _store(units: UnitsOfWork, settings: Settings, job: Job, trained: _Trained) -> bool:
    """Store a new version and let it serve, unless it is held back; tell whether it serves."""
    model, held_back, snapshot = trained.model, trained.held_back, trained.snapshot
    with units.database.write() as connection:
        previous = models.lock(connection)
        if previous != trained.serving:
            # Whoever activated it, such as to undo a training, meant it to serve.
            held_back += (
                f"Version {previous} was activated meanwhile, and the model was matched to "
                f"version {trained.serving}: train again",
            )
        if settings.require_approval and not held_back:
            held_back = (AWAITING_APPROVAL,)
        version = models.add(connection, to_json(model), snapshot.read_at, job.origin, held_back)
        erasures.note_trained(connection, version, snapshot.customers.ids)
        models.raise_next_segment(connection, model.next_number)
        # The lease is checked in the very transaction that activates: a worker that was taken
        # for dead, or cancelled, must not replace the model that serves.
        if not jobs.change(connection, job.id, phase=Phase.RESCORING, model_version=version):
            raise TrainingCancelledError("The training lost its lease")
        if not held_back:
            activation = Activation(
                version, previous, Cause.RETRAINED, now(), job.requested_by, job.reason
            )
            activate(connection, activation, load_model(connection, version))
        models.delete_old(connection, settings.keep_versions)
    return not held_back


class _Progress:
    """Writes to a job's row how far it is, a few times a second."""

    def __init__(self, database: Database, job_id: str) -> None:
        self._database = database
        self._job_id = job_id
        self._phase: Phase | None = None
        self._told = 0.0

    def __call__(self, phase: Phase, done: int, total: int) -> None:
        moment = time.monotonic()
        if phase is self._phase and moment - self._told < _PROGRESS_SECONDS:
            return
        self._phase, self._told = phase, moment
        if not note(self._database, self._job_id, phase=phase, done=done, total=total):
            raise TrainingCancelledError("The job was cancelled")


@contextlib.contextmanager
def _failures_noted(database: Database, job_id: str) -> Iterator[None]:
    """Write to a job's row why it failed."""
    try:
        yield
    except TrainingRefusedError as refusal:
        end(database, job_id, JobState.REFUSED, error=str(refusal))
        raise
    except SegmentationError as failure:
        end(database, job_id, JobState.FAILED, error=str(failure))
        raise
