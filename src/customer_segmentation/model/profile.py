"""Segment profiles: what a segment's customers are like, in users' units."""

from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.features import FEATURES, Feature, readable
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.distribution import Distribution

_WORTH_TELLING = 0.25
"""Standard deviations from everybody's mean that make an attribute worth a word."""

_TOLD = 3
AGE_BANDS = ((0, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 130))


@dataclass(frozen=True, slots=True)
class AttributeProfile:
    """One attribute of one segment's customers, in users' units.

    Attributes:
        attribute: its request name.
        mean: the mean, exact.
        lower_quartile: a quarter of the customers lie below, to within a percentile of everybody.
        median: half of them lie below, likewise.
        upper_quartile: three quarters of them lie below, likewise.
        difference: the mean less everybody's mean.
        deviations: that difference in standard deviations of the training data.
        shares: the share of customers with each code, for a coded attribute.
    """

    attribute: str
    mean: float
    lower_quartile: float
    median: float
    upper_quartile: float
    difference: float
    deviations: float
    shares: dict[int, float]


@dataclass(frozen=True, slots=True)
class SegmentProfile:
    """What a segment's customers are like.

    Attributes:
        number: the segment's number.
        size: how many customers it has.
        share: of all customers.
        outliers: how many of them are far from every centroid.
        attributes: a profile of each attribute, in the feature table's order; none without
            customers.
        summary: one sentence that tells the segment apart.
    """

    number: int
    size: int
    share: float
    outliers: int
    attributes: tuple[AttributeProfile, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class GroupShares:
    """How a group of people is spread over the segments.

    Attributes:
        group: such as "Female" or "25-34".
        size: how many customers the group has.
        shares: by segment number, the share of the group that is in it.
        ratios: by segment number, that share as a multiple of everybody's; 1 is parity, None for a
            segment without customers.
    """

    group: str
    size: int
    shares: dict[int, float]
    ratios: dict[int, float | None]


def profile_segments(model: Model, distribution: Distribution) -> tuple[SegmentProfile, ...]:
    """Profile each segment of a model over customers counted by its bins."""
    sizes = distribution.sizes
    total = max(int(sizes.sum()), 1)
    everybody = distribution.sums.sum(axis=0) / total
    profiles = []
    for row, segment in enumerate(model.segments):
        size = int(sizes[row])
        attributes = tuple(
            _profile_attribute(model, distribution, row, j, float(everybody[j]))
            for j in range(len(FEATURES) if size else 0)
        )
        profiles.append(
            SegmentProfile(
                number=segment.number,
                size=size,
                share=size / total,
                outliers=int(distribution.outliers[row]),
                attributes=attributes,
                summary=_summarise(size, size / total, attributes, everybody),
            )
        )
    return tuple(profiles)


def group_shares(
    model: Model, distribution: Distribution
) -> tuple[tuple[GroupShares, ...], tuple[GroupShares, ...]]:
    """Return each gender's and each age band's shares of the segments, for a look at fairness.

    The ratio is the one that the "four-fifths rule" looks at (29 CFR 1607.4 D), with everybody as
    the reference.
    """
    names = [feature.name for feature in FEATURES]
    gender = names.index("gender")
    by_gender = distribution.counts[:, model.bins.of_attribute(gender)]
    by_age = distribution.counts[:, model.bins.of_attribute(names.index("age"))]
    numbers = model.numbers.tolist()
    codes = FEATURES[gender].codes
    genders = tuple(_group(codes[code], by_gender[:, code], by_gender, numbers) for code in codes)
    bands = tuple(
        _group(f"{least}-{most}", by_age[:, least : most + 1].sum(axis=1), by_age, numbers)
        for least, most in AGE_BANDS
    )
    return genders, tuple(band for band in bands if band.size)


def _group(label: str, counts: IntArray, everybody: IntArray, numbers: list[int]) -> GroupShares:
    size = int(counts.sum())
    shares = counts / max(size, 1)
    overall = everybody.sum(axis=1) / max(int(everybody.sum()), 1)
    return GroupShares(
        group=label,
        size=size,
        shares=dict(zip(numbers, shares.tolist(), strict=True)),
        ratios={
            number: None if everyone == 0.0 else share / everyone
            for number, share, everyone in zip(
                numbers, shares.tolist(), overall.tolist(), strict=True
            )
        },
    )


def _profile_attribute(
    model: Model, distribution: Distribution, row: int, position: int, everybody: float
) -> AttributeProfile:
    feature = FEATURES[position]
    counts = distribution.counts[row, model.bins.of_attribute(position)]
    size = int(counts.sum())
    mean = float(distribution.sums[row, position]) / size
    summary = model.fingerprint.attributes[feature.name]
    ends = np.concatenate([[summary.minimum], model.bins.cuts[position], [summary.maximum]])
    quartiles = [_quantile(feature, counts, ends, share) for share in (0.25, 0.5, 0.75)]
    deviation = summary.deviation
    return AttributeProfile(
        attribute=feature.name,
        mean=mean,
        lower_quartile=quartiles[0],
        median=quartiles[1],
        upper_quartile=quartiles[2],
        difference=mean - everybody,
        deviations=(mean - everybody) / deviation if deviation > 0.0 else 0.0,
        shares=dict(zip(feature.codes, (counts / size).tolist(), strict=False)),
    )


def _quantile(feature: Feature, counts: IntArray, ends: FloatArray, share: float) -> float:
    """Return the value below which a share of the customers lies, from the counts of its bins."""
    reached = np.cumsum(counts)
    wanted = share * reached[-1]
    place = int(np.searchsorted(reached, wanted))
    low, high = float(ends[place]), max(float(ends[place + 1]), float(ends[place]))
    before = float(reached[place - 1]) if place else 0.0
    inside = (wanted - before) / float(counts[place])
    if feature.is_integer:
        # The bin holds the whole numbers from its cut up to, but without, the next one.
        last = high - 1 if place < len(counts) - 1 else high
        return float(np.floor(low + inside * max(last - low, 0.0)))
    return low + inside * (high - low)


def _summarise(
    size: int, share: float, attributes: tuple[AttributeProfile, ...], everybody: FloatArray
) -> str:
    if not attributes:
        return "No customer is in this segment now."
    sentence = f"{size:,} customers ({share:.0%} of all)"
    strongest = sorted(range(len(attributes)), key=lambda j: -abs(attributes[j].deviations))[:_TOLD]
    told = [
        _phrase(FEATURES[j], attributes[j], float(everybody[j]))
        for j in strongest
        if abs(attributes[j].deviations) >= _WORTH_TELLING
    ]
    if not told:
        return f"{sentence}, much like everybody else."
    return f"{sentence}: {', '.join(told)}."


def _phrase(feature: Feature, profile: AttributeProfile, everybody: float) -> str:
    if len(feature.codes) == 2:
        code = max(feature.codes)
        words = feature.record_name if feature.codes[code] == "True" else feature.codes[code]
        return f"{words} {profile.mean:.0%} (everybody {everybody:.0%})"
    word = "higher" if profile.difference > 0 else "lower"
    means = f"mean {readable(profile.mean)}, everybody {readable(everybody)}"
    return f"{word} {feature.record_name} ({means})"
