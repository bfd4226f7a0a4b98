"""A segment's words in answers: number, name, description and strategies."""

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.fields import Text
from customer_segmentation.domain.segments import ANY_CHANNEL


class StrategyWords(BaseModel):
    """What to do about a segment's customers, and on which channel."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    text: Text = Field(
        min_length=1,
        max_length=500,
        description="What to do.",
        examples=["Build loyalty to reduce churn"],
    )
    channel: str = Field(
        default=ANY_CHANNEL,
        max_length=200,
        description="One of the schema's channels; `any` reaches every customer.",
    )


class SegmentWords(BaseModel):
    """What people call a segment, and what they do about it."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="It stays the same over every retrain.")
    name: str = Field(description="What people call it.")
    description: str = Field(description="What people say of it; may be empty.")
    strategies: list[StrategyWords] = Field(description="The main one first.")
    tag: str = Field(description="Changes with the words; for `If-Match` when they are edited.")
