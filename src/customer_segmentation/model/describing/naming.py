"""Naming segments: the very first model's by their profile, new ones by what sets them apart."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, combinations, count

import numpy as np
from scipy.optimize import linear_sum_assignment

from customer_segmentation.domain.attributes import OTHER, Attribute
from customer_segmentation.domain.schema import Profile
from customer_segmentation.domain.segments import Segment, Strategy, as_read
from customer_segmentation.model.describing.profile import (
    AttributeProfile,
    Standout,
    is_yes_or_no,
    strongest,
    yes_share,
    yes_words,
)

_FORBIDDEN = -1e6
"""Worse than any sum of scores, as most attributes deviate by a few."""

_AVERAGE = "Close to average"
_WORDS = 6
_MOST = 0.5
_LONGEST = 200
"""How long a segment's name may be."""

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
    read = {as_read(name) for name in taken}
    others = (f"Segment {other}" for other in count(number))
    names = chain(_names(attributes), others)
    name = next(name for name in names if as_read(name) not in read and len(name) <= _LONGEST)
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
    feature, standout = attribute.declared, attribute.standout
    if standout is not None:
        return _word_of_category(feature, standout)
    if attribute.is_below and feature.low:
        return feature.low
    # Who owes less than others has no high balance.
    if attribute.is_above and feature.high:
        return feature.high
    if is_yes_or_no(feature):
        return _word_of_yes(feature, attribute)
    return f"{'lower' if attribute.is_below else 'higher'} {feature.title}"


def _word_of_category(feature: Attribute, standout: Standout) -> str:
    """Return what a category's share says, such as "mostly France"."""
    label = standout.label
    if label == OTHER or not any(letter.isalpha() for letter in label):
        label = f"{feature.title} {label}"
    if standout.deviations > 0.0:
        return f"mostly {label}" if standout.share > _MOST else f"more often {label}"
    return f"no {label}" if standout.share == 0.0 else f"less often {label}"


def _word_of_yes(feature: Attribute, attribute: AttributeProfile) -> str:
    """Return what the share of a yes says, such as "no card" where nobody has one."""
    share = yes_share(feature, attribute.told)
    yes, no = yes_words(feature)
    if attribute.told_deviations > 0.0:
        return f"mostly {yes}" if share > _MOST else f"more often {yes}"
    if share == 0.0:
        return no if no == f"no {feature.title}" else f"only {no}"
    return f"mostly {no}" if share < 1.0 - _MOST else f"less often {yes}"


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
