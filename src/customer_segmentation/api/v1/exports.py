"""Exports as resources, under `/v1/exports`: customers written to files to be downloaded."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, Field, StrictBool
from starlette.responses import FileResponse

from customer_segmentation.api.http.fields import NUMBER, AttributeName, Line
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    CAMPAIGN_STATE,
    INVALID,
    JOB_ENDED,
    NO_AUDIENCE,
    NO_CAMPAIGN,
    NO_FILE,
    NO_JOB,
    NO_SEGMENT,
    NOT_READY,
    STORE_UNAVAILABLE,
    TOO_MANY,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor
from customer_segmentation.api.v1.jobs import Asked, JobAnswer, location_header
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.consents import LONGEST_WORD
from customer_segmentation.files.formats import Format
from customer_segmentation.services.transfer.exports import ExportRequest, Exports, KeptExport

_MEDIA = {
    Format.CSV: ("text/csv", "csv"),
    Format.PARQUET: ("application/vnd.apache.parquet", "parquet"),
    Format.ARROW: ("application/vnd.apache.arrow.file", "arrow"),
    Format.NDJSON: ("application/x-ndjson", "ndjson"),
    Format.EXCEL: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}}
            for media, _ in _MEDIA.values()
        },
    }
}
_Bounds = dict[AttributeName, Annotated[float, Field(allow_inf_nan=False), NUMBER]]

ExportId = Annotated[UUID, Path(description="The export's id.")]


class ExportBody(Asked):
    """What is to be exported."""

    format: Format = Field(default=Format.CSV, description="Of the file.")
    segment: Annotated[int, NUMBER] | None = Field(
        default=None, ge=0, lt=2**31, description="Only those in the segment of this number."
    )
    audience_id: Annotated[int, NUMBER] | None = Field(
        default=None, ge=1, lt=2**31, description="Only those in the audience of this id."
    )
    campaign_id: Annotated[int, NUMBER] | None = Field(
        default=None,
        ge=1,
        lt=2**31,
        description="Only those drawn into the campaign of this id, with their arms as `group`.",
    )
    purpose: Annotated[Line, Field(max_length=LONGEST_WORD)] = Field(
        default="", description="Only those who have agreed to be addressed for this, on `channel`."
    )
    channel: Annotated[Line, Field(max_length=LONGEST_WORD)] = Field(
        default="", description="On which they are to be addressed."
    )
    min: _Bounds = Field(
        default={}, description="By attribute, only customers with at least this value."
    )
    max: _Bounds = Field(
        default={}, description="By attribute, only customers with at most this value."
    )
    among: dict[AttributeName, list[str]] = Field(
        default={}, alias="is", description="By attribute, only customers of these categories."
    )
    missing: dict[AttributeName, StrictBool] = Field(
        default={},
        description="By attribute, only customers who lack it, or where false who do not.",
    )
    holdout: Annotated[float, NUMBER] | None = Field(
        default=None, ge=0, le=100, description="Percent of them to hold out of a campaign."
    )
    split: Annotated[
        Line,
        Field(max_length=200, description="The campaign's name, which draws who is held out."),
    ] = ""
    changes: StrictBool = Field(
        default=False,
        description="Whether to write only who came into the audience of `audience_id`, and who "
        "left it, since its changes were exported last; by ids alone.",
    )
    audience: StrictBool = Field(
        default=False,
        description="Whether to write an audience file: ids hashed by the salt of the service's "
        "settings, without who is held out.",
    )

    @property
    def asked(self) -> ExportRequest:
        """What is to be exported."""
        names = {*ExportRequest.__slots__} - {"least", "most"}
        given = {name: getattr(self, name) for name in names}
        return ExportRequest(**given, least=dict(self.min), most=dict(self.max))


class ExportResult(BaseModel):
    """What an export has written."""

    customers: int = Field(description="How many customers are in the file.")
    left_out: int = Field(
        default=0, description="How many were left out, as they had not agreed to be addressed."
    )
    bytes: int = Field(description="How large the file is.")


class ExportAnswer(JobAnswer):
    """An export: a job, and what came of it."""

    format: Format = Field(description="Of the file.")
    result: ExportResult | None = Field(description="There once the export has succeeded.")
    has_file: bool = Field(description="Whether the file can be downloaded from this server.")


class ExportList(BaseModel):
    """The newest hundred exports."""

    exports: list[ExportAnswer]


def exports_router(exports: Exports) -> Router:
    """Return the routes under `/v1/exports`."""
    router = Router("/v1/exports", "Exports", route_class=JsonRoute)

    @router.post(
        "",
        status_code=202,
        summary="Export customers to a file",
        operation_id="begin_export",
        responses=location_header("The export.")
        | problem_responses(NO_SEGMENT, NO_AUDIENCE, NO_CAMPAIGN, CAMPAIGN_STATE)
        | problem_responses(TOO_MANY, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def begin(response: Response, actor: Actor, asked: ExportBody | None = None) -> ExportAnswer:
        """Write customers with segment, confidence and strategy, in the background."""
        asked = asked or ExportBody()
        begun = exports.begin(asked.asked, asked.origin(actor))
        response.headers["Location"] = f"/v1/exports/{begun.job.id}"
        return _answer(begun)

    @router.get(
        "",
        summary="The newest exports",
        operation_id="list_exports",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_exports() -> ExportList:
        """List who exported customers and when: the newest hundred, the newest first."""
        return ExportList(exports=[_answer(found) for found in exports.list()])

    @router.get(
        "/{export_id:uuid}/file",
        summary="The file of an export",
        operation_id="get_export_file",
        response_class=FileResponse,
        responses=_FILE | problem_responses(NO_JOB, NO_FILE, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_file(export_id: ExportId) -> FileResponse:
        """Download the file, until it is removed by the setting of retention."""
        path, form = exports.file(export_id.hex)
        media, ending = _MEDIA[form]
        return FileResponse(path, media_type=media, filename=f"customers.{ending}")

    @router.post(
        "/{export_id:uuid}:cancel",
        summary="Cancel an export",
        operation_id="cancel_export",
        responses=problem_responses(NO_JOB, JOB_ENDED, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def cancel(export_id: ExportId, actor: Actor, asked: Asked | None = None) -> ExportAnswer:
        """End an export before it is done; there is no file."""
        origin = (asked or Asked()).origin(actor)
        return _answer(exports.cancel(export_id.hex, origin.by))

    @router.get(
        "/{export_id:uuid}",
        summary="How far an export is",
        operation_id="get_export",
        responses=problem_responses(NO_JOB, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_export(export_id: ExportId) -> ExportAnswer:
        """Tell how many customers are written."""
        return _answer(exports.get(export_id.hex))

    return router


def _answer(found: KeptExport) -> ExportAnswer:
    told = JobAnswer.model_validate(found.job).model_dump()
    return ExportAnswer(
        **told,
        format=ExportRequest.of(found.job.request).format,
        result=None if found.job.result is None else ExportResult(**found.job.result),
        has_file=found.has_file,
    )
