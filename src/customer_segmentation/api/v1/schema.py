"""What a customer is made of: `/v1/schema`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import IdType, Kind, Missing, Transform, Unknown, Value
from customer_segmentation.domain.schema import schema_content
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_Names = list[str]


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


def schema_router(units: UnitsOfWork) -> APIRouter:
    """Return the route of the schema."""
    router = APIRouter(prefix="/v1", tags=["Schema"])

    @router.get(
        "/schema",
        summary="What a customer is made of",
        operation_id="get_schema",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def schema() -> SchemaAnswer:
        """Tell the id and the attributes of customers: names, kinds, ranges and what they mean."""
        held = units.current_schema
        return SchemaAnswer.model_validate({"number": held.number, **schema_content(held.schema)})

    return router
