"""Confidence sequences: intervals that stay valid although one looks at them every day.

An interval for a fixed time covers at that time. Who looks every day and stops at the first
interval without 0 is misled far more often than in 5 of 100 campaigns. The intervals of a
confidence sequence cover at all looks together.

The boundary is the two-sided normal mixture of Robbins (1970) as Howard, Ramdas, McAuliffe and
Sekhon (2021, doi:10.1214/20-AOS1991) give it, over estimated variances as Waudby-Smith, Arbour,
Sinha, Kennedy and Ramdas (2021, arXiv:2103.06476) show. It is asymptotic: it holds from the first
look at which both groups have `ENOUGH` customers who tell something.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy.special import lambertw

from customer_segmentation.model.experiments.effects import ALPHA
from customer_segmentation.model.experiments.groups import Group, Interval, Rate, standard_error

ENOUGH = 20
"""So many customers of the rarer outcome, or with an outcome other than 0, each group must have."""


class Growth(StrEnum):
    """How the outcomes of a campaign become known.

    Outcomes that may also fall again, such as a balance, grow in neither way. For these an interval
    at each of a planned number of looks is valid at `simultaneous_alpha(ALPHA, looks)`.
    """

    CUSTOMERS = "customers"
    """One customer after the other, in an order that has nothing to do with the outcome; what is
    known of a customer does not change any more. The true lift is one figure."""
    OUTCOMES = "outcomes"
    """Those of the same customers add up from the start: whether they have bought yet, how much
    they have spent. The true lift is that up to the look."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A confidence sequence, fixed before the first look.

    Attributes:
        growth: how the outcomes become known.
        tuning: the mixture's parameter, in units of its clock.
        alpha: how often a sequence may miss the true lift at any of its looks.
    """

    growth: Growth
    tuning: float
    alpha: float

    def look(self, arm: Group, control: Group) -> Interval | None:
        """Return the interval of a lift at a look; None while there is too little to tell.

        Args:
            arm: as it is known then, adjusted or not.
            control: the same of the control group.
        """
        if min(arm.informative, control.informative) < ENOUGH:
            return None
        clock = _clock(arm, control, self.growth)
        reach = boundary(clock, self.tuning, self.alpha) * standard_error(arm, control)
        lift = arm.mean - control.mean
        return Interval(lift - reach, lift + reach)


def plan_sequence(growth: Growth, arm: Group, control: Group, alpha: float = ALPHA) -> Sequence:
    """Return the sequence whose interval is the shortest where groups are as expected in the end.

    It is valid whatever they will be; within a tenth and ten times of what was expected its
    intervals are at most a third longer than the shortest ones.

    Args:
        growth: how the outcomes become known.
        arm: the expected end of the arm.
        control: that of the control group.
        alpha: how often a sequence may miss the true lift at any of its looks.
    """
    shortest = -float(lambertw(-(alpha**2) / math.e, k=-1).real)
    return Sequence(growth, _clock(arm, control, growth) / (shortest - 1), alpha)


def boundary(clock: float, tuning: float, alpha: float) -> float:
    """Return how many standard errors a confidence sequence reaches at a time of its clock."""
    share = tuning / clock
    return math.sqrt((1 + share) * math.log((1 + share) / (share * alpha**2)))


def _clock(arm: Group, control: Group, growth: Growth) -> float:
    """Return the variance of the sum that a look sees, which is the time of its random walk.

    The walk at two looks, each in its standard deviations, must be correlated at least as much as
    the root of the ratio of their clocks; then it crosses a boundary at most as often as Brownian
    motion does (Slepian 1962, doi:10.1002/j.1538-7305.1962.tb02419.x).

    The mean over more and more customers is such a walk in the inverse of its variance. A sum over
    the same customers is one in its variance where those who have bought buy at least as much as
    others later. Who can do a thing only once does less later: the share p of those who have done
    it is a Brownian bridge, which divided by 1 - p is a walk.
    """
    variance = standard_error(arm, control) ** 2
    if growth is Growth.CUSTOMERS:
        return 1 / variance
    left = [1 - group.mean for group in (arm, control) if isinstance(group, Rate)]
    return variance / math.prod(left) ** 2
