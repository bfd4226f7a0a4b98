"""The use cases of studying which number of segments and which preparation suit the customers."""

from collections.abc import Collection

from customer_segmentation.domain.errors import JobNotFoundError
from customer_segmentation.domain.jobs import Job, JobKind, Origin
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.services.jobs.lifecycle import begin_job, get_job
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork


def begin_study(
    units: UnitsOfWork,
    settings: Settings,
    origin: Origin,
    ks: Collection[int] = range(MIN_SEGMENTS, MAX_SEGMENTS + 1),
) -> Job:
    """Start a study over numbers of segments, `ks`, and return while it works.

    Raises:
        JobRunningError: a study runs already.
    """
    return begin_job(units, settings, JobKind.STUDY, origin, {"ks": sorted(set(ks))})


def get_study(units: UnitsOfWork, job_id: str) -> Job:
    """Return a study; its `result` is there once it has succeeded.

    Raises:
        JobNotFoundError: there is no such study.
    """
    job = get_job(units, job_id)
    if job.kind is not JobKind.STUDY:
        raise JobNotFoundError(job_id)
    return job
