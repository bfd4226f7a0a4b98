"""What a worker process does for an export; the job's row tells how far it is and how it went."""

from pathlib import Path

from customer_segmentation.domain.jobs import JobState, Phase
from customer_segmentation.files.write.tables import open_writer
from customer_segmentation.services.runtime.audit import acting_as
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.audience_changes import write_changes
from customer_segmentation.services.transfer.exporting import (
    Export,
    count_left_out,
    export_customers,
)
from customer_segmentation.services.transfer.exports import ExportRequest
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.services.transfer.records import Progress, end_noted, finish
from customer_segmentation.store.queries import jobs


def run_export(units: UnitsOfWork, settings: Settings, job_id: str) -> None:
    """Write an export's file, which is there whole or not at all.

    Raises:
        StoreUnavailableError: the database is away; the export begins anew later.
        SegmentationError: the customers cannot be exported; the job says why.
    """
    database = units.database
    folder = TransferFolder.of(settings, database)
    with database.read() as connection:
        job = jobs.get(connection, job_id)
        total = units.customers.count(connection)
    target = folder.export(job_id)
    with end_noted(database, job_id), acting_as(job.requested_by):
        asked = ExportRequest.of(job.request)
        wanted = asked.export(settings, units.schema)
        progress = Progress(database, job_id, Phase.EXPORTING, total)
        left_out = count_left_out(units, wanted.selection)
        folder.make()
        if wanted.is_of_changes:
            _write_changes(units, wanted, asked, job_id, target)
            return
        rows = 0
        with open_writer(target, wanted.columns(units.schema), asked.format) as writer:
            for batch in export_customers(units, wanted):
                writer.write(batch)
                rows += batch.num_rows
                progress(rows)
        told = {"customers": rows, "left_out": left_out, "bytes": target.stat().st_size}
        with database.write() as connection:
            finish(connection, job_id, JobState.SUCCEEDED, phase=Phase.DONE, result=told)


def _write_changes(
    units: UnitsOfWork, wanted: Export, asked: ExportRequest, job_id: str, target: Path
) -> None:
    """Write an audience's changes; that they are exported is noted with the end of the job."""
    with units.write() as work:
        with open_writer(target, wanted.columns(units.schema), asked.format) as writer:
            rows = write_changes(work, wanted, writer.write)
        told = {"customers": rows, "bytes": target.stat().st_size}
        finish(work.connection, job_id, JobState.SUCCEEDED, phase=Phase.DONE, result=told)
