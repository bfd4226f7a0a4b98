"""Segments, transitions and disparity in answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, computed_field

from customer_segmentation.api.http.fields import Line, Text
from customer_segmentation.api.v1.jobs import By
from customer_segmentation.api.v1.segments.words import SegmentWords, StrategyWords
from customer_segmentation.domain.history import as_matrix


class AttributeProfileAnswer(BaseModel):
    """One attribute of a segment's customers, in users' units, of those who have it.

    Figures are null where nobody has it, and of a nominal attribute, whose categories have no mean.
    """

    attribute: str = Field(description="Its name.")
    mean: float | None = Field(description="The mean.")
    trimmed_mean: float | None = Field(
        description="The mean without the twentieth who have least and the one who have most, so "
        "that no single value decides; of a coded attribute, the mean."
    )
    lower_quartile: float | None = Field(description="A quarter of the customers lie below.")
    median: float | None = Field(description="Half of the customers lie below.")
    upper_quartile: float | None = Field(description="Three quarters of the customers lie below.")
    difference: float | None = Field(description="The mean less everybody's mean.")
    deviations: float | None = Field(description="The difference in standard deviations.")
    trimmed_deviations: float | None = Field(
        description="The trimmed mean less everybody's, in standard deviations."
    )
    is_clear: bool = Field(
        description="Whether it sets the segment apart clearly enough for names and sentences."
    )
    shares: dict[str, float | None] = Field(
        description="The share of each code or category; null where it is hidden."
    )
    missing: float | None = Field(
        description="The share of the segment's customers who lack it; null where it is hidden."
    )


class SegmentAnswer(SegmentWords):
    """A segment, and what its customers are like now."""

    size: int | None = Field(description="null where it is hidden, as it is small.")
    share: float | None = Field(description="Of all customers.")
    outliers: int | None = Field(description="Customers far from every centroid.")
    summary: str = Field(description="One sentence that tells it apart.")
    profile: list[AttributeProfileAnswer]


class Segments(BaseModel):
    """The segments of the active model."""

    model_version: int = Field(description="The active version.")
    customers: int = Field(description="How many are counted in all.")
    complete: bool = Field(
        description="Whether all customers are counted; false while they are re-scored."
    )
    segments: list[SegmentAnswer]


class SegmentEditRequest(BaseModel):
    """What to change of a segment's words; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "strategies": [
                        {"text": "Upsell bank products to increase profits"},
                        {"text": "Offer a premium card", "channel": "e-mail"},
                    ],
                    "by": "Ada",
                }
            ]
        },
    )

    name: Line | None = Field(
        default=None, min_length=1, max_length=200, description="What to call it."
    )
    description: Text | None = Field(
        default=None, max_length=2000, description="What to say of it."
    )
    strategies: list[StrategyWords] | None = Field(
        default=None, min_length=1, max_length=50, description="All of them, the main one first."
    )
    by: By = ""


class SegmentEditAnswer(SegmentWords):
    """A segment's words after an edit."""

    edited_at: datetime = Field(description="When, in UTC.")
    edited_by: str = Field(description="Who did; empty if unknown.")


class SegmentEdits(BaseModel):
    """What people made of a segment's words, the oldest edit first."""

    number: int = Field(description="The segment's number.")
    edits: list[SegmentEditAnswer]


class Transition(BaseModel):
    """Customers who were in one segment the first time and in one the second time."""

    from_segment: int | None = Field(description="null: not there the first time.")
    to_segment: int | None = Field(description="null: not there any more the second time.")
    customers: int | None = Field(description="null where it is hidden, as it is small.")


class Transitions(BaseModel):
    """Who moved from where to where between two moments or two versions."""

    since: datetime | None = Field(default=None, description="The first moment, in UTC.")
    until: datetime | None = Field(default=None, description="The second moment, in UTC.")
    before: int | None = Field(default=None, description="The one version.")
    after: int | None = Field(default=None, description="The other version.")
    moved: int | None = Field(description="Customers there both times, in different segments.")
    transitions: list[Transition]

    @computed_field(  # type: ignore[prop-decorator]
        description="The transitions as a matrix: customers by segment before and, within, by "
        "segment after; `none` is not there, null is hidden."
    )
    @property
    def matrix(self) -> dict[str, dict[str, int | None]]:
        """The transitions as a matrix."""
        return as_matrix({(t.from_segment, t.to_segment): t.customers for t in self.transitions})


class GroupAnswer(BaseModel):
    """How a group of people is spread over the segments."""

    model_config = ConfigDict(from_attributes=True)

    group: str = Field(description="Such as `Female` or `25-34`.")
    size: int | None = Field(description="null where it is hidden, as it is small.")
    shares: dict[int, float | None] = Field(
        description="By segment number, the share of the group; null where it is hidden."
    )
    ratios: dict[int, float | None] = Field(
        description="By segment number, that share as a multiple of everybody's; 1 is parity."
    )


class DisparityAnswer(BaseModel):
    """How groups of people by protected attributes are spread over the segments."""

    model_config = ConfigDict(from_attributes=True)

    model_version: int = Field(description="The active version.")
    excluded: tuple[str, ...] = Field(description="Attributes that the model does not use.")
    groups: dict[str, list[GroupAnswer]] = Field(
        description="By protected attribute, its codes, categories or bands, and who lacks it."
    )
    genders: list[GroupAnswer] = Field(description="The groups by `gender`, if that is protected.")
    age_bands: list[GroupAnswer] = Field(description="The groups by `age`, likewise.")
