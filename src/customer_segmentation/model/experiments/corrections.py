"""Correction for several arms and segments: who compares often finds something by chance."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values corrected for their number, in their order.

    With these, the probability that any arm that does nothing seems to do something is at most the
    level that they are held against.

    Source: Holm 1979, https://www.jstor.org/stable/4615733.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    stepped = given[order] * np.arange(len(given), 0, -1)
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return tuple(corrected.tolist())


def simultaneous_alpha(alpha: float, comparisons: int) -> float:
    """Return the alpha of each of several intervals that is `alpha` for all together (Bonferroni).

    An interval without 0 at this level is one whose corrected p-value is below `alpha`; not the
    other way round, as Holm's correction finds more than intervals of one length can show.

    Args:
        alpha: how often any of the intervals may miss its true value.
        comparisons: how many there are, those that are not shown included.
    """
    return alpha / max(comparisons, 1)
