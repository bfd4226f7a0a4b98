"""A schema made from a table: `/v1/schema:infer`."""

from functools import partial
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Query, Request
from pydantic import BaseModel, Field

from customer_segmentation.api.http.fields import Text
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import FOLDER, INVALID, TOO_LARGE, TOO_SLOW
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.threads import briefly
from customer_segmentation.api.middleware.body_limits import takes_file
from customer_segmentation.api.v1.files import FILE, FileQuery, receive_file
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.services.schema.proposals import Use
from customer_segmentation.services.schema.uploads import (
    ColumnFound,
    SchemaFound,
    TableRequest,
    infer_upload,
)
from customer_segmentation.services.transfer.folder import TransferFolder

_MAX_HEADER = 2_000
_MAX_TAKEN = 1_000


class InferenceQuery(FileQuery):
    """The table that a schema is made from, and what a person knows better."""

    id: Annotated[
        Text | None,
        Field(
            max_length=_MAX_HEADER,
            description="The header of the column that tells customers apart; unless given, found "
            "out.",
        ),
    ] = None
    numbered: bool = Field(
        default=False, description="Whether no column does, so that rows are numbered."
    )
    taken: list[Annotated[Text, Field(max_length=_MAX_HEADER)]] = Field(
        default=[],
        max_length=_MAX_TAKEN,
        description="What a column is to be taken for in place of the guess, as `HEADER=OPTION`: "
        "one of the `options` that an earlier answer told of it.",
    )

    @property
    def asked(self) -> TableRequest:
        """What is to be looked at.

        Raises:
            InvalidInputError: what is taken for what is not told as it must be.
        """
        pairs = [text.rpartition("=") for text in self.taken]
        if not all(equals and word for _, equals, word in pairs):
            raise InvalidInputError([FieldError("taken", "taken must be HEADER=OPTION")])
        taken = {header: word for header, _, word in pairs}
        return TableRequest(self.name, self.reading, self.id, self.numbered, taken)


class ColumnAnswer(BaseModel):
    """What became of a column of the table."""

    column: str = Field(description="Its header; empty where it has none.")
    use: Use = Field(description="What becomes of it.")
    kind: str = Field(
        description="Of the attribute, or the type of the id; empty where it is left out."
    )
    attribute: str | None = Field(
        description="The name of the id or of the attribute; null where it is left out."
    )
    samples: list[str] = Field(description="Some of its values, as the table has them.")
    reasons: list[str] = Field(description="Why, for people.")
    options: list[str] = Field(description="What it may be taken for, by `taken`.")
    chosen: str | None = Field(
        description="The option that it is taken for; null where it is none of them."
    )

    @classmethod
    def of(cls, found: ColumnFound) -> "ColumnAnswer":
        """Return the answer that tells a column."""
        return cls(
            column=found.finding.column,
            use=found.finding.use,
            kind=found.finding.kind,
            attribute=found.finding.attribute or None,
            samples=list(found.samples),
            reasons=list(found.finding.reasons),
            options=list(found.options),
            chosen=found.chosen or None,
        )


class InferenceAnswer(BaseModel):
    """A schema made from a table, and what led to it."""

    text: str = Field(
        description="The schema as TOML, with the reasons as comments, for `schema:plan` and "
        "`schema:apply`."
    )
    columns: list[ColumnAnswer] = Field(description="In the order of the table.")
    id_candidates: list[str] = Field(
        description="Headers of the columns that could tell customers apart."
    )
    remarks: list[str] = Field(description="What a person should look at.")
    rows: int = Field(description="How many the table has.")
    fitting: float = Field(
        description="The share of the rows looked at that would be taken under the schema."
    )

    @classmethod
    def of(cls, found: SchemaFound) -> "InferenceAnswer":
        """Return the answer that tells a schema."""
        return cls(
            text=found.text,
            columns=[ColumnAnswer.of(column) for column in found.columns],
            id_candidates=list(found.id_candidates),
            remarks=list(found.remarks),
            rows=found.rows,
            fitting=found.fitting,
        )


def schema_inference_router(folder: TransferFolder) -> Router:
    """Return the route that makes a schema from a table.

    Args:
        folder: keeps the table meanwhile.
    """
    # Several at once would take memory and processors from those who ask for customers.
    one = CapacityLimiter(1)
    router = Router("/v1", "Schema", route_class=JsonRoute)

    @router.post(
        "/schema:infer",
        summary="A schema made from a table",
        operation_id="infer_schema",
        responses=problem_responses(TOO_LARGE, TOO_SLOW, INVALID, FOLDER),
        openapi_extra=FILE,
    )
    @needs(Role.ADMIN)  # As to apply what it makes.
    @takes_file
    async def infer(request: Request, asked: Annotated[InferenceQuery, Query()]) -> InferenceAnswer:
        """Look at a whole table and tell what each column is taken for, and why.

        The table is only read, and nothing of it is kept. Send it again to say what a person knows
        better; `schema:apply` lets the schema hold, after which the table can be imported.
        """
        wanted = asked.asked
        with folder.arriving() as (part, file):
            await receive_file(request, folder, file)
            await briefly(folder.flush, file)
            found = await to_thread.run_sync(partial(infer_upload, part, wanted), limiter=one)
        return InferenceAnswer.of(found)

    return router
