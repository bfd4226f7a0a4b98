"""How a segment's customers differ from everybody, attribute by attribute."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.service import read_distributions
from customer_segmentation.dashboard.style import label_of, number_of, signed
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """How a segment differs from everybody in an attribute.

    Attributes:
        attribute: which.
        profile: what the service tells of it.
        deviations: by how many standard deviations; of a nominal attribute, those of the category
            that tells most apart. 0 where that is not known.
        label: the attribute's, with that category.
        figure: the deviations, for people.
    """

    attribute: Attribute
    profile: dict[str, Any]
    deviations: float
    label: str
    figure: str


def differences(segment: dict[str, Any]) -> list[Difference]:
    """Return how a segment differs, in what it does most first."""
    found = [_difference(segment["number"], *pair) for pair in declared(segment["profile"])]
    return sorted(found, key=lambda one: -abs(one.deviations))


def _difference(number: int, attribute: Attribute, profile: dict[str, Any]) -> Difference:
    label, deviations = label_of(attribute), profile["trimmed_deviations"]
    if attribute.kind is not Kind.NOMINAL:
        figure = NOT_KNOWN if deviations is None else signed(deviations)
        return Difference(attribute, profile, deviations or 0.0, label, figure)
    groups = read_distributions()[attribute.name]["groups"]
    if any(None in group["counts"].values() for group in groups):
        return Difference(attribute, profile, 0.0, label, number_of(None))
    ours = [group["counts"][str(number)] for group in groups]
    everybody = [sum(group["counts"].values()) for group in groups]
    deviations, place = _farthest(ours, everybody)
    told = attribute.labels[attribute.choices[place]]
    return Difference(attribute, profile, deviations, f"{label}: {told}", signed(deviations))


def _farthest(ours: list[int], everybody: list[int]) -> tuple[float, int]:
    """Return by how many standard deviations of its indicator a category differs most, and which.

    Args:
        ours: the segment's customers by category.
        everybody: all customers by category.
    """
    found = []
    for place, (held, of_all) in enumerate(zip(ours, everybody, strict=True)):
        share, usual = held / max(sum(ours), 1), of_all / max(sum(everybody), 1)
        spread = sqrt(usual * (1.0 - usual))
        found.append(((share - usual) / spread if spread and sum(ours) else 0.0, place))
    return max(found, key=lambda one: abs(one[0]))
