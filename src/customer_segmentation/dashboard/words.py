"""What figures mean, in plain words, and how good that is."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How good a figure is; shown as a sign too, and not by colour alone."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"

    @property
    def sign(self) -> str:
        """The sign that stands for it."""
        return {Grade.GOOD: "✓", Grade.FAIR: "!", Grade.POOR: "✕"}[self]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a figure means.

    Attributes:
        grade: how good that is.
        short: in a word or two.
        long: in a sentence.
    """

    grade: Grade
    short: str
    long: str


DRIFT = {
    "unknown": Meaning(
        Grade.FAIR,
        "unknown",
        "Nobody is there to be compared, or customers are being re-scored just now.",
    ),
    "stable": Meaning(
        Grade.GOOD, "stable", "Customers are like those that the model was trained on."
    ),
    "moderate": Meaning(Grade.FAIR, "moderate", "Some attributes moved: look at them under Model."),
    "large": Meaning(Grade.POOR, "large", "Customers have changed: a retrain is due."),
}
"""What levels of drift mean."""


def stability_meaning(stability: float) -> Meaning:
    """Return what a mean adjusted Rand index over bootstraps means.

    Source: Steinley 2004, doi:10.1037/1082-989X.9.3.386, who calls 0.9 excellent, 0.8 good and 0.65
    moderate.
    """
    if stability >= 0.9:
        return Meaning(Grade.GOOD, "stable", "Retraining on samples gives the same segments.")
    if stability >= 0.65:
        return Meaning(Grade.FAIR, "fairly stable", "Trainings on samples differ at the borders.")
    return Meaning(
        Grade.POOR, "not stable", "Trainings on samples find others: do not rely on the segments."
    )


def separation_meaning(silhouette: float) -> Meaning:
    """Return what a mean silhouette means.

    Source: Kaufman and Rousseeuw 1990, "Finding Groups in Data", table 4: above 0.5 a reasonable
    structure, above 0.25 a weak one.
    """
    if silhouette > 0.5:
        return Meaning(Grade.GOOD, "clear", "The segments are clearly apart.")
    if silhouette > 0.25:
        return Meaning(
            Grade.FAIR,
            "overlapping",
            "Segments overlap somewhat, which is normal for behavioural data.",
        )
    return Meaning(Grade.POOR, "weak", "The segments hardly differ at their borders.")
