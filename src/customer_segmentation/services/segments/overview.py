"""The use case of telling how the service is, in a few figures."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from customer_segmentation.model.monitoring.drift import Level
from customer_segmentation.services.jobs.lifecycle import list_jobs
from customer_segmentation.services.models.registry import get_version
from customer_segmentation.services.monitoring.distribution import drift_of, read_current
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import distributions


@dataclass(frozen=True, slots=True)
class Overview:
    """How the service is.

    Attributes:
        model_version: the active version.
        model_age: since it was trained.
        sizes: customers by segment number.
        outliers: customers far from every centroid.
        drift_psi: the largest population stability index; None where drift is unknown.
        changed: customers added, changed or deleted since the activation.
        is_complete: whether every customer is counted; not while they are re-scored.
        wrong: how many customers the last check found counted wrongly; None before the first.
        jobs: how many of the newest hundred jobs are of a kind and in a state.
    """

    model_version: int
    model_age: timedelta
    sizes: dict[int, int]
    outliers: int
    drift_psi: float | None
    changed: int
    is_complete: bool
    wrong: int | None
    jobs: dict[tuple[str, str], int]


def get_overview(units: UnitsOfWork) -> Overview:
    """Return how the service is.

    Raises:
        NotReadyError: there is no model yet.
    """
    current = read_current(units)
    drift = drift_of(current)
    with units.database.read() as connection:
        check = distributions.last_check(connection)
    model, version = current.serving.model, current.serving.version
    sizes = dict(zip(model.numbers.tolist(), current.distribution.sizes.tolist(), strict=True))
    return Overview(
        model_version=version,
        model_age=now() - get_version(units, version).created_at,
        sizes=sizes,
        outliers=int(current.distribution.outliers.sum()),
        drift_psi=None if drift.level == Level.UNKNOWN else drift.psi,
        changed=current.changed,
        is_complete=current.is_complete,
        wrong=None if check.finished_at is None else check.wrong,
        jobs=dict(Counter((str(job.kind), str(job.state)) for job in list_jobs(units))),
    )
