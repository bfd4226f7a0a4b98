"""An explained assignment in answers."""

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.v1.segments.words import SegmentWords, StrategyWords
from customer_segmentation.services.customers.explanation import ExplainedAssignment


class ContributionAnswer(BaseModel):
    """How much one attribute pulls towards a segment rather than towards another."""

    model_config = ConfigDict(from_attributes=True)

    attribute: str = Field(description="Its name.")
    value: int | float = Field(description="The customer's value.")
    typical: float = Field(description="The value at the nearest segment's centroid.")
    typical_other: float = Field(description="The value at the other segment's centroid.")
    pull: float = Field(
        description="Above 0 it speaks for the nearest segment, below 0 for the other; all pulls "
        "add up to the difference of the squared distances."
    )


class ChangeAnswer(BaseModel):
    """The smallest change of one attribute, all others kept, that leads to a segment."""

    model_config = ConfigDict(from_attributes=True)

    segment: int = Field(description="The segment it leads to.")
    attribute: str = Field(description="Its name.")
    value: int | float = Field(description="The value now.")
    needed: int | float = Field(description="The value it takes.")


class ExplanationAnswer(BaseModel):
    """Why someone is in a segment, and what would change it."""

    model_config = ConfigDict(from_attributes=True)

    segment: int = Field(
        description="The segment of the nearest centroid. With hysteresis a stored customer may "
        "still be in another."
    )
    other: int = Field(description="The second nearest segment, which the pulls compare with.")
    distances: dict[int, float] = Field(description="By segment number, to its centroid.")
    confidence: float = Field(
        description="1 - d1/d2 of the distances to the nearest and second nearest centroid: 0 half "
        "way between them, 1 on the nearest."
    )
    is_outlier: bool = Field(description="Whether far from every centroid.")
    contributions: list[ContributionAnswer] = Field(description="The strongest first.")
    changes: list[ChangeAnswer] = Field(
        description="For each other segment that one attribute alone can lead to."
    )


class AssignmentAnswer(BaseModel):
    """The segment someone is in, and what to do about it."""

    model_version: int = Field(description="Which gave the segment.")
    segment: SegmentWords = Field(description="The segment that holds.")
    raw_segment: int = Field(
        description="The segment of the nearest centroid; another one only where hysteresis keeps "
        "a stored customer in its segment."
    )
    next_best_action: StrategyWords | None = Field(
        description="The first strategy on a channel that reached the customer before; null where "
        "nobody wrote one."
    )
    is_outlier: bool = Field(description="Whether far from every centroid.")
    explanation: ExplanationAnswer | None = Field(description="Why, where that was asked for.")


def assignment_answer(found: ExplainedAssignment, *, explained: bool) -> AssignmentAnswer:
    """Return an assignment as the API tells it."""
    explanation = found.explanation
    return AssignmentAnswer(
        model_version=found.model_version,
        segment=SegmentWords.model_validate(found.segment),
        raw_segment=explanation.segment,
        next_best_action=found.action and StrategyWords.model_validate(found.action),
        is_outlier=explanation.is_outlier,
        explanation=ExplanationAnswer.model_validate(explanation) if explained else None,
    )
