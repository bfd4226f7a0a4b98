"""What a service does now and then for imports and exports: begin those that wait, clear away."""

from datetime import datetime, timedelta

from customer_segmentation.domain.jobs import Job, JobKind
from customer_segmentation.services.jobs.queue import begin_waiting
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.store.queries import imports, jobs

UNDOES = "undoes"
"""What a job that undoes an import says of which."""


def begin_waiting_transfers(units: UnitsOfWork, settings: Settings) -> None:
    """Begin the import and the export whose turn it is, if this server has what they need.

    To be called every second or so: that is also how one goes on that was cut off.
    """
    folder = TransferFolder.of(settings, units.database)

    def can_begin(job: Job) -> bool:
        needs_file = job.kind is JobKind.IMPORT and UNDOES not in job.request
        return not needs_file or folder.upload(job.id).exists()

    begin_waiting(units, settings, can_begin)


def remove_old_transfers(units: UnitsOfWork, settings: Settings, moment: datetime) -> None:
    """Remove what is kept of imports and exports for longer than the settings say."""
    folder = TransferFolder.of(settings, units.database)
    lives = {
        JobKind.IMPORT: timedelta(days=settings.keep_imports_days),
        JobKind.EXPORT: timedelta(hours=settings.keep_exports_hours),
    }
    if settings.keep_imports_days:
        with units.database.write() as connection:
            imports.remove_old(connection, moment - lives[JobKind.IMPORT])
    ids = folder.job_ids()
    with units.database.read() as connection:
        found = jobs.find(connection, ids)
    folder.sweep(
        at_work={job.id for job in found if not job.has_ended},
        kept={job.id: not _is_over(job, lives[job.kind], moment) for job in found if job.has_ended},
    )


def _is_over(job: Job, life: timedelta, moment: datetime) -> bool:
    """Return whether a job ended longer ago than what it made is kept; 0 is for ever."""
    if job.finished_at is None or not life:
        return False
    return moment - job.finished_at > life
