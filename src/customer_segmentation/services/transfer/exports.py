"""The use cases of exports as jobs: begin one, follow it, cancel it, download its file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customer_segmentation.domain.control_groups import ControlGroup
from customer_segmentation.domain.errors import (
    FieldError,
    FileNotKeptError,
    InvalidInputError,
    JobNotFoundError,
)
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.paging import Selection
from customer_segmentation.domain.schema import Schema, accept_categories
from customer_segmentation.files.formats import Format
from customer_segmentation.services.customers.consents import agreement
from customer_segmentation.services.jobs.lifecycle import cancel_job, get_job
from customer_segmentation.services.jobs.queue import add_waiting, check_room
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.exporting import (
    Export,
    check_selection,
    require_selected,
)
from customer_segmentation.services.transfer.folder import TransferFolder
from customer_segmentation.services.transfer.upkeep import begin_waiting_transfers
from customer_segmentation.store.queries import jobs

_LISTED = 100


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is to be exported, and how.

    Attributes:
        format: of the file.
        segment: only customers of this segment.
        audience_id: only customers of this audience.
        campaign_id: only customers drawn into this campaign, with the names of their arms.
        purpose: only customers who have agreed to be addressed for this, on `channel`; empty asks
            nobody.
        channel: on which they are to be addressed.
        least: by attribute name, only customers with at least this value.
        most: by attribute name, only customers with at most this value.
        among: by attribute name, only customers of one of these categories.
        missing: by attribute name, whether only customers who lack it, or only those who have it.
        holdout: percent of the customers to hold out of a campaign; None for no campaign.
        split: the campaign's name, which draws who is held out.
        changes: whether to write only who came into the audience and who left it since its changes
            were exported last.
        audience: whether to write hashed ids only, by the salt of the settings.
    """

    format: Format = Format.CSV
    segment: int | None = None
    audience_id: int | None = None
    campaign_id: int | None = None
    purpose: str = ""
    channel: str = ""
    least: dict[str, Number] = field(default_factory=dict)
    most: dict[str, Number] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, bool] = field(default_factory=dict)
    holdout: float | None = None
    split: str = ""
    changes: bool = False
    audience: bool = False

    @property
    def request(self) -> dict[str, Any]:
        """What a job keeps of it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, request: dict[str, Any]) -> "ExportRequest":
        """Return what a job keeps."""
        return cls(**{**request, "format": Format(request["format"])})

    def export(self, settings: Settings, schema: Schema) -> Export:
        """Return what is written.

        Raises:
            InvalidInputError: the options do not go together, customers are selected by what the
                schema has not, or there is no salt.
        """
        if self.audience and not settings.audience_salt:
            message = "audience needs a secret salt: set CUSTOMER_SEGMENTATION_AUDIENCE_SALT"
            raise InvalidInputError([FieldError("audience", message)])
        if (self.holdout is None) != (not self.split.strip()):
            message = "split must name the campaign that holdout is for, and only then be given"
            raise InvalidInputError([FieldError("split", message)])
        if bool(self.purpose) != bool(self.channel):
            message = "purpose and channel must be given together"
            raise InvalidInputError([FieldError("purpose", message)])
        if self.changes and (self.audience_id is None or self.split or self.campaign_id):
            message = "changes must be given with audience_id, and without holdout and campaign_id"
            raise InvalidInputError([FieldError("changes", message)])
        if self.holdout is not None and self.campaign_id is not None:
            message = "holdout must not be given beside campaign_id, which has drawn already"
            raise InvalidInputError([FieldError("holdout", message)])
        group = None if self.holdout is None else ControlGroup(self.split, self.holdout)
        selection = Selection(
            segment=self.segment,
            audience=self.audience_id,
            campaign=self.campaign_id,
            agreement=agreement(settings, self.purpose, [self.channel]) if self.purpose else None,
            least=self.least,
            most=self.most,
            among=accept_categories(schema, self.among, "is.{}"),
            missing=self.missing,
        )
        check_selection(schema, selection)
        salt = settings.audience_salt if self.audience else None
        return Export(selection, group, salt, is_of_changes=self.changes)


@dataclass(frozen=True, slots=True)
class KeptExport:
    """An export, and what is kept of it.

    Attributes:
        job: the job.
        has_file: whether this server has its file.
    """

    job: Job
    has_file: bool


class Exports:
    """Exports of customers to files that can be downloaded from this server."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Begin nothing yet."""
        self._units = units
        self._settings = settings
        self._folder = TransferFolder.of(settings, units.database)

    def begin(self, asked: ExportRequest, origin: Origin) -> KeptExport:
        """Export customers, once the exports before are done.

        Raises:
            InvalidInputError: the options do not go together.
            SegmentNotFoundError: the active model has no such segment.
            AudienceNotFoundError: there is no such audience.
            CampaignNotFoundError: there is no such campaign.
            CampaignStateError: it has not started.
            NotReadyError: there is no model yet.
            TooManyRequestsError: too many jobs wait already.
        """
        wanted = asked.export(self._settings, self._units.schema)
        require_selected(self._units, wanted.selection)
        check_room(self._units.database)
        job = add_waiting(self._units.database, JobKind.EXPORT, origin, asked.request)
        begin_waiting_transfers(self._units, self._settings)
        return self.get(job.id)

    def list(self) -> list[KeptExport]:
        """Return the newest hundred exports, the newest first."""
        with self._units.database.read() as connection:
            found = jobs.read_of_kind(connection, JobKind.EXPORT, _LISTED)
        return [self._kept(job) for job in found]

    def get(self, job_id: str) -> KeptExport:
        """Return an export.

        Raises:
            JobNotFoundError: there is no such export.
        """
        job = get_job(self._units, job_id)
        if job.kind is not JobKind.EXPORT:
            raise JobNotFoundError(job_id)
        return self._kept(job)

    def cancel(self, job_id: str, by: str) -> KeptExport:
        """Cancel an export: there will be no file.

        Raises:
            JobNotFoundError: there is no such export.
            JobEndedError: it has ended.
        """
        self.get(job_id)
        cancel_job(self._units, job_id, by)
        return self.get(job_id)

    def file(self, job_id: str) -> tuple[Path, Format]:
        """Return where an export's file is, and its format.

        Raises:
            JobNotFoundError: there is no such export.
            FileNotKeptError: it is not there yet, or not here, or not any more.
        """
        found = self.get(job_id)
        if not found.has_file:
            raise FileNotKeptError(
                "The export's file is not there yet, or not on this server, or not any more"
            )
        return self._folder.export(job_id), ExportRequest.of(found.job.request).format

    def _kept(self, job: Job) -> KeptExport:
        is_done = job.state is JobState.SUCCEEDED
        return KeptExport(job, is_done and self._folder.export(job.id).is_file())
