"""The use case of telling how the service is, in a few figures."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from customer_segmentation.model.drift import measure_drift
from customer_segmentation.services.clock import now
from customer_segmentation.services.distribution import read_current
from customer_segmentation.services.jobs import list_jobs
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.services.versions import get_version


@dataclass(frozen=True, slots=True)
class Overview:
    """How the service is.

    Attributes:
        model_version: the version that serves.
        model_age: since it was trained.
        sizes: customers by segment number.
        outliers: customers far from every centroid.
        drift_psi: the largest population stability index.
        changed: customers added, changed or deleted since the activation.
        jobs: how many of the newest hundred jobs are of a kind and in a state.
    """

    model_version: int
    model_age: timedelta
    sizes: dict[int, int]
    outliers: int
    drift_psi: float
    changed: int
    jobs: dict[tuple[str, str], int]


def get_overview(units: UnitsOfWork) -> Overview:
    """Return how the service is.

    Raises:
        NotReadyError: there is no model yet.
    """
    current = read_current(units)
    model, version = current.serving.model, current.serving.version
    sizes = dict(zip(model.numbers.tolist(), current.distribution.sizes.tolist(), strict=True))
    return Overview(
        model_version=version,
        model_age=now() - get_version(units, version).created_at,
        sizes=sizes,
        outliers=int(current.distribution.outliers.sum()),
        drift_psi=measure_drift(model, current.distribution).psi,
        changed=current.changed,
        jobs=dict(Counter((str(job.kind), str(job.state)) for job in list_jobs(units))),
    )
