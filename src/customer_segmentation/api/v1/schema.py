"""What a customer is made of: `/v1/schema`."""

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from customer_segmentation.api.http.fields import NUMBER, Line, Text
from customer_segmentation.api.http.openapi import Responses, problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    JOB_RUNNING,
    SCHEMA_INVALID,
    SCHEMA_REFUSED,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JSON, JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.jobs import Asked
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import (
    Aggregate,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
    Value,
)
from customer_segmentation.domain.schema import schema_content
from customer_segmentation.domain.transactions import UnknownCustomer
from customer_segmentation.services.runtime.current_schema import parse_current
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.schema.apply import apply_schema
from customer_segmentation.services.schema.plan import StepKind, plan_schema
from customer_segmentation.services.schema.standards import SchemaForm, write_schema_as

_Names = list[str]
_MAX_BYTES = 2**23
"""Of a body with a schema, of a thousand attributes with their codes at the most."""

_WRITTEN: Responses = {
    200: {
        "description": "The schema",
        "content": {"application/toml": {"schema": {"type": "string"}}},
    }
}


class IdAnswer(BaseModel):
    """The key of a customer."""

    name: str = Field(description="In requests.")
    record_name: str = Field(description="In the six functions' answers and in files.")
    title: str = Field(description="What people call it.")
    description: str = Field(description="One phrase for people.")
    type: IdType = Field(description="Whether ids are integers of at least 1 or texts.")
    example: Value = Field(description="One that is typical.")


class AttributeAnswer(BaseModel):
    """An attribute of customers."""

    name: str = Field(description="In requests.")
    record_name: str = Field(description="In the six functions' answers and in files.")
    title: str = Field(description="What people call it.")
    description: str = Field(description="One phrase for people.")
    example: Value = Field(description="A typical value.")
    kind: Kind = Field(description="How it measures.")
    unit: str = Field(description="What one unit of a value is; empty for codes and scores.")
    minimum: int | None = Field(default=None, description="The smallest value accepted.")
    maximum: int | None = Field(default=None, description="The largest value accepted.")
    codes: dict[str, str] = Field(description="What each value of a coded attribute stands for.")
    categories: _Names = Field(description="The texts that it holds, in place of codes.")
    unknown: Unknown = Field(description="What becomes of a category that is not among them.")
    missing: Missing = Field(description="Whether a customer may lack it.")
    default: Value | None = Field(
        default=None, description="What a customer has who is added without it."
    )
    unscored: int | None = Field(
        default=None, description='A value that means "not measured yet", which counts as typical.'
    )
    used: bool = Field(description="Whether the model uses it.")
    transform: Transform = Field(description="How the model sees it before it is scaled.")
    weight: float = Field(description="How much it counts in the model's distances.")
    protected: bool = Field(description="Whether one setting leaves it out of the model.")
    bands: list[list[int]] = Field(
        description="Least and greatest value of the groups by which fairness is measured."
    )
    changeable: bool = Field(description="Whether an offer or a conversation may change it.")
    channel: str | None = Field(default=None, description="Whose reach it shows.")
    high: str = Field(description="How a segment's name says that its customers have more.")
    low: str = Field(description="Likewise, less.")
    from_: Literal["transactions"] | None = Field(
        default=None,
        alias="from",
        description="That it follows from transactions; null where only people tell it.",
    )
    aggregate: Aggregate | None = Field(default=None, description="What it tells of them.")
    of: str | None = Field(default=None, description="The field whose values `distinct` counts.")
    where: dict[str, _Names] | None = Field(
        default=None, description="By field, the texts that count; null counts all transactions."
    )
    window: str | None = Field(
        default=None, description="For how long one counts, such as `90d`; null is for good."
    )


class FieldAnswer(BaseModel):
    """A further field of transactions, which holds a text."""

    name: str = Field(description="In requests and files.")
    title: str = Field(description="What people call it.")
    description: str = Field(description="One phrase for people.")


class TransactionsAnswer(BaseModel):
    """What transactions hold."""

    id_type: IdType = Field(description="What their ids are.")
    decimals: int = Field(description="How many an amount has at most.")
    unit: str = Field(description="Of amounts.")
    kinds: _Names = Field(description="Which kinds there are; with none, any text is one.")
    fields: list[FieldAnswer] = Field(description="What they have besides.")
    unknown_customer: UnknownCustomer = Field(
        description="What happens to one of a customer who is not stored."
    )


class ProfileAnswer(BaseModel):
    """A name for a segment of the first model, and the behaviour that earns it."""

    name: str = Field(description="The segment's name.")
    strategy: str = Field(description="Its business strategy.")
    rule: dict[str, float] = Field(
        description="By attribute, how strongly a high (positive) or low average speaks for it."
    )
    above: _Names = Field(description="Attributes of which its customers must clearly have more.")
    below: _Names = Field(description="Attributes of which its customers must clearly have less.")
    usual: _Names = Field(
        description="Attributes of which half of them must have as much as half of everybody."
    )


class SegmentsAnswer(BaseModel):
    """How the first model's segments are made and named."""

    number: Annotated[str | int, Field(description="How many there are, or `auto`.")]
    profiles: list[ProfileAnswer]


class SchemaAnswer(BaseModel):
    """The schema of the customers."""

    number: int = Field(description="Rises with each schema.")
    id: IdAnswer
    attributes: list[AttributeAnswer] = Field(description="In the order of columns and forms.")
    segments: SegmentsAnswer
    channels: _Names = Field(description="On which strategies reach customers.")
    missing_values: _Names = Field(description='Texts that mean "missing" in files.')
    transactions: TransactionsAnswer | None = Field(
        default=None, description="What transactions hold; null where none are taken."
    )


class SchemaText(Asked):
    """A schema that is to hold."""

    text: Text = Field(max_length=2**21, description="The schema, as TOML.")
    renames: dict[str, Line] = Field(
        default={},
        max_length=1_000,
        description="By the name of an attribute that is renamed, its new one.",
        examples=[{"income": "monthly_income"}],
    )
    discard_demo: StrictBool = Field(
        default=False,
        description="Whether the demonstration, where the database holds it, goes first: nobody "
        "and no model of it stays, and the first import makes the first model.",
    )


class SchemaChange(SchemaText):
    """A schema that is to hold from now on."""

    number: Annotated[int, Field(ge=1, le=2**31 - 1), NUMBER] | None = Field(
        default=None,
        examples=[1],
        description="Of the schema that it was planned for: where another one holds by now, as "
        "somebody else has applied it meanwhile, nothing is changed.",
    )


class StepAnswer(BaseModel):
    """One thing that another schema changes."""

    model_config = ConfigDict(from_attributes=True)

    kind: StepKind = Field(description="What becomes of it.")
    subject: str = Field(description="The attribute, or a part of the schema.")
    detail: str = Field(description="For people.")


class PlanAnswer(BaseModel):
    """What another schema changes."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="Of the schema that this was planned for.")
    steps: list[StepAnswer] = Field(description="In the order of the schema.")
    refusals: list[str] = Field(description="Why it cannot be applied; empty where it can.")
    customers: int = Field(description="How many are stored.")
    is_rewritten: bool = Field(description="Whether the table of customers is written anew.")
    is_demo: bool = Field(
        description="Whether the customers who are stored are the demonstration, which "
        "`discard_demo` removes."
    )


def schema_router(units: UnitsOfWork, settings: Settings) -> Router:
    """Return the routes of the schema."""
    router = Router("/v1", "Schema", route_class=JsonRoute)
    example = {"text": units.current_schema.text}
    body = {"requestBody": {"content": {JSON: {"example": example}}}}

    @router.get(
        "/schema",
        summary="What a customer is made of",
        operation_id="get_schema",
        # For other tools it is as their standards have it.
        response_model=SchemaAnswer | dict[str, Any],
        responses=_WRITTEN | problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def schema(
        form: Annotated[
            SchemaForm,
            Query(
                alias="format",
                description="`json` as below, `toml` as `schema apply` takes it, `table-schema` "
                "(Frictionless) or `json-schema` for other tools.",
            ),
        ] = SchemaForm.JSON,
    ) -> SchemaAnswer | Response:
        """Tell the id and the attributes of customers: names, kinds, ranges and what they mean."""
        held = units.current_schema
        if form is SchemaForm.JSON:
            return SchemaAnswer.model_validate(
                {"number": held.number, **schema_content(held.schema)}
            )
        media = "application/toml" if form is SchemaForm.TOML else JSON
        return Response(write_schema_as(held, form), media_type=media)

    @router.post(
        "/schema:plan",
        summary="What another schema would change",
        operation_id="plan_schema",
        responses=problem_responses(INVALID, SCHEMA_INVALID, STORE_UNAVAILABLE),
        openapi_extra=body,
    )
    @needs(Role.ADMIN)
    @takes_many(_MAX_BYTES)
    def plan(asked: SchemaText) -> PlanAnswer:
        """Tell what applying a schema would change, and why it cannot be applied, if so."""
        new = parse_current(asked.text, "that is given", 0)
        found = plan_schema(units, settings, new, asked.renames, discard_demo=asked.discard_demo)
        return PlanAnswer.model_validate(found)

    @router.post(
        "/schema:apply",
        summary="Let another schema hold",
        operation_id="apply_schema",
        responses=problem_responses(
            INVALID, SCHEMA_INVALID, SCHEMA_REFUSED, JOB_RUNNING, STORE_UNAVAILABLE
        ),
        openapi_extra=body,
    )
    @needs(Role.ADMIN)
    @takes_many(_MAX_BYTES)
    def apply(asked: SchemaChange, actor: Actor) -> PlanAnswer:
        """Change the schema in one transaction, while the service goes on.

        The active model goes on with the attributes that it was trained on, and the next training
        uses the new ones. All servers follow within a second.
        """
        by = asked.origin(actor).by
        done = apply_schema(
            units,
            settings,
            asked.text,
            asked.renames,
            by,
            planned=asked.number,
            discard_demo=asked.discard_demo,
        )
        return PlanAnswer.model_validate(done)

    return router
