"""Whether a campaign's groups came out as drawn, and who was addressed although held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import chdtrc

MISMATCH_ALPHA = 0.001
"""A split that came out as drawn is called a mismatch in one of 1,000 campaigns.

Source: Fabijan et al. 2019, "Diagnosing sample ratio mismatch", doi:10.1145/3292500.3330722."""

_EXPECTED = 5
"""The chi-squared distribution holds where each group is expected to have so many customers."""


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """How a split came out.

    Attributes:
        expected: customers of each group, as drawn.
        p_value: how probable sizes as far from these are.
        is_mismatch: whether that is so improbable that no effect of the campaign can be trusted.
    """

    expected: tuple[float, ...]
    p_value: float
    is_mismatch: bool


def check_split(
    sizes: Sequence[int], shares: Sequence[float], alpha: float = MISMATCH_ALPHA
) -> SplitCheck:
    """Return whether groups are as large as their shares of the draw make one expect.

    By the chi-squared test; where a group is expected to have fewer than 5 customers, by exact
    binomial tests of each group against the rest, corrected for their number by Bonferroni.

    Args:
        sizes: customers with an outcome of each group, two or more.
        shares: with which the groups were drawn, each above 0, in the same order.
        alpha: how often a split that came out as drawn may be called a mismatch.
    """
    observed, drawn = np.asarray(sizes, dtype=np.int64), np.asarray(shares, dtype=np.float64)
    drawn = drawn / drawn.sum()
    total = int(observed.sum())
    expected = total * drawn
    if total == 0:
        p_value = 1.0
    elif expected.min() >= _EXPECTED:
        statistic = ((observed - expected) ** 2 / expected).sum()
        p_value = float(chdtrc(len(drawn) - 1, statistic))
    else:
        # Of two groups both tests are the same one.
        tests = len(drawn) if len(drawn) > 2 else 1
        pairs = zip(observed.tolist(), drawn.tolist(), strict=True)
        least = min(float(stats.binomtest(n, total, share).pvalue) for n, share in pairs)
        p_value = min(1.0, tests * least)
    return SplitCheck(tuple(expected.tolist()), p_value, p_value < alpha)


@dataclass(frozen=True, slots=True)
class Contamination:
    """Who was addressed otherwise than drawn. Effects compare groups as drawn all the same.

    To leave such customers out, or to count them with the other group, would compare customers who
    are unlike: who was reached was not drawn. So the lift is that of the draw (intention to treat),
    and is diluted by them.

    Source: Angrist, Imbens and Rubin 1996, doi:10.1080/01621459.1996.10476902.

    Attributes:
        held_out: customers of the control group.
        addressed_although_held_out: of these.
        to_address: customers of the arm.
        not_addressed: of these.
    """

    held_out: int
    addressed_although_held_out: int
    to_address: int
    not_addressed: int

    @property
    def difference_made(self) -> float:
        """The share of the arm addressed less that of the control group, which is 1 as drawn.

        Where the draw changes outcomes only by whether one is addressed, the lift divided by this
        is the effect on those whom the draw decided about.
        """
        reached = 1 - self.not_addressed / self.to_address if self.to_address else 0.0
        spilled = self.addressed_although_held_out / self.held_out if self.held_out else 0.0
        return reached - spilled
