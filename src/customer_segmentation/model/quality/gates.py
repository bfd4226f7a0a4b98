"""Gates: what a new model must show before it serves by itself."""

from dataclasses import dataclass

from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.artifact import Match, Model


@dataclass(frozen=True, slots=True)
class Gates:
    """The thresholds of the gates.

    Attributes:
        min_share: the least share of all customers that a segment may hold.
        min_stability: the least mean adjusted Rand index over reseeded bootstraps.
        max_silhouette_loss: how far the silhouette may fall below the active model's.
    """

    min_share: float = 0.01
    min_stability: float = 0.6
    max_silhouette_loss: float = 0.05


def told_apart(figure: float, limit: float, digits: int, kind: str = "f") -> tuple[str, str]:
    """Write a figure and its limit with as many digits as show which is the greater.

    >>> told_apart(0.2, 0.6, 2), told_apart(0.0504, 0.05, 2)
    (('0.20', '0.60'), ('0.0504', '0.0500'))
    """
    for more in range(digits, 18):
        texts = f"{figure:.{more}{kind}}", f"{limit:.{more}{kind}}"
        if texts[0] != texts[1]:
            return texts
    return f"{figure:.{digits}{kind}}", f"{limit:.{digits}{kind}}"


def find_weaknesses(stability: float, least_share: float, gates: Gates) -> tuple[str, ...]:
    """Return the gates that a clustering fails by itself: what a study and a training both ask."""
    failed = ("smallest segment",) if least_share < gates.min_share else ()
    return (*failed, "stability") if stability < gates.min_stability else failed


def find_failures(model: Model, serving: Model | None, gates: Gates) -> tuple[str, ...]:
    """Return, in plain words, why a model must not become active by itself; nothing where it may.

    Args:
        model: the new model.
        serving: the active model, None for the first.
        gates: the thresholds.
    """
    failures = []
    customers = max(sum(model.quality.sizes.values()), 1)
    for segment in model.segments:
        share = model.quality.sizes[segment.number] / customers
        if share < gates.min_share:
            told, least = told_apart(share, gates.min_share, 2, "%")
            failures.append(
                f"Segment {segment.number}, {segment.name}, would hold {told} of the "
                f"customers; at least {least} is required"
            )
    if model.quality.stability < gates.min_stability:
        told, least = told_apart(model.quality.stability, gates.min_stability, 2)
        failures.append(
            "The data hold no stable segments: refits on bootstraps agree with an adjusted Rand "
            f"index of {told}; at least {least} is required"
        )
    if serving is not None:
        failures += _failures_beside(model, serving, gates)
    return tuple(failures)


def _failures_beside(model: Model, serving: Model, gates: Gates) -> list[str]:
    failures = []
    loss = serving.quality.silhouette - model.quality.silhouette
    if loss > gates.max_silhouette_loss:
        told, most = told_apart(loss, gates.max_silhouette_loss, 2)
        failures.append(
            f"The silhouette would fall from {serving.quality.silhouette:.2f} to "
            f"{model.quality.silhouette:.2f}, by {told}; a loss of at most {most} is allowed"
        )
    return failures + _failures_of_matching(model, serving)


def _failures_of_matching(model: Model, serving: Model) -> list[str]:
    """Name the segments whose identity would break: as many must go on as there can be."""
    before, after = serving.numbers.tolist(), model.numbers.tolist()
    if len(set(before) & set(after)) == min(len(before), len(after)):
        return []
    limits = model.parameters.thresholds
    required = (
        f"required are at most {limits.distance:.2f} of the way to the next segment, and at least "
        f"{limits.overlap:.0%} of the customers in both"
    )
    if len(after) < len(before):
        return [
            f"Segment {segment.number}, {segment.name}, would continue none of the active "
            f"segments: it came within {match.distance:.2f} of the way and shares "
            f"{match.overlap:.0%}; {required}"
            for segment, match in zip(_new_segments(model, before), _unmatched(model), strict=True)
        ]
    nearest = min((match.distance for match in _unmatched(model)), default=None)
    told = "" if nearest is None else f", the nearest at {nearest:.2f}"
    return [
        f"Segment {segment.number}, {segment.name}, would be lost: no new cluster is near enough "
        f"to it and shares enough of its customers{told}; {required}"
        for segment in serving.segments
        if segment.number not in after
    ]


def _new_segments(model: Model, before: list[int]) -> list[Segment]:
    return [segment for segment in model.segments if segment.number not in before]


def _unmatched(model: Model) -> list[Match]:
    """Return the matches of the clusters that continue no segment: new ones, in their order."""
    return [match for match in model.matching if match.number is None]
