"""The use cases of imports as jobs: begin one from a file, follow it, cancel it."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from customer_segmentation.domain.errors import (
    FieldError,
    FileNotKeptError,
    InvalidInputError,
    JobNotFoundError,
    MappingError,
    NotUndoableError,
)
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Job, JobKind, Origin
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.formats import Format
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.mapping_file import parse_mapping
from customer_segmentation.files.read.tables import Reading
from customer_segmentation.services.jobs.lifecycle import cancel_job, get_job
from customer_segmentation.services.jobs.queue import add_waiting, check_room
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.services.transfer.upkeep import UNDOES, begin_waiting_transfers
from customer_segmentation.store.queries import imports, jobs

_LISTED = 100


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be imported, and how.

    Attributes:
        name: what people call the file.
        mode: what to do with the customers who are there.
        dry_run: whether to tell only what would be done.
        mapping: what the columns mean, as TOML; None where they bear the attributes' names.
        format: how the file is written; what is None here and below is found out.
        delimiter: of CSV.
        encoding: of text.
        sheet: of a workbook.
    """

    name: str
    mode: Mode = Mode.UPSERT
    dry_run: bool = False
    mapping: str | None = None
    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What a job keeps of it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, request: dict[str, Any]) -> "ImportRequest":
        """Return what a job keeps."""
        given = {name: value for name, value in request.items() if name != UNDOES}
        given["mode"] = Mode(given["mode"])
        if "format" in given:
            given["format"] = Format(given["format"])
        return cls(**given)

    @property
    def reading(self) -> Reading:
        """What is known of the file beforehand."""
        return Reading(self.format, self.delimiter, self.encoding, self.sheet)

    def given_mapping(self, schema: Schema) -> ColumnMapping | None:
        """Return what the columns mean, where that is said.

        Args:
            schema: of the customers.

        Raises:
            InvalidInputError: the mapping is not as it must be.
        """
        if self.mapping is None:
            return None
        try:
            return parse_mapping(schema, self.mapping, "given")
        except MappingError as fault:
            raise InvalidInputError([FieldError("mapping", str(fault))]) from fault


@dataclass(frozen=True, slots=True)
class KeptImport:
    """An import, and what is kept of it.

    Attributes:
        job: the job.
        has_rejects: whether this server has rows that it did not take.
        can_be_undone: whether there is anything that undoing it would take back.
    """

    job: Job
    has_rejects: bool
    can_be_undone: bool

    @property
    def undoes(self) -> str | None:
        """The id of the import that it undoes, None where it stores a file."""
        undone: str | None = self.job.request.get(UNDOES)
        return undone


class Imports:
    """Imports of files that arrive at this server."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Begin nothing yet."""
        self._units = units
        self._settings = settings
        self.folder = TransferFolder.of(settings, units.database)

    def check(self, asked: ImportRequest) -> None:
        """See that a file may be sent.

        Raises:
            InvalidInputError: the mapping is not as it must be.
            TooManyRequestsError: too many wait already.
        """
        asked.given_mapping(self._units.schema)
        check_room(self._units.database)

    def begin(self, asked: ImportRequest, origin: Origin, part: Path, file: BinaryIO) -> KeptImport:
        """Import a file that has arrived, once those before it are done.

        Args:
            asked: how.
            origin: who asks for it.
            part: where the file is, as `TransferFolder.arriving` told.
            file: the file.

        Raises:
            FolderError: the folder is full.
        """
        job_id = part.stem
        upload = self.folder.upload(job_id)
        self.folder.keep(part, file, upload)
        try:
            add_waiting(self._units.database, JobKind.IMPORT, origin, asked.request, job_id)
        except Exception:
            # The answer to what was committed may be lost. Where the database cannot tell now, the
            # file stays for a day.
            with self._units.database.read(brief=True) as connection:
                is_stored = bool(jobs.find(connection, [job_id]))
            if not is_stored:
                upload.unlink(missing_ok=True)
                raise
        begin_waiting_transfers(self._units, self._settings)
        return self.get(job_id)

    def list(self) -> list[KeptImport]:
        """Return the newest hundred imports, the newest first."""
        with self._units.database.read() as connection:
            found = jobs.read_of_kind(connection, JobKind.IMPORT, _LISTED)
            kept = imports.find_kept(connection)
        return [self._kept(job, kept) for job in found]

    def get(self, job_id: str) -> KeptImport:
        """Return an import.

        Raises:
            JobNotFoundError: there is no such import.
        """
        job = get_job(self._units, job_id)
        if job.kind is not JobKind.IMPORT:
            raise JobNotFoundError(job_id)
        with self._units.database.read() as connection:
            return self._kept(job, imports.find_kept(connection))

    def cancel(self, job_id: str, by: str) -> KeptImport:
        """Cancel an import: what it has stored stays, and nothing more is.

        Raises:
            JobNotFoundError: there is no such import.
            JobEndedError: it has ended.
        """
        self.get(job_id)
        cancel_job(self._units, job_id, by)
        self.folder.remove_inputs(job_id)
        return self.get(job_id)

    def begin_undo(self, job_id: str, origin: Origin) -> KeptImport:
        """Take an import back, once the imports before it are done.

        Args:
            job_id: of the import.
            origin: who asks for it, and why.

        Raises:
            JobNotFoundError: there is no such import.
            NotUndoableError: it has not ended, or nothing of it can be taken back.
            TooManyRequestsError: too many imports wait already.
        """
        found = self.get(job_id)
        if not found.job.has_ended:
            raise NotUndoableError("The import has not ended: wait for it, or cancel it first")
        if not found.can_be_undone:
            raise NotUndoableError(
                "The import changed nobody, was undone, or is too old or followed by a "
                "replacement, so that what it replaced is not kept any more"
            )
        check_room(self._units.database)
        asked = {**found.job.request, UNDOES: job_id}
        job = add_waiting(self._units.database, JobKind.IMPORT, origin, asked)
        begin_waiting_transfers(self._units, self._settings)
        return self.get(job.id)

    def rejects(self, job_id: str) -> Path:
        """Return where the rows are that an import did not take.

        Raises:
            JobNotFoundError: there is no such import.
            FileNotKeptError: there are none, or not here, or not any more.
        """
        if not self.get(job_id).has_rejects:
            raise FileNotKeptError(
                "The import has refused no rows, or they are not on this server, or not any more"
            )
        return self.folder.rejects(job_id)

    def _kept(self, job: Job, kept: Collection[str]) -> KeptImport:
        has_rejects = job.has_ended and self.folder.rejects(job.id).is_file()
        return KeptImport(job, has_rejects, job.has_ended and job.id in kept)
