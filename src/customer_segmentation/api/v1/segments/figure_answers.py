"""Segments in figures to plot: growth, distributions and a map, in answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class SegmentGrowth(BaseModel):
    """How a segment has changed in number; all three are null where one is small and hidden."""

    segment: int = Field(description="Its number.")
    entered: int | None = Field(description="Customers who came, new ones too.")
    left: int | None = Field(description="Customers who went, deleted ones too.")
    net: int | None = Field(description="By how many it has grown.")


class GrowthAnswer(BaseModel):
    """How the segments have changed in number."""

    since: datetime = Field(description="The moment, in UTC.")
    segments: list[SegmentGrowth]


class SizesAnswer(BaseModel):
    """How large the segments were at a moment."""

    at: datetime = Field(description="The moment, in UTC.")
    customers: dict[int, int | None] = Field(
        description="Customers by segment number; null where it is hidden, as it is small or has "
        "changed by few."
    )


class SegmentSizes(BaseModel):
    """How large the segments were a week apart, the oldest first; the last is now."""

    sizes: list[SizesAnswer]


class GroupOfValues(BaseModel):
    """Adjacent values of an attribute, or a category, and how many customers have them."""

    category: str | None = Field(description="Of an attribute with categories, which one it is.")
    least: float | None = Field(description="The least of them; null for no lower end.")
    below: float | None = Field(description="They are below this; null for no upper end.")
    counts: dict[int, int | None] = Field(
        description="Customers by segment number; null where it is hidden, as it is small."
    )


class AttributeDistribution(BaseModel):
    """How the customers of each segment are spread over the values of one attribute."""

    attribute: str = Field(description="Its name.")
    groups: list[GroupOfValues] = Field(
        description="Each code or category, or about ten groups that had as many customers at "
        "training."
    )
    missing: dict[int, int | None] = Field(
        description="Customers by segment number who lack the attribute; null where it is hidden."
    )


class Distributions(BaseModel):
    """How the customers are spread over the values of every attribute."""

    model_version: int = Field(description="The active version.")
    attributes: list[AttributeDistribution]


class AxisAnswer(BaseModel):
    """One direction of a map."""

    model_config = ConfigDict(from_attributes=True)

    share: float = Field(description="Of the variance that it shows.")
    attributes: list[str] = Field(
        description="Those that count most in it; one with `-` before it falls along the axis."
    )


class Point(BaseModel):
    """A place on a map."""

    segment: int = Field(description="The number of the segment.")
    x: float = Field(description="Along the first axis.")
    y: float = Field(description="Along the second axis.")


class MapAnswer(BaseModel):
    """Customers, drawn by chance, on the plane of their first two principal components."""

    model_version: int = Field(description="The version whose segments it shows.")
    axes: list[AxisAnswer]
    centroids: list[Point] = Field(description="Where the segments' centroids are.")
    points: list[Point] = Field(description="Where customers are, without who they are.")
