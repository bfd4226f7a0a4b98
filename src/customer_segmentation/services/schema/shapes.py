"""How numbers are spread: whether the logarithm suits them, and which of them say the same."""

from collections.abc import Sequence

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray
from customer_segmentation.domain.attributes import Transform

_SKEWED = 1.0
_LESS_SKEWED = 2 / 3
_SPLIT = 0.5
_SAME = 0.95
_ADDS_UP = 0.99
_FEW_ROWS = 20
_FEWEST_UNSCORED = 0.02
_MOST_SUMMED = 200


def choose_transform(values: FloatArray) -> tuple[Transform, str]:
    """Return how the model is to see numbers, and why.

    Numbers of a skewness beyond 1 are highly skewed (Bulmer 1979, Principles of Statistics, p. 63).
    The logarithm is taken of sign(x) ln(1 + |x|), and only where it takes at least a third of the
    skewness away and does not make two groups of one: where many are zero, or below it, the gap at
    zero can make up most of the variance of the logarithms, and segments would be split there.
    Amounts of that kind are a mixture of none and some (Duan, Manning, Morris and Newhouse 1983,
    doi:10.1080/07350015.1983.10509330). The share of variance between the signs is eta squared.

    Args:
        values: (n,), finite, some different.
    """
    skewness = _skewness(values)
    if abs(skewness) <= _SKEWED:
        return Transform.LINEAR, ""
    logarithms = np.copysign(np.log1p(np.abs(values)), values)
    if abs(_skewness(logarithms)) > _LESS_SKEWED * abs(skewness):
        return Transform.LINEAR, f"skewed ({skewness:.1f}), which the logarithm hardly changes"
    split = _between(logarithms, np.sign(values))
    if split > _SPLIT:
        return Transform.LINEAR, (
            f"skewed ({skewness:.1f}), but the logarithm would split it at zero, where "
            f"{split:.0%} of its variance would lie"
        )
    return Transform.LOG, f"skewed ({skewness:.1f}), so in logarithms ({_skewness(logarithms):.1f})"


def find_unscored(values: FloatArray) -> int | None:
    """Return the number by which a column says that nothing was measured; None where none does.

    That is -1 where nothing else lies below zero, and 999 and the like, far above all others; in
    one row of fifty at least, as what comes seldom may be a mistake.

    Args:
        values: (n,), finite.
    """
    if not len(values) or (values != np.floor(values)).any():
        return None
    below, nines = values[values < 0], (999, 9_999, 99_999)
    highest = values.max()
    others = values[values != highest]
    if len(below) and (below == -1).all():
        found, rest = -1, values[values >= 0]
    elif highest in nines and len(others) and others.max() < highest / 2:
        found, rest = int(highest), others
    else:
        return None
    is_frequent = (values == found).mean() >= _FEWEST_UNSCORED
    return found if is_frequent and len(np.unique(rest)) > 2 else None


def transformed(values: FloatArray, transform: Transform) -> FloatArray:
    """Return values as the model sees them before they are scaled; NaN stays."""
    if transform is Transform.LINEAR:
        return values
    return np.copysign(np.log1p(np.abs(values)), values)


def _skewness(values: FloatArray) -> float:
    spread = values.std()
    return float((((values - values.mean()) / spread) ** 3).mean()) if spread else 0.0


def _between(values: FloatArray, groups: FloatArray) -> float:
    total = values.var()
    means = [
        (groups == group).mean() * (values[groups == group].mean() - values.mean()) ** 2
        for group in np.unique(groups)
    ]
    return float(sum(means) / total) if total else 0.0


def groups_alike(columns: Sequence[FloatArray]) -> list[list[int]]:
    """Return the places of columns that say the same, in groups of at least two.

    Two say the same where they correlate by more than 0.95, and so do those that a third links.

    Args:
        columns: each (n,), as the model sees them; NaN where a value is missing.
    """
    if not columns:
        return []
    alike = np.abs(_correlations(np.array(columns))) > _SAME
    groups: list[list[int]] = []
    left = set(range(len(columns)))
    while left:
        group, new = set(), {min(left)}
        while new:
            group |= new
            new = {j for i in new for j in np.flatnonzero(alike[i]).tolist()} - group
        left -= group
        if len(group) > 1:
            groups.append(sorted(group))
    return groups


def _correlations(values: FloatArray) -> FloatArray:
    """Return correlations, (d, d), of rows, (d, n), over what both have."""
    has = ~np.isnan(values)
    values = values - np.nanmean(values, axis=1, keepdims=True)
    known, both = np.where(has, values, 0.0), has.astype(float)
    n = np.maximum(both @ both.T, 1.0)
    sums = known @ both.T
    covariance = known @ known.T / n - (sums / n) * (sums.T / n)
    variance = (known**2) @ both.T / n - (sums / n) ** 2
    scale = np.sqrt(np.maximum(variance * variance.T, 1e-300))
    return np.where(scale > 1e-140, covariance / scale, 0.0)


def find_sums(columns: Sequence[FloatArray]) -> list[tuple[int, int, int]]:
    """Return triples of places (a, b, c) for which a = b + c in nearly every row.

    Args:
        columns: each (n,), in users' units; NaN where a value is missing.
    """
    if len(columns) < 3:
        return []
    values = np.array(columns)
    rows = ~np.isnan(values).any(axis=0) & ((values != 0).sum(axis=0) > 1)
    values = values[:_MOST_SUMMED, rows][:, :500]
    found: list[tuple[int, int, int]] = []
    if values.shape[1] < 20:
        return found
    varies = [j for j in range(len(values)) if (values[j] != 0).mean() > 0.3]
    for place, b in enumerate(varies):
        for c in varies[place + 1 :]:
            # A few rows tell of nearly all pairs that they add up to nothing.
            few = values[b, :_FEW_ROWS] + values[c, :_FEW_ROWS]
            apart = np.abs(values[:, :_FEW_ROWS] - few) > 1e-3 * np.maximum(np.abs(few), 1.0)
            if (apart.mean(axis=1) > 0.2).all():
                continue
            sums = values[b] + values[c]
            near = np.abs(values - sums) <= 1e-3 * np.maximum(np.abs(sums), 1.0)
            is_sum: BoolArray = near.mean(axis=1) >= _ADDS_UP
            found += [(int(a), b, c) for a in np.flatnonzero(is_sum) if a not in {b, c}]
    return found
