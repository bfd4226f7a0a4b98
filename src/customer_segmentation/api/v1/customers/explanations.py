"""An explained assignment in answers."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.v1.segments.words import SegmentWords, StrategyWords
from customer_segmentation.domain.attributes import Attribute, Value
from customer_segmentation.services.customers.explanation import ExplainedAssignment

_VALUES = frozenset({"value", "typical", "typical_other", "needed"})


class ContributionAnswer(BaseModel):
    """How much one attribute pulls towards a segment rather than towards another."""

    model_config = ConfigDict(from_attributes=True)

    attribute: str = Field(description="Its name.")
    value: Value | None = Field(description="The customer's value; null where it is not known.")
    typical: Value = Field(
        description="The value at the nearest segment's centroid, or the category that most of its "
        "customers have."
    )
    typical_other: Value = Field(description="Likewise, of the other segment.")
    pull: float = Field(
        description="Above 0 it speaks for the nearest segment, below 0 for the other; all pulls "
        "add up to the difference of the squared distances."
    )


class ChangeAnswer(BaseModel):
    """The smallest change of one attribute, all others kept, that leads to a segment."""

    model_config = ConfigDict(from_attributes=True)

    segment: int = Field(description="The segment it leads to.")
    attribute: str = Field(description="Its name.")
    value: Value | None = Field(description="The value now; null where it is not known.")
    needed: Value = Field(description="The value it takes.")


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
        explanation=_explained(found) if explained else None,
    )


def _explained(found: ExplainedAssignment) -> ExplanationAnswer:
    why, attributes = found.explanation, found.attributes
    return ExplanationAnswer(
        segment=why.segment,
        other=why.other,
        distances=why.distances,
        confidence=why.confidence,
        is_outlier=why.is_outlier,
        contributions=[
            ContributionAnswer.model_validate(shown_values(attributes, asdict(one)))
            for one in why.contributions
        ],
        changes=[
            ChangeAnswer.model_validate(shown_values(attributes, asdict(one)))
            for one in why.changes
        ],
    )


def shown_values(attributes: Mapping[str, Attribute], told: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of an attribute, with its values as people see them.

    Args:
        attributes: by name.
        told: with the attribute's name, and values of it.
    """
    attribute = attributes[told["attribute"]]

    def show(value: float) -> Value | None:
        # A centroid may lie between two categories.
        return attribute.show(value if isnan(value) or not attribute.categories else round(value))

    return {name: show(value) if name in _VALUES else value for name, value in told.items()}
