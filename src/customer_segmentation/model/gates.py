"""Gates: what a new model must show before it serves by itself."""

from dataclasses import dataclass

from customer_segmentation.model.artifact import Model


@dataclass(frozen=True, slots=True)
class Gates:
    """The thresholds of the gates.

    Attributes:
        min_share: the least share of all customers that a segment may hold.
        min_stability: the least mean adjusted Rand index over reseeded bootstraps.
        max_silhouette_loss: how far the silhouette may fall below the serving model's.
    """

    min_share: float = 0.01
    min_stability: float = 0.6
    max_silhouette_loss: float = 0.05


def find_failures(model: Model, serving: Model | None, gates: Gates) -> tuple[str, ...]:
    """Return, in plain words, why a model must not serve by itself; nothing where it may.

    Args:
        model: the new model.
        serving: the model that serves now, None for the first.
        gates: the thresholds.
    """
    failures = []
    customers = max(sum(model.quality.sizes.values()), 1)
    for segment in model.segments:
        share = model.quality.sizes[segment.number] / customers
        if share < gates.min_share:
            failures.append(
                f"Segment {segment.number}, {segment.name}, would hold {share:.2%} of the "
                f"customers; at least {gates.min_share:.2%} is required"
            )
    if model.quality.stability < gates.min_stability:
        failures.append(
            "The data hold no stable segments: refits on bootstraps agree with an adjusted Rand "
            f"index of {model.quality.stability:.2f}; at least {gates.min_stability:.2f} is "
            "required"
        )
    if serving is not None:
        failures += _failures_beside(model, serving, gates)
    return tuple(failures)


def _failures_beside(model: Model, serving: Model, gates: Gates) -> list[str]:
    failures = []
    loss = serving.quality.silhouette - model.quality.silhouette
    if loss > gates.max_silhouette_loss:
        failures.append(
            f"The silhouette would fall from {serving.quality.silhouette:.2f} to "
            f"{model.quality.silhouette:.2f}; a loss of at most {gates.max_silhouette_loss:.2f} "
            "is allowed"
        )
    kept = set(model.numbers.tolist())
    if len(model.segments) >= len(serving.segments):
        failures += [
            f"Segment {segment.number}, {segment.name}, would be lost: no new cluster is near "
            "enough to it and shares enough of its customers"
            for segment in serving.segments
            if segment.number not in kept
        ]
    return failures
