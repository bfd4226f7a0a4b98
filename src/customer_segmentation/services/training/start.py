"""The use cases of training: on the current customers, waited for or in the background."""

from dataclasses import dataclass, replace
from typing import Any

from customer_segmentation.domain.errors import (
    ModelHeldBackError,
    TrainingCancelledError,
    TrainingFailedError,
    TrainingRefusedError,
)
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import DEFAULT_SEGMENTS
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.services.jobs.lifecycle import begin_job, get_job, run_job
from customer_segmentation.services.runtime.current_schema import check_attributes
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.external import ExternalTable
from customer_segmentation.store.queries import models


@dataclass(frozen=True, slots=True)
class Overrides:
    """How one training differs from the settings; None is as the settings say.

    Attributes:
        k: the number of segments.
        seed: of every random choice.
        restarts: how many random starts K-means tries.
        excluded: names of attributes that the model must not use.
        weights: replaces the schema's weights, by attribute name.
        external: the table to train on in place of the stored customers.
    """

    k: int | None = None
    seed: int | None = None
    restarts: int | None = None
    excluded: tuple[str, ...] | None = None
    weights: dict[str, float] | None = None
    external: ExternalTable | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What a job keeps of it."""
        given = {name: getattr(self, name) for name in self.__slots__ if name != "external"}
        table = {} if self.external is None else self.external.request
        return {name: value for name, value in given.items() if value is not None} | table


def parameters_of(
    settings: Settings, request: dict[str, Any], schema: Schema, serving: Model | None
) -> Parameters:
    """Return how a job's training is to be done.

    Args:
        settings: say what the request does not.
        request: of the job.
        schema: says how many segments there are to be, where neither does; where it leaves that
            open, there are as many as the active model has.
        serving: the active model, if any.
    """
    changed = {name: value for name, value in request.items() if name != "external"}
    if "excluded" in changed:
        changed["excluded"] = tuple(changed["excluded"])
    if settings.segments is None:
        active = DEFAULT_SEGMENTS if serving is None else len(serving.segments)
        changed.setdefault("k", schema.segments or active)
    return replace(settings.parameters, **changed)


def _check(schema: Schema, settings: Settings, overrides: Overrides) -> None:
    check_attributes(schema, parameters_of(settings, overrides.request, schema, None))


def begin_training(
    units: UnitsOfWork, settings: Settings, origin: Origin, overrides: Overrides = Overrides()
) -> Job:
    """Start a training and return while it works.

    Raises:
        InvalidInputError: it names attributes that there are not.
        JobRunningError: a training runs already.
    """
    _check(units.schema, settings, overrides)
    if overrides.external is not None:
        told = f"{origin.reason} " if origin.reason else ""
        origin = replace(origin, reason=f"{told}(trained on {overrides.external.name})")
    return begin_job(units, settings, JobKind.TRAINING, origin, overrides.request)


def refused_rows(units: UnitsOfWork, job_id: str) -> dict[str, int]:
    """Return how many rows of its external table a training did not take, by the reason.

    Raises:
        JobNotFoundError: there is no such job.
    """
    return dict((get_job(units, job_id).result or {}).get("refused", {}))


def retrain(
    units: UnitsOfWork, settings: Settings, origin: Origin, overrides: Overrides = Overrides()
) -> int:
    """Train a model on the current customers; return its version once it serves.

    Raises:
        InvalidInputError: it names attributes that there are not.
        JobRunningError: a training runs already.
        TrainingRefusedError: the customers cannot be trained on.
        ModelHeldBackError: the new model does not pass the gates, and stays a candidate.
        TrainingCancelledError: someone cancelled it.
        TrainingFailedError: the training's process ended without a model.
    """
    _check(units.schema, settings, overrides)
    job = run_job(units, settings, JobKind.TRAINING, origin, overrides.request)
    version = job.model_version
    if job.state is JobState.SUCCEEDED and version is not None:
        units.refresh()
        return version
    if job.state is JobState.HELD_BACK and version is not None:
        with units.database.read() as connection:
            made = models.find(connection, version)
        raise ModelHeldBackError(version, () if made is None else made.held_back)
    if job.state is JobState.REFUSED:
        raise TrainingRefusedError(job.error)
    if job.state is JobState.CANCELLED:
        raise TrainingCancelledError(f"The training was {job.error}; the active model stays")
    raise TrainingFailedError(
        f"The training ended without a new model ({job.error}); the active model stays"
    )
