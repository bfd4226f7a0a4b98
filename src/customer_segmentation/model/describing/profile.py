"""Segment profiles: what a segment's customers are like, in users' units."""

from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Kind
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.artifact import Fingerprint, Model
from customer_segmentation.model.monitoring.distribution import Bins, Distribution

_WORTH_TELLING = 0.25
"""Standard deviations from everybody's mean that make an attribute worth a word."""

QUARTERS = (0.25, 0.5, 0.75)

_YES_NO = {0: "no", 1: "yes"}
_TOLD = 3
_YES = {"true", "yes", "y", "1"}
_TRIMMED = 0.05
_SLACK = 1e-9
_UNFINISHED = "Customers are being re-scored: not all of this segment's are counted yet."


@dataclass(frozen=True, slots=True)
class Standout:
    """The category of a nominal attribute whose share in a segment differs most from everybody's.

    Attributes:
        label: what people call it.
        share: of the segment's customers who have the attribute.
        share_of_all: of everybody who has it.
        deviations: the difference in standard deviations of whether somebody is in it.
    """

    label: str
    share: float
    share_of_all: float
    deviations: float


@dataclass(frozen=True, slots=True)
class AttributeProfile:
    """One attribute of one segment's customers, in users' units.

    Attributes:
        declared: the attribute.
        mean: the mean, exact.
        trimmed_mean: the mean without the twentieth of the customers who have least and the one who
            have most, so that no single value decides; each value to within a percentile. Of a
            coded attribute, the mean.
        lower_quartile: a quarter of the customers lie below, to within a percentile of everybody.
        median: half of them lie below, likewise.
        upper_quartile: three quarters of them lie below, likewise.
        difference: the mean less everybody's mean.
        deviations: that difference in standard deviations of the training data.
        trimmed_deviations: the trimmed mean less everybody's, likewise.
        shares: the share of customers with each code, for a coded attribute, of those who have one.
        missing: the share of customers who lack the attribute; all else is of those who have it.
        told: what sentences and names go by: the mean, unless values beyond those of the training
            move a mean of this attribute out of where its counts can lie; then the trimmed mean.
        told_of_all: that of everybody.
        told_deviations: the difference of the two in standard deviations of the training data.
        is_trimmed: whether it is the trimmed mean.
        is_clear: whether names and sentences may say that the segment differs: by a quarter of a
            standard deviation, seen in the figures as people read them, with medians that do not
            say the contrary, and not by who is not scored yet.
        is_usual: whether half of the customers have as much as half of everybody, and some.
        standout: of a nominal attribute, where a category clearly sets the segment apart.
    """

    declared: Attribute
    mean: float
    trimmed_mean: float
    lower_quartile: float
    median: float
    upper_quartile: float
    difference: float
    deviations: float
    trimmed_deviations: float
    shares: dict[int, float]
    missing: float
    told: float
    told_of_all: float
    told_deviations: float
    is_trimmed: bool
    is_clear: bool
    is_usual: bool
    standout: Standout | None = None

    @property
    def attribute(self) -> str:
        """Its request name."""
        return self.declared.name

    @property
    def strength(self) -> float:
        """How far it sets the segment apart, in standard deviations; 0 where not clearly."""
        if self.standout is not None:
            return abs(self.standout.deviations)
        return abs(self.told_deviations) if self.is_clear else 0.0

    @property
    def is_above(self) -> bool:
        """Whether the segment clearly has more than everybody, and some."""
        has_some = bool(self.shares) or (self.told > 0.0 and self.median > 0.0)
        return self.is_clear and self.told_deviations > 0.0 and has_some

    @property
    def is_below(self) -> bool:
        """Whether the segment clearly has less than everybody."""
        return self.is_clear and self.told_deviations < 0.0


@dataclass(frozen=True, slots=True)
class SegmentProfile:
    """What a segment's customers are like.

    Attributes:
        number: the segment's number.
        size: how many customers it has.
        share: of all customers.
        outliers: how many of them are far from every centroid.
        attributes: a profile of each attribute, in the model's order; none without
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


def profile_segments(
    model: Model,
    distribution: Distribution,
    bins: Bins | None = None,
    *,
    is_complete: bool = True,
) -> tuple[SegmentProfile, ...]:
    """Profile each segment of a model.

    Args:
        model: the model.
        distribution: of the customers.
        bins: over which they are counted; the model's unless given.
        is_complete: whether all customers are counted.
    """
    bins = bins or model.bins
    sizes = distribution.sizes
    total = max(int(sizes.sum()), 1)
    profiles = profile_clusters(bins, model.fingerprint, distribution)
    return tuple(
        SegmentProfile(
            number=segment.number,
            size=int(sizes[row]),
            share=int(sizes[row]) / total,
            outliers=int(distribution.outliers[row]),
            attributes=attributes,
            summary=_summarise(int(sizes[row]), int(sizes[row]) / total, attributes)
            if is_complete
            else _UNFINISHED,
        )
        for row, (segment, attributes) in enumerate(zip(model.segments, profiles, strict=True))
    )


def profile_clusters(
    bins: Bins, fingerprint: Fingerprint, distribution: Distribution
) -> list[tuple[AttributeProfile, ...]]:
    """Profile each attribute of each cluster that is counted; none of one without customers.

    Args:
        bins: that the distribution is over.
        fingerprint: of the customers of the training.
        distribution: of the customers to profile.
    """
    d = len(bins.attributes)
    everybody = [_Figures.of(bins, fingerprint, distribution, j) for j in range(d)]
    clusters = [
        [_Figures.of(bins, fingerprint, distribution.at(row), j) for j in range(d if size else 0)]
        for row, size in enumerate(distribution.sizes.tolist())
    ]
    # One value that moves everybody's mean must not make a claim about each segment.
    trims = [
        any(figures[j].is_moved for figures in (everybody, *filter(None, clusters)))
        for j in range(d)
    ]
    return [
        tuple(
            _profile_attribute(
                bins, fingerprint, distribution, row, j, own, everybody[j], trims=trims[j]
            )
            for j, own in enumerate(figures)
        )
        for row, figures in enumerate(clusters)
    ]


def group_shares(model: Model, distribution: Distribution) -> dict[str, tuple[GroupShares, ...]]:
    """Return the shares of the segments by groups of each protected attribute, by its name.

    The groups are those of its codes or categories, or its bands that hold anybody, and who lacks
    it. The ratio is the one that the
    "four-fifths rule" looks at (29 CFR 1607.4 D), with everybody as the reference.
    """
    return {
        attribute.name: _groups_of(model, distribution, j)
        for j, attribute in enumerate(model.attributes)
        if attribute.protected and (attribute.is_binary or attribute.choices or attribute.bands)
    }


def _groups_of(model: Model, distribution: Distribution, j: int) -> tuple[GroupShares, ...]:
    attribute, cuts, numbers = model.attributes[j], model.bins.cuts[j], model.numbers.tolist()
    counts = distribution.counts[:, model.bins.of_attribute(j)]
    lacking = distribution.counts[:, model.bins.of_missing(j)].sum(axis=1)
    everybody = counts.sum(axis=1) + lacking
    codes = attribute.labels or _YES_NO
    ranges = attribute.bands or [(code, code) for code in codes]
    labels = codes.values() if not attribute.bands else map(_band_in_words, ranges)
    # A bin of several values counts with the group of its least.
    starts = np.concatenate([[ranges[0][0]], cuts])
    groups = [
        _group(
            label, counts[:, (starts >= least) & (starts <= most)].sum(axis=1), everybody, numbers
        )
        for label, (least, most) in zip(labels, ranges, strict=True)
    ]
    told = [group for group in groups if group.size or not attribute.bands]
    if lacking.any():
        told.append(_group(NOT_KNOWN, lacking, everybody, numbers))
    return tuple(told)


def _band_in_words(band: tuple[int, int]) -> str:
    return f"{band[0]}-{band[1]}"


def _group(label: str, counts: IntArray, everybody: IntArray, numbers: list[int]) -> GroupShares:
    size = int(counts.sum())
    shares = counts / max(size, 1)
    overall = everybody / max(int(everybody.sum()), 1)
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


@dataclass(frozen=True, slots=True)
class _Figures:
    """An attribute's mean and quartiles over some customers.

    `is_moved` is whether the mean is beyond what the counts allow, were every value within those of
    the training: a single value can do that.
    """

    mean: float
    trimmed_mean: float
    lower_quartile: float
    median: float
    upper_quartile: float
    is_moved: bool

    @classmethod
    def of(
        cls, bins: Bins, fingerprint: Fingerprint, distribution: Distribution, position: int
    ) -> "_Figures":
        feature = bins.attributes[position]
        counts = distribution.counts[:, bins.of_attribute(position)].sum(axis=0)
        size = int(counts.sum())
        if size == 0:
            return cls(0.0, 0.0, 0.0, 0.0, 0.0, is_moved=False)
        mean = float(distribution.sums[:, position].sum()) / size
        summary = fingerprint.attributes[feature.name]
        # Beyond the outer cuts there is next to nobody: the training data's ends do for them.
        first = np.minimum([summary.minimum], bins.cuts[position][:1])
        last = np.maximum([summary.maximum], bins.cuts[position][-1:])
        lows = np.concatenate([first, bins.cuts[position]])
        highs = np.concatenate([bins.last_values(position), last])
        lower, median, upper = (
            _quantile(feature, counts, lows, highs, share) for share in QUARTERS
        )
        trimmed_mean = mean if feature.choices else _trimmed_mean(counts, lows, highs)
        shares = counts / size
        least, most = float((shares * lows).sum()), float((shares * highs).sum())
        slack = _SLACK * float((shares * np.maximum(np.abs(lows), np.abs(highs))).sum())
        is_moved = not feature.choices and not least - slack <= mean <= most + slack
        return cls(mean, trimmed_mean, lower, median, upper, is_moved)

    def told(self, *, trims: bool) -> float:
        """Return what sentences go by."""
        return self.trimmed_mean if trims else self.mean


def _profile_attribute(
    bins: Bins,
    fingerprint: Fingerprint,
    distribution: Distribution,
    row: int,
    position: int,
    ours: _Figures,
    everybody: _Figures,
    *,
    trims: bool,
) -> AttributeProfile:
    feature = bins.attributes[position]
    every = distribution.counts[:, bins.of_attribute(position)]
    counts = every[row]
    lacking = int(distribution.counts[row, bins.of_missing(position)].sum())
    known = int(counts.sum())
    deviation = fingerprint.attributes[feature.name].deviation
    difference = ours.mean - everybody.mean
    deviations = difference / deviation if deviation > 0.0 else 0.0
    trimmed = ours.trimmed_mean - everybody.trimmed_mean
    trimmed_deviations = trimmed / deviation if deviation > 0.0 else 0.0
    told, told_of_all = ours.told(trims=trims), everybody.told(trims=trims)
    told_deviations = trimmed_deviations if trims else deviations
    return AttributeProfile(
        declared=feature,
        mean=ours.mean,
        trimmed_mean=ours.trimmed_mean,
        lower_quartile=ours.lower_quartile,
        median=ours.median,
        upper_quartile=ours.upper_quartile,
        difference=difference,
        deviations=deviations,
        trimmed_deviations=trimmed_deviations,
        shares=dict(zip(feature.choices, (counts / max(known, 1)).tolist(), strict=False)),
        missing=lacking / max(known + lacking, 1),
        told=told,
        told_of_all=told_of_all,
        told_deviations=told_deviations,
        is_trimmed=trims,
        is_clear=known > 0
        and abs(told_deviations) >= _WORTH_TELLING
        and _agree(feature, ours, everybody, told, told_of_all),
        is_usual=bool(
            feature.kind is not Kind.NOMINAL
            and ours.median >= everybody.median
            and ours.median > 0.0
        ),
        standout=_find_standout(feature, counts, every.sum(axis=0)),
    )


def _find_standout(feature: Attribute, counts: IntArray, everybody: IntArray) -> Standout | None:
    """Return the category that clearly sets a segment apart, by counts of categories, (c,)."""
    if feature.kind is not Kind.NOMINAL or counts.sum() == 0:
        return None
    ours, all_shares = counts / counts.sum(), everybody / everybody.sum()
    spread = np.sqrt(all_shares * (1.0 - all_shares))
    deviations = np.divide(ours - all_shares, spread, out=np.zeros_like(spread), where=spread > 0.0)
    at = int(np.abs(deviations).argmax())
    share, share_of_all = float(ours[at]), float(all_shares[at])
    if abs(deviations[at]) < _WORTH_TELLING or _percent(share) == _percent(share_of_all):
        return None
    label = [*feature.labels.values()][at]
    return Standout(label, share, share_of_all, float(deviations[at]))


def _agree(
    feature: Attribute, ours: _Figures, everybody: _Figures, told: float, told_of_all: float
) -> bool:
    """Tell whether figures as people read them, and medians, say that a segment differs."""
    if _readable(feature, told) == _readable(feature, told_of_all):
        return False
    if feature.choices:
        # The mean of categories' numbers says nothing.
        return feature.kind is not Kind.NOMINAL
    if feature.unscored is not None and min(ours.lower_quartile, everybody.lower_quartile) <= (
        feature.unscored
    ):
        return False
    # Compared, not multiplied: amounts may be as large as a float holds.
    rises = ours.median >= everybody.median and told >= told_of_all
    falls = ours.median <= everybody.median and told <= told_of_all
    return bool(rises or falls)


def _quantile(
    feature: Attribute, counts: IntArray, lows: FloatArray, highs: FloatArray, share: float
) -> float:
    """Return the value below which a share of the customers lies, from the counts of its bins.

    Args:
        feature: the attribute.
        counts: (b,), customers by bin.
        lows: (b,), the least value that each bin can hold.
        highs: (b,), the greatest one.
        share: of the customers.
    """
    reached = np.cumsum(counts)
    wanted = share * reached[-1]
    place = int(np.searchsorted(reached, wanted))
    low, high = float(lows[place]), float(highs[place])
    before = float(reached[place - 1]) if place else 0.0
    inside = (wanted - before) / float(counts[place])
    # A rounded sum may lie outside the bin: a whole value must not become the one before it.
    found = min(max(low * (1.0 - inside) + high * inside, low), high)
    return float(np.floor(found)) if feature.is_integer else found


def _trimmed_mean(counts: IntArray, lows: FloatArray, highs: FloatArray) -> float:
    """Return the mean of the customers between two shares, from the counts of bins, (b,)."""
    reached = np.cumsum(counts)
    inner = np.clip(reached, _TRIMMED * reached[-1], (1.0 - _TRIMMED) * reached[-1])
    held = np.diff(inner, prepend=_TRIMMED * reached[-1])
    middles = lows / 2.0 + highs / 2.0
    # Shares first: a sum of amounts near a float's limit would be beyond it.
    return float((held / held.sum() * middles).sum())


def _summarise(size: int, share: float, attributes: tuple[AttributeProfile, ...]) -> str:
    if not attributes:
        return "No customer is in this segment now."
    of_all = "under 1%" if share < 0.01 else f"{share:.0%}"
    sentence = f"{counted(size, 'customer')} ({of_all} of all)"
    told = [_phrase(attribute) for attribute in strongest(attributes)[:_TOLD]]
    if not told:
        return f"{sentence}, much like everybody else."
    return f"{sentence}: {', '.join(told)}."


def strongest(attributes: tuple[AttributeProfile, ...]) -> list[AttributeProfile]:
    """Return the attributes that clearly set a segment apart, what does so most first."""
    clear = [attribute for attribute in attributes if attribute.strength > 0.0]
    return sorted(clear, key=lambda attribute: -attribute.strength)


def _phrase(profile: AttributeProfile) -> str:
    feature, standout = profile.declared, profile.standout
    if standout is not None:
        share, of_all = _percent(standout.share), _percent(standout.share_of_all)
        return f"{feature.title} {standout.label} {share} (everybody {of_all})"
    mean = _readable(feature, profile.told)
    everybody = _readable(feature, profile.told_of_all)
    if is_yes_or_no(feature):
        return f"{yes_words(feature)[0]} {mean} (everybody {everybody})"
    word = "higher" if profile.told_deviations > 0 else "lower"
    kind = "trimmed mean" if profile.is_trimmed else "mean"
    return f"{word} {feature.title} ({kind} {mean}, everybody {everybody})"


def _readable(feature: Attribute, mean: float) -> str:
    return _percent(yes_share(feature, mean)) if is_yes_or_no(feature) else readable(mean)


def _percent(share: float) -> str:
    return f"{share:.0%}"


def is_yes_or_no(feature: Attribute) -> bool:
    """Tell whether an attribute has two values, of which the greater one is a yes."""
    return feature.is_binary or (len(feature.choices) == 2 and feature.kind is not Kind.NOMINAL)


def yes_share(feature: Attribute, mean: float) -> float:
    """Return the share of a yes, by the mean of an attribute that says yes or no."""
    no, yes = feature.choices or (0, 1)
    return (mean - no) / (yes - no)


def yes_words(feature: Attribute) -> tuple[str, str]:
    """Return what a yes and a no of an attribute are called, such as "Female" and "Male".

    Where the codes say no more than yes and no, it is the title, and "no" before it.
    """
    if not feature.choices:
        return feature.title, f"no {feature.title}"
    no, yes = (feature.labels[choice] for choice in feature.choices)
    if yes.casefold() in _YES:
        return feature.title, f"no {feature.title}"
    if no.casefold() in _YES:
        return f"no {feature.title}", feature.title
    return yes, no
