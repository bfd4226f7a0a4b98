"""Naming the very first model's clusters by their profile."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.features import FEATURE_NAMES, FEATURES
from customer_segmentation.domain.segments import PROFILES, Profile, Segment, Strategy


def name_by_profile(deviations: FloatArray) -> tuple[Segment, ...]:
    """Return each cluster's segment, the names given so that the sum of all scores is greatest.

    With more clusters than profiles, those left over are named after what sets them apart.

    Args:
        deviations: (k, 14), each cluster's average in standard deviations from everybody's.

    Returns:
        k segments in the order of the clusters, numbered from 0 in the order of the profiles.
    """
    rules = np.array([[p.rule.get(name, 0.0) for name in FEATURE_NAMES] for p in PROFILES])
    clusters, profiles = linear_sum_assignment(-deviations @ rules.T)
    profile_of = dict(zip(clusters.tolist(), profiles.tolist(), strict=True))
    order = sorted(range(len(deviations)), key=lambda c: (profile_of.get(c, len(PROFILES)), c))
    segments = {
        cluster: (
            _segment_of(PROFILES[profile_of[cluster]], number)
            if cluster in profile_of
            else new_segment(number, deviations[cluster])
        )
        for number, cluster in enumerate(order)
    }
    return tuple(segments[cluster] for cluster in range(len(deviations)))


def new_segment(number: int, deviations: FloatArray) -> Segment:
    """Name a segment that no profile and no serving segment fits, by what sets it apart.

    Args:
        number: the segment's number.
        deviations: (14,), its average in standard deviations from everybody's.
    """
    strongest = np.argsort(-np.abs(deviations), kind="stable")[:2]
    parts = [
        f"{'High' if deviations[j] > 0 else 'Low'} {FEATURES[j].record_name}" for j in strongest
    ]
    return Segment(number, f"{', '.join(parts)} ({number})", (Strategy("Review this new segment"),))


def _segment_of(profile: Profile, number: int) -> Segment:
    return Segment(number, profile.name, (Strategy(profile.strategy),))
