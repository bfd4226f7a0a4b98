"""Requests for trainings, and model versions, comparisons and drift in answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.fields import NUMBER, AttributeName
from customer_segmentation.api.v1.jobs import Asked
from customer_segmentation.api.v1.segments.words import SegmentWords
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.jobs import Trigger
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.services.models.registry import Version
from customer_segmentation.services.training.start import Overrides

Centroids = Annotated[
    dict[int, dict[str, float]],
    Field(description="By segment number, each attribute at the centroid, in users' units."),
]


class TrainingRequest(Asked):
    """How a training differs from the settings; what is left out is as they say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"seed": 7, "by": "Ada", "reason": "quarterly"}]}
    )

    k: Annotated[int, Field(ge=MIN_SEGMENTS, le=MAX_SEGMENTS), NUMBER] | None = Field(
        default=None, description="The number of segments."
    )
    seed: Annotated[int, Field(ge=0, lt=2**32), NUMBER] | None = Field(
        default=None, description="Of every random choice."
    )
    restarts: Annotated[int, Field(ge=1, le=100), NUMBER] | None = Field(
        default=None, description="Random starts to try."
    )
    exclude: list[AttributeName] | None = Field(
        default=None,
        max_length=1_000,
        description="Attributes that the model must not use, by request name.",
        examples=[["gender", "age"]],
    )
    weights: dict[AttributeName, Annotated[float, Field(ge=0, le=100), NUMBER]] | None = Field(
        default=None,
        description="How much attributes count in place of the schema's weights.",
        examples=[{"loyalty_score": 1.5}],
    )

    @property
    def overrides(self) -> Overrides:
        """What differs from the settings."""
        excluded = None if self.exclude is None else tuple(self.exclude)
        return Overrides(self.k, self.seed, self.restarts, excluded, self.weights)


class QualityAnswer(BaseModel):
    """How good and how stable a model is."""

    model_config = ConfigDict(from_attributes=True)

    inertia: float = Field(description="Sum of squared distances to the nearest centroid.")
    silhouette: float = Field(description="From -1 to 1, the higher the better.")
    stability: float = Field(description="Mean adjusted Rand index over reseeded bootstraps.")
    sizes: dict[int, int | None] = Field(
        description="Customers by segment number, at training; null where it is hidden."
    )


class VersionSummary(BaseModel):
    """A model version in brief."""

    version: int = Field(description="Its number, rising with every training.")
    created_at: datetime = Field(description="When its customers were read, in UTC.")
    trigger: Trigger = Field(description="What asked for the training.")
    created_by: str = Field(description="Who asked; empty if unknown.")
    reason: str = Field(description="Why, in their words; may be empty.")
    is_active: bool = Field(description="Whether it is active.")
    is_previous: bool = Field(description="Whether it is the one to roll back to.")
    has_served: bool = Field(description="Whether it ever served.")
    held_back: list[str] = Field(description="Why it did not become active by itself.")
    customers: int = Field(description="How many it was trained on.")
    quality: QualityAnswer


class ParametersAnswer(BaseModel):
    """How a model was trained."""

    model_config = ConfigDict(from_attributes=True)

    k: int = Field(description="The number of segments.")
    seed: int = Field(description="Of every random choice.")
    restarts: int = Field(description="Random starts that were tried.")
    weights: dict[str, float] = Field(description="By attribute, 0 for one that is not used.")
    excluded: tuple[str, ...] = Field(description="Attributes that it was told not to use.")
    hysteresis: float = Field(
        description="How much nearer, as a share of the distance, another segment must be before a "
        "customer leaves its own."
    )


class MatchAnswer(BaseModel):
    """How a segment continues one of the model before."""

    model_config = ConfigDict(from_attributes=True)

    number: int | None = Field(description="The segment continued; null for a new one.")
    distance: float = Field(
        description="Between the centroids, as a share of the way to the next segment."
    )
    overlap: float = Field(description="Customers in both as a share of those in either.")


class AttributeSummary(BaseModel):
    """One attribute of the training data, in users' units."""

    model_config = ConfigDict(from_attributes=True)

    mean: float = Field(description="The mean.")
    deviation: float = Field(description="The standard deviation.")
    minimum: float | None = Field(
        description="Rounded outwards to two digits; null where extremes are hidden."
    )
    maximum: float | None = Field(
        description="Rounded outwards to two digits; null where extremes are hidden."
    )


class FingerprintAnswer(BaseModel):
    """Which data a model was trained on."""

    model_config = ConfigDict(from_attributes=True)

    customers: int = Field(description="How many.")
    sha256: str = Field(description="Of ids and attributes, the same for the same customers.")
    attributes: dict[str, AttributeSummary] = Field(description="By attribute.")


class ActivationAnswer(BaseModel):
    """A time when a version began to serve."""

    model_config = ConfigDict(from_attributes=True)

    previous: int | None = Field(description="The version before; null for the first.")
    cause: Cause
    activated_at: datetime = Field(description="When, in UTC.")
    activated_by: str = Field(description="Who said so; empty if unknown.")
    reason: str = Field(description="Why, in their words; may be empty.")


class VersionAnswer(VersionSummary):
    """A model version whole."""

    parameters: ParametersAnswer
    segments: list[SegmentWords]
    centroids: Centroids
    matching: list[MatchAnswer]
    fingerprint: FingerprintAnswer
    outlier_distance: float = Field(description="Whoever is farther from every centroid is one.")
    libraries: dict[str, str] = Field(
        description="Versions of this service, of Python and of what fitted the model."
    )
    activations: list[ActivationAnswer]


class Versions(BaseModel):
    """Every version that is kept, the newest first."""

    models: list[VersionSummary]


class FateAnswer(BaseModel):
    """What becomes of a segment."""

    number: int = Field(description="The segment's number.")
    name: str = Field(description="The segment's name.")
    fate: Literal["kept", "new", "split", "merged", "retired"] = Field(
        description="Kept or new; or gone: split, merged into another, or retired."
    )
    size_before: int | None = Field(description="null for a new segment, or where hidden.")
    size_after: int | None = Field(description="null for one that is gone, or where hidden.")
    into: list[int] = Field(description="Where the customers of one that is gone go to.")


class ImpactAnswer(BaseModel):
    """What changes for the customers between two versions."""

    before: int = Field(description="The one version.")
    after: int = Field(description="The other version.")
    customers: int = Field(description="How many were compared.")
    moved: int | None = Field(description="Customers who would be in another segment.")
    moved_share: float | None = Field(description="Their share of all customers.")
    agreement: float = Field(description="Adjusted Rand index of the two segmentations.")
    matrix: dict[int, dict[int, int | None]] = Field(
        description="Customers by segment before and by segment after; null where hidden."
    )
    segments: list[FateAnswer]
    strategies_touched: list[str] = Field(
        description="Main strategies of the segments that customers would leave or enter."
    )
    centroids_before: Centroids
    centroids_after: Centroids
    quality_before: QualityAnswer
    quality_after: QualityAnswer


class AttributeDriftAnswer(BaseModel):
    """How far an attribute has drifted."""

    model_config = ConfigDict(from_attributes=True)

    attribute: str = Field(description="Its name.")
    psi: float = Field(description="Population stability index; 0 where nothing changed.")
    level: Literal["unknown", "stable", "moderate", "large"] = Field(
        description="What the index means, as of the whole."
    )
    statistic: float = Field(description="Of the two-sample chi-square test.")
    freedom: int = Field(description="Its degrees of freedom.")
    p_value: float = Field(
        description="How likely so large a statistic is where nothing has changed."
    )


class SqlAnswer(BaseModel):
    """A model's rule as SQL."""

    sql: str = Field(description="One statement, without a semicolon at its end.")


class DriftAnswer(BaseModel):
    """How far the customers have drifted from the active model's training data."""

    model_config = ConfigDict(from_attributes=True)

    model_version: int = Field(description="The active version.")
    psi: float = Field(description="The largest of all indexes.")
    level: Literal["unknown", "stable", "moderate", "large"] = Field(
        description="Below 0.1 stable, below 0.25 moderate, else large; unknown where nobody is "
        "there, or while customers are re-scored."
    )
    segments_psi: float = Field(description="The index of the segments' shares.")
    trained_shares: dict[int, float | None] = Field(
        description="By segment number, the share at training; null where it is hidden."
    )
    current_shares: dict[int, float | None] = Field(
        description="By segment number, the share now; null where it is hidden."
    )
    attributes: list[AttributeDriftAnswer]


def version_summary(version: Version) -> VersionSummary:
    """Return a version in brief."""
    return VersionSummary(**_summary(version))


def _summary(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "created_at": version.created_at,
        "trigger": version.origin.trigger,
        "created_by": version.origin.by,
        "reason": version.origin.reason,
        "is_active": version.is_active,
        "is_previous": version.is_previous,
        "has_served": bool(version.activations),
        "held_back": list(version.held_back),
        "customers": version.model.fingerprint.customers,
        "quality": QualityAnswer.model_validate(version.model.quality),
    }


def version_answer(version: Version) -> VersionAnswer:
    """Return a version whole."""
    model = version.model
    parameters = model.parameters
    return VersionAnswer(
        **_summary(version),
        parameters=ParametersAnswer(
            k=parameters.k,
            seed=parameters.seed,
            restarts=parameters.restarts,
            weights=version.weights,
            excluded=parameters.excluded,
            hysteresis=parameters.hysteresis,
        ),
        segments=[SegmentWords.model_validate(segment) for segment in model.segments],
        centroids=version.centroids,
        matching=[MatchAnswer.model_validate(match) for match in model.matching],
        fingerprint=FingerprintAnswer.model_validate(model.fingerprint),
        outlier_distance=model.outlier_distance,
        libraries=model.libraries,
        activations=[ActivationAnswer.model_validate(past) for past in version.activations],
    )
