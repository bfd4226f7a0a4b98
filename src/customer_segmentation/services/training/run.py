"""What a worker process does for a job; the job's row tells how far it is and how it went."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.errors import (
    SegmentationError,
    TrainingCancelledError,
    TrainingRefusedError,
)
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Job, JobState, Phase
from customer_segmentation.engines.engine import Engine
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.model.quality.gates import find_failures
from customer_segmentation.services.models.activation import AWAITING_APPROVAL, activate
from customer_segmentation.services.models.rescoring import Snapshot, rescore
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.external import ExternalTable, train_on_table
from customer_segmentation.services.training.start import parameters_of
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import erasures, jobs, models
from customer_segmentation.store.queries.customers import StoredCustomers

_PROGRESS_SECONDS = 0.25


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
        with database.read() as connection:
            job = jobs.get(connection, job_id)
            total = units.customers.count(connection)
        external = ExternalTable.of(job.request)
        if external is None:
            with database.write() as connection:
                epoch, read_at = models.begin_epoch(connection), now()
            snapshot = Snapshot(_read_customers(units, progress), epoch, read_at)
            serves = _train(units, engine(), settings, job, snapshot, progress)
        else:
            snapshot = None
            serves = _train_on(external, units, settings, job, progress)
        if not serves:
            end(database, job_id, JobState.HELD_BACK, phase=Phase.DONE)
            return
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
        found = _read_customers(units, progress)
        _, serving, _ = _read_serving(units)
        study = engine().study(
            found.values, settings.parameters, settings.gates, job.request["ks"], progress, serving
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
        held_back: in plain words, why it must not become active by itself.
        read_at: when the customers were read that it was trained on.
        ids: (n,), of those among them who are stored.
        serving: the version that its clusters were matched to.
    """

    model: Model
    held_back: tuple[str, ...]
    read_at: datetime
    ids: IntArray
    serving: int | None


def _train(
    units: UnitsOfWork,
    engine: Engine,
    settings: Settings,
    job: Job,
    snapshot: Snapshot,
    progress: "_Progress",
) -> bool:
    """Train a model on the stored customers; tell whether it serves now."""
    found = snapshot.customers
    version, serving, next_number = _read_serving(units)
    parameters = parameters_of(settings, job.request, units.schema, serving)
    model = engine.train(
        found.ids, found.values, parameters, serving, next_number=next_number, progress=progress
    )
    held_back = find_failures(model, serving, settings.gates)
    trained = _Trained(model, held_back, snapshot.read_at, found.ids, version)
    return _store(units, settings, job, trained)


def _train_on(
    external: ExternalTable,
    units: UnitsOfWork,
    settings: Settings,
    job: Job,
    progress: "_Progress",
) -> bool:
    """Train a model on a table that is not stored; tell whether it serves now."""
    read_at = now()
    version, serving, next_number = _read_serving(units)
    with units.database.read() as connection:
        erased = erasures.read_ids(connection)
    model = train_on_table(
        settings,
        units.schema,
        external,
        parameters_of(settings, job.request, units.schema, serving),
        serving,
        erased=erased,
        next_number=next_number,
        progress=progress,
        refused=lambda rows: note(units.database, job.id, result={"refused": rows}),
    )
    held_back = find_failures(model, serving, settings.gates)
    nobody = np.empty(0, dtype=np.int64)
    return _store(units, settings, job, _Trained(model, held_back, read_at, nobody, version))


def _read_serving(units: UnitsOfWork) -> tuple[int | None, Model | None, int]:
    """Return the active version, its model, and the number of the next new segment."""
    with units.database.read() as connection:
        version = models.active_version(connection)
        serving = None if version is None else load_model(connection, version, units.schema).model
        return version, serving, models.next_segment(connection)


def _read_customers(units: UnitsOfWork, progress: "_Progress") -> StoredCustomers:
    customers = units.customers
    with units.database.read() as connection:
        total = customers.count(connection)
    progress(Phase.READING, 0, total)
    with arrow_reader(units.database) as read:
        return customers.read_all(read, total, lambda done: progress(Phase.READING, done, total))


def _store(units: UnitsOfWork, settings: Settings, job: Job, trained: _Trained) -> bool:
    """Store a new version and let it serve, unless it is held back; tell whether it serves."""
    model, held_back = trained.model, trained.held_back
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
        version = models.add(connection, to_json(model), trained.read_at, job.origin, held_back)
        erasures.note_trained(connection, version, trained.ids)
        models.raise_next_segment(connection, model.next_number)
        # The lease is checked in the very transaction that activates: a worker that was taken
        # for dead, or cancelled, must not replace the active model.
        if not jobs.change(connection, job.id, phase=Phase.RESCORING, model_version=version):
            raise TrainingCancelledError("The training lost its lease")
        # The first model is active whatever the gates say, as there is no other.
        serves = not held_back or (previous is None and not settings.require_approval)
        if serves:
            cause = Cause.ADDED if previous is None else Cause.RETRAINED
            activation = Activation(version, previous, cause, now(), job.requested_by, job.reason)
            activate(connection, activation, load_model(connection, version, units.schema))
        models.delete_old(connection, settings.keep_versions)
    return serves


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
    except Exception as failure:
        told = f"an unexpected {type(failure).__name__}; the service's log has its trace"
        end(database, job_id, JobState.FAILED, error=told)
        raise
