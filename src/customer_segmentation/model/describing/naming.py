"""Naming segments: the very first model's by their profile, new ones by what sets them apart."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from customer_segmentation.domain.schema import Profile
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.model.describing.profile import AttributeProfile, strongest

_FORBIDDEN = -1e6
"""Worse than any sum of scores, as most attributes deviate by a few."""

_AVERAGE = "Close to average"
_WORDS = 6

Attributes = tuple[AttributeProfile, ...]


def name_by_profile(
    clusters: Sequence[Attributes], profiles: Sequence[Profile]
) -> tuple[Segment, ...]:
    """Return each cluster's segment.

    A profile names a cluster only where its conditions hold; among those, names are given so that
    the sum of all scores is greatest. All other clusters are named after what sets them apart.

    Args:
        clusters: each one's attributes.
        profiles: of the schema.

    Returns:
        the segments in the order of the clusters, numbered from 0 in the order of the profiles.
    """
    scores = np.array([[_score(profile, own) for profile in profiles] for own in clusters])
    scores = scores.reshape(len(clusters), len(profiles))
    pairs = zip(*(found.tolist() for found in linear_sum_assignment(-scores)), strict=True)
    profile_of = {row: place for row, place in pairs if scores[row, place] > _FORBIDDEN}
    last = len(profiles)
    order = sorted(range(len(clusters)), key=lambda c: (profile_of.get(c, last), c))
    segments: dict[int, Segment] = {}
    for number, cluster in enumerate(order):
        if cluster in profile_of:
            profile = profiles[profile_of[cluster]]
            segments[cluster] = Segment(number, profile.name, (Strategy(profile.strategy),))
        else:
            taken = [segment.name for segment in segments.values()]
            segments[cluster] = new_segment(number, clusters[cluster], taken)
    return tuple(segments[cluster] for cluster in range(len(clusters)))


def new_segment(number: int, attributes: Attributes, taken: Collection[str]) -> Segment:
    """Name a segment that no profile and no serving segment fits, by what sets it apart.

    Args:
        number: the segment's number.
        attributes: of its customers.
        taken: the names of the other segments.
    """
    names = (name for name in _names(attributes) if name not in taken)
    name = next(names, f"Segment {number}")
    return Segment(number, name, ())


def _names(attributes: Attributes) -> Iterator[str]:
    """Yield names that are true of a segment, the one that tells most first."""
    # What the model does not look at, such as an outcome, is no name for what it has found.
    clear = [attribute for attribute in strongest(attributes) if attribute.declared.used]
    if attributes and not clear:
        yield _AVERAGE
    words = [_word(attribute) for attribute in clear[:_WORDS]]
    for many in (2, 3, 1):
        for chosen in combinations(words, many):
            name = ", ".join(chosen)
            yield name[0].upper() + name[1:]


def _word(attribute: AttributeProfile) -> str:
    feature = attribute.declared
    if attribute.is_below:
        return feature.low or f"lower {feature.title}"
    # Who owes less than others has no high balance.
    return feature.high if attribute.is_above and feature.high else f"higher {feature.title}"


def _score(profile: Profile, attributes: Attributes) -> float:
    """Return how well a profile's name fits a cluster, `_FORBIDDEN` where it is not true."""
    by_name = {attribute.attribute: attribute for attribute in attributes}
    holds = bool(attributes) and (
        all(by_name[name].is_above for name in profile.above)
        and all(by_name[name].is_below for name in profile.below)
        and all(by_name[name].is_usual for name in profile.usual)
    )
    if not holds:
        return _FORBIDDEN
    return sum(weight * by_name[name].told_deviations for name, weight in profile.rule.items())
