"""What a worker process does for an import; the job's row tells how far it is and how it went."""

from contextlib import ExitStack
from dataclasses import asdict

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Job, JobState, Phase
from customer_segmentation.files.check.rejects import RejectsFile
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import Source, open_table
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.files.write.atomic import whole_file
from customer_segmentation.services.runtime.audit import acting_as
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.first_import import Beginning, begin_bank
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.services.transfer.importing import (
    CHUNK,
    Import,
    import_customers,
    read_everyone,
)
from customer_segmentation.services.transfer.imports import ImportRequest
from customer_segmentation.services.transfer.records import (
    ImportRecord,
    Progress,
    end_noted,
    finish,
    hold,
)
from customer_segmentation.services.transfer.undo import undo_import
from customer_segmentation.services.transfer.upkeep import UNDOES
from customer_segmentation.store.queries import imports, jobs
from customer_segmentation.store.queries.imports import Replaced, digests_of


def run_import(units: UnitsOfWork, settings: Settings, job_id: str) -> None:
    """Do an import, or go on with one that was cut off.

    Raises:
        StoreUnavailableError: the database is away; the import goes on later.
        SegmentationError: the file cannot be imported; the job says why.
    """
    database = units.database
    folder = TransferFolder.of(settings, database)
    with database.read() as connection:
        job = jobs.get(connection, job_id)
    with end_noted(database, job_id), acting_as(job.requested_by):
        if UNDOES in job.request:
            told = undo_import(units, job, job.request[UNDOES], job.request["name"]).result
        else:
            told = _import(units, settings, job, folder)
        with database.write() as connection:
            finish(connection, job_id, JobState.SUCCEEDED, phase=Phase.DONE, result=told)
    folder.remove_inputs(job_id)


def _import(
    units: UnitsOfWork, settings: Settings, job: Job, folder: TransferFolder
) -> dict[str, object]:
    """Import a job's file; return what came of it."""
    asked = ImportRequest.of(job.request)
    with units.database.read() as connection:
        record = ImportRecord(connection, job)
    if record.is_complete:
        return dict(job.result or {})
    beginning = begin_bank(units, settings, asked.mode)
    if asked.mode is Mode.REPLACE and beginning is None and not asked.dry_run:
        record.everyone = _everyone_at_the_start(units, folder, job.id)
    with ExitStack() as stack:
        path = folder.upload(job.id)
        reading = units.current_schema.source.known(asked.reading)
        source = stack.enter_context(open_table(path, reading, asked.name))
        mapping = asked.given_mapping(units.schema) or _known_mapping(units, source)
        how = Import(asked.name, asked.mode, asked.dry_run)
        rejected = stack.enter_context(RejectsFile(folder.rejects(job.id), source.columns))
        progress = Progress(units.database, job.id, Phase.IMPORTING, source.total or 0)
        outcome = import_customers(
            units, source, mapping, how, rejected.add, progress, beginning, record
        )
    told: dict[str, object] = {**asdict(outcome), "is_complete": True}
    if beginning is not None and asked.dry_run:
        beginning.check()
    elif beginning is not None:
        told |= _store_first(units, beginning, job, told)
    elif asked.mode is Mode.REPLACE and not asked.dry_run:
        with units.database.write() as connection:
            # Of the customers whom earlier imports replaced, this one has the last word.
            imports.remove_others(connection, job.id)
    return told


def _known_mapping(units: UnitsOfWork, source: Source) -> ColumnMapping:
    mapping = find_mapping(units.schema, source.columns, units.current_schema.source)
    if mapping is None:
        raise DataFileError(
            f"{source.name} does not bear the attributes' own names: send a mapping that tells "
            "what its columns mean"
        )
    return mapping


def _everyone_at_the_start(units: UnitsOfWork, folder: TransferFolder, job_id: str) -> IntArray:
    """Return who was there when a replacement began, also where it was cut off since."""
    path = folder.everyone(job_id)
    if not path.exists():
        with whole_file(path) as file:
            np.save(file, read_everyone(units), allow_pickle=False)
    everyone: IntArray = np.load(path, allow_pickle=False)
    return everyone


def _store_first(
    units: UnitsOfWork, beginning: Beginning, job: Job, told: dict[str, object]
) -> dict[str, object]:
    """Store a bank's first customers and model; return what else is told of the import.

    Raises:
        TrainingRefusedError: the customers are too few, or too few of them differ.
    """
    with units.database.write() as connection:
        hold(connection, job.id, phase=Phase.FITTING, done=0, total=0)
    warnings: list[str] = []

    def keep(connection: Connection, version: int, ids: IntArray, values: FloatArray) -> None:
        more = {"warnings": warnings}
        hold(connection, job.id, result=told | more, model_version=version, attempts=0)
        none, nobody = np.empty(0, dtype=np.int64), np.empty((0, values.shape[1]))
        for start in range(0, len(ids), CHUNK):
            some = slice(start, start + CHUNK)
            digests = digests_of(values[some])
            replaced = Replaced(start, ids[some], none, none, digests, nobody, none)
            imports.add(connection, job.id, replaced)

    beginning.store(job.requested_by, warnings.append, keep)
    return {"warnings": warnings}
