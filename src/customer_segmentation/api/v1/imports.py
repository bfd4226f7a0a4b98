"""Imports as resources, under `/v1/imports`: files of customers that arrive as a stream."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from customer_segmentation.api.http.fields import Text
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    FOLDER,
    INVALID,
    JOB_ENDED,
    NO_FILE,
    NO_JOB,
    NOT_UNDOABLE,
    STORE_UNAVAILABLE,
    TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.threads import briefly
from customer_segmentation.api.middleware.authentication import Actor, RoleName
from customer_segmentation.api.middleware.body_limits import takes_file, takes_many
from customer_segmentation.api.v1.files import FILE, NO_BODY, FileQuery, receive_file
from customer_segmentation.api.v1.jobs import Asked, By, JobAnswer, Reason, location_header
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import FieldError, InvalidInputError, NotAllowedError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.imports import ImportRequest, Imports, KeptImport
from customer_segmentation.services.transfer.preview import Preview, preview

_SHOWN = 100
"""Rejected rows that a preview shows, at most."""

_MAX_MAPPING = 50_000
"""Characters of a mapping, so that it goes into the head of a request."""

_REJECTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The rows", "content": {"text/csv": {"schema": {"type": "string"}}}}
}

ImportId = Annotated[UUID, Path(description="The import's id.")]


class ImportQuery(FileQuery):
    """How a file is to be imported."""

    mode: Mode = Field(
        default=Mode.UPSERT,
        description="`insert` changes nobody who is there, `upsert` does, `replace` also removes "
        "everybody whom the file has not, and needs the role admin.",
    )
    dry_run: bool = Field(default=False, description="Whether only to tell what would be done.")
    mapping: Annotated[
        Text,
        Field(
            max_length=_MAX_MAPPING,
            description="What the columns mean, as TOML; where it is left out, they must bear the "
            "attributes' names.",
        ),
    ] = ""
    by: By = ""
    reason: Reason = ""

    @property
    def asked(self) -> ImportRequest:
        """What is to be imported."""
        names = ("name", "mode", "dry_run", "format", "delimiter", "encoding", "sheet")
        given = {name: getattr(self, name) for name in names}
        return ImportRequest(**given, mapping=self.mapping or None)


class ImportResult(BaseModel):
    """What an import did, or would do; while it runs, so far."""

    added: int = Field(default=0, description="Customers who were not there.")
    changed: int = Field(default=0, description="Customers who were there with other attributes.")
    unchanged: int = Field(default=0, description="Customers who were there with these attributes.")
    removed: int = Field(default=0, description="Customers whom a replacement removed.")
    rejected: int = Field(default=0, description="Rows that were not taken.")
    erased: int = Field(default=0, description="Rows passed over, of customers who were erased.")
    filled: dict[str, int] = Field(
        default={}, description="Empty values that the mapping's default filled, by attribute."
    )
    differing: list[str] = Field(
        default=[],
        description="Attributes that are spread otherwise by far (a population stability index of "
        "at least 0.25) than in the training data of the active model.",
    )
    warnings: list[str] = Field(
        default=[], description="What the first model lacks, which is active all the same."
    )


class UndoResult(BaseModel):
    """What undoing an import has done; while it runs, so far."""

    model_config = ConfigDict(extra="forbid")

    removed: int = Field(description="Customers whom the import had added.")
    restored: int = Field(
        description="Customers whom the import had changed or removed, who are as before it."
    )
    kept: int = Field(
        description="Customers who stay as they are, as somebody else has changed them since."
    )
    kept_ids: list[int | str] = Field(description="Their ids, at most a hundred.")


class ImportAnswer(JobAnswer):
    """An import: a job, what it was asked to do, and what came of it."""

    name: str = Field(description="What people call the file.")
    mode: Mode = Field(description="What was to be done with the customers who were there.")
    dry_run: bool = Field(description="Whether it only tells what would be done.")
    result: ImportResult | UndoResult | None = Field(
        description="What it did; null before anything is stored."
    )
    undoes: str | None = Field(description="The import that this one takes back, if it does so.")
    can_be_undone: bool = Field(description="Whether undoing it would take anything back.")
    has_rejects: bool = Field(
        description="Whether the rows that it did not take can be downloaded from this server."
    )


class RejectAnswer(BaseModel):
    """A row that would not be taken."""

    line: int = Field(description="Where it is in the file.")
    column: str = Field(description="Which column is at fault.")
    reason: str = Field(description="What is wrong with it.")


class RejectGroupAnswer(BaseModel):
    """Rows that would not be taken for the same reason."""

    column: str = Field(description="Which column is at fault.")
    reason: str = Field(description="What is wrong with it.")
    count: int = Field(description="How many rows.")
    values: dict[str, int] = Field(
        description="Where texts stand for codes or categories: those that stand for nothing, and "
        "how many rows have each; the twenty most frequent."
    )


class PreviewAnswer(BaseModel):
    """What the first rows of a file show."""

    columns: list[str] = Field(description="The table's columns.")
    mapping: str = Field(
        description="What the columns seem to mean, as TOML to be looked at and completed."
    )
    is_complete: bool = Field(description="Whether that mapping leaves nothing open.")
    doubts: list[str] = Field(description="About the table as a whole.")
    guessed_encoding: str | None = Field(
        description="What the text is taken to be in, where only its letters tell."
    )
    rows: int = Field(description="How many rows were looked at.")
    rejected: int | None = Field(
        description="How many of them would not be taken; null where nothing tells what the "
        "columns mean."
    )
    rejects: list[RejectAnswer] = Field(description="The first hundred of those.")
    reasons: list[RejectGroupAnswer] = Field(
        description="All of those by reason, the most frequent first."
    )
    made_up: dict[str, int | float | str] = Field(
        description="By attribute that no column tells, what everybody would get who is new."
    )

    @classmethod
    def of(cls, found: Preview) -> "PreviewAnswer":
        """Return the answer that tells a preview."""
        refused = found.rejects or []
        return cls(
            columns=list(found.columns),
            mapping=found.mapping,
            is_complete=found.is_complete,
            doubts=list(found.doubts),
            guessed_encoding=found.guessed_encoding,
            rows=found.rows,
            rejected=None if found.rejects is None else len(refused),
            rejects=[
                RejectAnswer(line=one.line, column=one.column, reason=one.reason)
                for one in refused[:_SHOWN]
            ],
            reasons=[
                RejectGroupAnswer(
                    column=one.column,
                    reason=one.reason,
                    count=one.count,
                    values=dict(one.values),
                )
                for one in found.groups
            ],
            made_up=dict(found.made_up),
        )


class ImportList(BaseModel):
    """The newest hundred imports."""

    imports: list[ImportAnswer]


def imports_router(units: UnitsOfWork, imports: Imports) -> Router:
    """Return the routes under `/v1/imports`."""
    preview_file = partial(preview, units.current_schema)
    # Several at once would take memory and processors from those who ask for customers.
    one = CapacityLimiter(1)
    router = Router("/v1", "Imports", route_class=JsonRoute)

    @router.post(
        "/imports",
        status_code=202,
        summary="Import customers from a file",
        operation_id="begin_import",
        responses=location_header("The import.")
        | problem_responses(TOO_LARGE, TOO_SLOW, TOO_MANY, INVALID, FOLDER, STORE_UNAVAILABLE),
        openapi_extra=FILE,
    )
    @needs(Role.WRITER)
    @takes_file
    async def begin(
        request: Request,
        response: Response,
        asked: Annotated[ImportQuery, Query()],
        actor: Actor,
        role: RoleName,
    ) -> ImportAnswer:
        """Keep the file, and import it in the background once those before it are done.

        The import goes on by itself where the service or the database was stopped. Into an empty
        database it makes the first model too.
        """
        if asked.mode is Mode.REPLACE:
            _need_admin(role)
        wanted = asked.asked
        origin = Origin(Trigger.REQUEST, actor or asked.by, asked.reason)
        await briefly(imports.check, wanted)
        with imports.folder.arriving() as (part, file):
            await receive_file(request, imports.folder, file)
            begun = await run_in_threadpool(imports.begin, wanted, origin, part, file)
        response.headers["Location"] = f"/v1/imports/{begun.job.id}"
        return _answer(begun)

    @router.post(
        "/imports:preview",
        summary="What the first rows of a file show",
        operation_id="preview_import",
        responses=problem_responses(TOO_LARGE, TOO_SLOW, INVALID),
        openapi_extra=FILE,
    )
    @needs(Role.WRITER)
    @takes_many()
    async def look(request: Request, asked: Annotated[ImportQuery, Query()]) -> PreviewAnswer:
        """Guess what the columns mean, and check the first rows; nothing is kept.

        Of a text, the first megabyte is enough; of Parquet, Arrow and Excel the whole file is
        needed.
        """
        body = await request.body()
        if not body:
            raise InvalidInputError([FieldError("body", NO_BODY)])
        found = await to_thread.run_sync(preview_file, body, asked.asked, limiter=one)
        return PreviewAnswer.of(found)

    @router.get(
        "/imports",
        summary="The newest imports",
        operation_id="list_imports",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_imports() -> ImportList:
        """List who imported what, when, and what came of it: the newest hundred, newest first."""
        return ImportList(imports=[_answer(found) for found in imports.list()])

    @router.get(
        "/imports/{import_id:uuid}/rejects",
        summary="The rows that an import did not take",
        operation_id="get_import_rejects",
        response_class=FileResponse,
        responses=_REJECTS | problem_responses(NO_JOB, NO_FILE, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def read_rejects(import_id: ImportId) -> FileResponse:
        """Download the rows that were not taken, with line, column and reason, to be corrected."""
        path = imports.rejects(import_id.hex)
        return FileResponse(path, media_type="text/csv", filename="rejects.csv")

    @router.post(
        "/imports/{import_id:uuid}:cancel",
        summary="Cancel an import",
        operation_id="cancel_import",
        responses=problem_responses(NO_JOB, JOB_ENDED, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def cancel(import_id: ImportId, actor: Actor, asked: Asked | None = None) -> ImportAnswer:
        """Store nothing more of the file; what is stored stays."""
        origin = (asked or Asked()).origin(actor)
        return _answer(imports.cancel(import_id.hex, origin.by))

    @router.post(
        "/imports/{import_id:uuid}:undo",
        status_code=202,
        summary="Undo an import",
        operation_id="undo_import",
        responses=location_header("What undoes it, as an import of its own.")
        | problem_responses(NO_JOB, NOT_UNDOABLE, TOO_MANY, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def undo(
        response: Response,
        import_id: ImportId,
        actor: Actor,
        role: RoleName,
        asked: Asked | None = None,
    ) -> ImportAnswer:
        """Take the whole import back: who was added goes, who was changed or removed is as before.

        Customers whom somebody else has changed since stay as they are; the result tells how many
        and which. To undo a replacement needs the role admin, as to do one.
        """
        if imports.get(import_id.hex).job.request["mode"] == Mode.REPLACE:
            _need_admin(role)
        begun = imports.begin_undo(import_id.hex, (asked or Asked()).origin(actor))
        response.headers["Location"] = f"/v1/imports/{begun.job.id}"
        return _answer(begun)

    @router.get(
        "/imports/{import_id:uuid}",
        summary="How far an import is",
        operation_id="get_import",
        responses=problem_responses(NO_JOB, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_import(import_id: ImportId) -> ImportAnswer:
        """Tell how much of the file is read, and what was done."""
        return _answer(imports.get(import_id.hex))

    return router


def _need_admin(role: str) -> None:
    if role != Role.ADMIN.label:
        raise NotAllowedError("To replace everybody, and to undo that, needs the role admin")


def _answer(found: KeptImport) -> ImportAnswer:
    job, asked = found.job, ImportRequest.of(found.job.request)
    told = JobAnswer.model_validate(job).model_dump()
    kind = ImportResult if found.undoes is None else UndoResult
    return ImportAnswer(
        **told,
        name=asked.name,
        mode=asked.mode,
        dry_run=asked.dry_run,
        result=None if job.result is None else kind.model_validate(job.result),
        undoes=found.undoes,
        can_be_undone=found.can_be_undone,
        has_rejects=found.has_rejects,
    )
