"""The use case of retraining without being asked: by schedule, after changes, or upon drift."""

import logging
from datetime import datetime

from cronsim import CronSim

from customer_segmentation.domain.errors import JobRunningError
from customer_segmentation.domain.jobs import Job, JobKind, Origin, Trigger
from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.monitoring.drift import Level
from customer_segmentation.services.monitoring.distribution import drift_of, read_current
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.start import begin_training
from customer_segmentation.store.queries import jobs, models

logger = logging.getLogger(__name__)

_NOBODY = "the service"


def begin_due_training(units: UnitsOfWork, settings: Settings, moment: datetime) -> Job | None:
    """Start a training if a trigger asks for one at this moment.

    Raises:
        NotReadyError: there is no model yet.
    """
    origin = find_due(units, settings, moment)
    if origin is None:
        return None
    try:
        job = begin_training(units, settings, origin)
    except JobRunningError:
        return None
    logger.info("Retraining: %s", origin.reason)
    return job


def find_due(units: UnitsOfWork, settings: Settings, moment: datetime) -> Origin | None:
    """Return why a training is due at this moment, None where it is not."""
    if not (
        settings.retrain_schedule or settings.retrain_after_changes or settings.retrain_on_drift
    ):
        return None
    with units.database.read() as connection:
        activations = models.activations_of(connection)
        if not activations:
            return None
        activated_at = activations[0].activated_at
        trained_at = jobs.last_started(connection, JobKind.TRAINING)
        trainings = jobs.count_started(connection, JobKind.TRAINING, activated_at)
    if settings.retrain_schedule:
        # A moment that passed while no server ran is made up for, once.
        last = max(filter(None, (trained_at, activated_at)))
        next_at = next(CronSim(settings.retrain_schedule, last))
        if next_at <= moment:
            return Origin(
                Trigger.SCHEDULE, _NOBODY, f"schedule {settings.retrain_schedule}, due {next_at}"
            )
    return _find_due_by_data(units, settings, trainings)


def _find_due_by_data(units: UnitsOfWork, settings: Settings, trainings: int) -> Origin | None:
    """Look at changes and drift; some trainings since the activation may have been held back.

    After one of them the same customers would be held back again: it takes as many changes again,
    and drift does not count a second time.
    """
    current = read_current(units)
    enough = settings.retrain_after_changes * (trainings + 1)
    if enough and current.changed >= enough:
        return Origin(
            Trigger.CHANGES,
            _NOBODY,
            f"{counted(current.changed, 'customer')} changed since version "
            f"{current.serving.version} was activated",
        )
    if settings.retrain_on_drift and trainings == 0:
        drift = drift_of(current)
        if drift.level != Level.UNKNOWN and drift.psi >= settings.retrain_on_drift:
            return Origin(
                Trigger.DRIFT, _NOBODY, f"the population stability index reached {drift.psi:.2f}"
            )
    return None
