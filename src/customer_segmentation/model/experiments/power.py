"""Power: which effect a campaign of a size can show, and which size an effect needs.

By the normal approximation of the tests that the read-out makes: rates with unpooled variances.

Source: Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences", chapters 2 and 6.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from customer_segmentation.model.experiments.effects import ALPHA

POWER = 0.8
"""How often a campaign shows an effect that is there."""


@dataclass(frozen=True, slots=True)
class RateBefore:
    """What is expected of an outcome of yes or no without the campaign.

    For a campaign that is to lower a rate, take that of the opposite outcome.

    Attributes:
        rate: the share of yes, above 0 and below 1.
    """

    rate: float

    @property
    def most(self) -> float:
        """The greatest lift there can be."""
        return 1 - self.rate

    def variances(self, lift: float) -> tuple[float, float]:
        """Return the variance of an outcome in an arm with a lift, and in the control group."""
        raised = self.rate + lift
        return raised * (1 - raised), self.rate * (1 - self.rate)


@dataclass(frozen=True, slots=True)
class AmountBefore:
    """What is expected of an outcome that is an amount or a count.

    Attributes:
        deviation: its standard deviation between customers, above 0.
    """

    deviation: float

    @property
    def most(self) -> float:
        """The greatest lift there can be."""
        return math.inf

    def variances(self, _lift: float) -> tuple[float, float]:
        """Return the variance of an outcome in an arm, and in the control group."""
        return self.deviation**2, self.deviation**2


Before: TypeAlias = RateBefore | AmountBefore


def power_of(
    before: Before, lift: float, arm: float, control: float, alpha: float = ALPHA
) -> float:
    """Return how probable it is that a lift shows as an interval without 0.

    Args:
        before: what is expected without the campaign.
        lift: that the arm makes, at least 0.
        arm: customers of the arm.
        control: customers of the control group.
        alpha: one less the confidence of the interval.
    """
    in_arm, in_control = before.variances(lift)
    error = math.sqrt(in_arm / arm + in_control / control)
    quantile = -float(ndtri(alpha / 2))
    return float(ndtr(lift / error - quantile) + ndtr(-lift / error - quantile))


def smallest_lift(
    before: Before, arm: float, control: float, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """Return the smallest lift that shows with a power; None where no lift can.

    Args:
        before: what is expected without the campaign.
        arm: customers of the arm, at least 1.
        control: customers of the control group, at least 1.
        alpha: one less the confidence of the interval.
        power: above `alpha` and below 1.
    """
    # No standard error of a lift is greater than with the variances' greatest values.
    in_control = before.variances(0.0)[1]
    in_arm = in_control if before.most == math.inf else 0.25
    far = (float(ndtri(power)) - float(ndtri(alpha / 2))) * math.sqrt(
        in_arm / arm + in_control / control
    )
    upper = min(far + 1e-12, before.most)

    def lacking(lift: float) -> float:
        return power_of(before, lift, arm, control, alpha) - power

    if lacking(upper) < 0:
        return None
    return float(brentq(lacking, 0.0, upper, xtol=1e-15, rtol=1e-14))


def size_needed(
    before: Before,
    lift: float,
    control_share: float,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int:
    """Return how many customers, arm and control group together, a lift needs to show.

    Args:
        before: what is expected without the campaign.
        lift: that is to show, above 0 and at most `before.most`.
        control_share: of the customers, above 0 and below 1.
        alpha: one less the confidence of the interval.
        power: with which it is to show, above `alpha` and below 1.
    """

    def lacking(size: float) -> float:
        arm, control = (1 - control_share) * size, control_share * size
        return power_of(before, lift, arm, control, alpha) - power

    in_arm, in_control = before.variances(lift)
    quantiles = float(ndtri(power)) - float(ndtri(alpha / 2))
    # As if a lift could not seem to be a fall: slightly too many.
    enough = (quantiles / lift) ** 2 * (in_arm / (1 - control_share) + in_control / control_share)
    least = float(brentq(lacking, enough * 1e-6, enough * (1 + 1e-9), xtol=1e-9, rtol=1e-14))
    return math.ceil(least)
