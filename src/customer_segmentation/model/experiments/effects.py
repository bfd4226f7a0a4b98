"""What an arm of a campaign brought against the control group, with intervals.

Groups are compared as they were drawn, whoever was reached (intention to treat). Every interval is
put together from limits of the two means by themselves: the method of variance estimates recovery,
MOVER. With symmetric limits it is the interval of Wald or of Welch for the difference, and that of
Fieller for the ratio. So both intervals of an effect always agree about whether there is one.

Sources: Zou and Donner 2008, doi:10.1002/sim.3095 (differences); Donner and Zou 2012,
doi:10.1177/0962280210383082 (ratios); Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy.optimize import brentq
from scipy.special import cbrt, ndtr, ndtri, stdtr, stdtrit

from customer_segmentation.model.experiments.groups import (
    Average,
    Group,
    Interval,
    Rate,
    common_skewness,
    degrees_of_freedom,
    standard_error,
)

ALPHA = 0.05
"""How often an interval may miss the true value: 95 % of them cover it."""

FEW = 10
"""With fewer customers of either outcome in a group, Wald's interval covers too seldom: 64 % for
1 % of 900 and of 100 customers, by the exact distribution, where Newcombe's covers 96 %."""

SKEWED = 0.1
"""Where the difference of two means is more skewed than this, Welch's interval covers too seldom:
87 % for lognormal amounts of one in ten of 900 and of 100 customers, where the corrected one covers
95 %. The difference of two groups of the same size is not skewed."""

_SYMMETRIC = 1e-9

_FARTHEST = 40.0
"""That a normal variable is so many standard deviations from its mean has a probability of 0."""


class Method(StrEnum):
    """How the interval of a difference is computed."""

    WALD = "Wald, unpooled"
    NEWCOMBE = "Newcombe"
    WELCH = "Welch"
    HALL = "Welch, corrected for skewness"


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference that an arm makes.

    Attributes:
        arm: the customers who were to be addressed.
        control: those who were held out.
        lift: the arm's mean less the control group's; for rates 0.01 is one percentage point.
        interval: of the lift.
        p_value: how probable a lift as far from 0 is where the arm does nothing; it is less than
            `alpha` exactly where the interval does not contain 0.
        relative: the lift as a share of the control group's mean.
        relative_interval: of that; both are None where the control group's mean is not clearly
            above 0, as the ratio is then unbounded.
        alpha: one less the confidence of the intervals.
        method: of the interval of the lift.
    """

    arm: Group
    control: Group
    lift: float
    interval: Interval
    p_value: float
    relative: float | None
    relative_interval: Interval | None
    alpha: float
    method: Method

    @property
    def is_clear(self) -> bool:
        """Whether the interval does not contain 0."""
        return 0 not in self.interval


def compare(arm: Group, control: Group, alpha: float = ALPHA) -> Effect | None:
    """Return the effect of an arm, or None where the groups are too small or too alike to tell.

    Rates are compared by the unpooled interval of Wald, or by that of Newcombe (1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I) where there are few
    customers of an outcome; means by that of Welch (1938), with the limits of each mean corrected
    for skewness by the transformation of Hall (1992, Journal of the Royal Statistical Society B
    54:221) where their difference is skewed: where few are held out and some of them spend much.

    Args:
        arm: the customers who were to be addressed.
        control: those who were held out, with an outcome of the same kind.
        alpha: one less the confidence of the intervals.
    """
    method = _choose_method(arm, control)
    if method is None:
        return None
    lift = arm.mean - control.mean
    quantile, p_value = _quantile_and_p_value(arm, control, method, alpha)
    of_arm, of_control = _limits(arm, control, method, quantile)
    ratio = _ratio_interval(arm.mean, of_arm, control.mean, of_control)
    return Effect(
        arm,
        control,
        lift,
        _difference_interval(arm.mean, of_arm, control.mean, of_control),
        p_value,
        None if ratio is None else lift / control.mean,
        None if ratio is None else ratio.plus(-1),
        alpha,
        method,
    )


def _choose_method(arm: Group, control: Group) -> Method | None:
    if isinstance(arm, Rate) and isinstance(control, Rate):
        if min(arm.size, control.size) < 1:
            return None
        few = min(arm.informative, control.informative) < FEW
        return Method.NEWCOMBE if few else Method.WALD
    if isinstance(arm, Average) and isinstance(control, Average):
        if min(arm.size, control.size) < 2 or standard_error(arm, control) == 0:
            return None
        inverse, other = 1 / arm.size, 1 / control.size
        unevenness = abs(inverse**2 - other**2) / (inverse + other) ** 1.5
        skewness = abs(common_skewness(arm, control))
        return Method.HALL if skewness * unevenness > SKEWED else Method.WELCH
    raise TypeError("An arm and its control group must have an outcome of the same kind")


def _quantile_and_p_value(
    arm: Group, control: Group, method: Method, alpha: float
) -> tuple[float, float]:
    if method in {Method.WALD, Method.WELCH}:
        statistic = abs(arm.mean - control.mean) / standard_error(arm, control)
    else:
        statistic = _farthest_clear(arm, control, method)
    if method in {Method.WALD, Method.NEWCOMBE}:
        return float(-ndtri(alpha / 2)), float(2 * ndtr(-statistic))
    degrees = degrees_of_freedom(arm, control)
    return float(stdtrit(degrees, 1 - alpha / 2)), float(2 * stdtr(degrees, -statistic))


def _farthest_clear(arm: Group, control: Group, method: Method) -> float:
    """Return the quantile with which a limit of the difference is 0."""
    more, less = (arm, control) if arm.mean > control.mean else (control, arm)

    def lower_limit(quantile: float) -> float:
        of_more, of_less = _limits(more, less, method, quantile)
        return _difference_interval(more.mean, of_more, less.mean, of_less).low

    if lower_limit(0.0) <= 0:
        return 0.0
    if lower_limit(_FARTHEST) > 0:
        return _FARTHEST
    return float(brentq(lower_limit, 0.0, _FARTHEST, xtol=1e-12))


def _limits(one: Group, other: Group, method: Method, quantile: float) -> tuple[Interval, Interval]:
    """Return the limits of the mean of each of two groups."""
    if method is Method.NEWCOMBE:
        return _wilson(one, quantile), _wilson(other, quantile)
    skewness = 0.0
    if method is Method.HALL and isinstance(one, Average) and isinstance(other, Average):
        skewness = common_skewness(one, other)
    return _hall(one, quantile, skewness), _hall(other, quantile, skewness)


def _hall(group: Group, quantile: float, skewness: float) -> Interval:
    """Return the limits of a mean of outcomes of a skewness; Student's where that is 0."""
    error, of_mean = math.sqrt(group.variance_of_mean), skewness / math.sqrt(group.size)
    low, high = (_unskewed(side, of_mean) for side in (quantile, -quantile))
    return Interval(group.mean - error * low, group.mean - error * high)


def _unskewed(quantile: float, skewness: float) -> float:
    """Return the quantile of a skewed mean, studentised, that is this one without skewness."""
    if abs(skewness) < _SYMMETRIC:
        return quantile
    return float(3 / skewness * (cbrt(1 + skewness * (quantile - skewness / 6)) - 1))


def _wilson(group: Group, quantile: float) -> Interval:
    """Return the limits of a rate.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    n, rate, square = group.size, group.mean, quantile**2
    center = (rate + square / (2 * n)) / (1 + square / n)
    reach = quantile * math.sqrt(group.variance_of_mean + square / (4 * n**2)) / (1 + square / n)
    # Exact at the ends of the range, where rounding would leave something of nothing.
    low = 0.0 if rate == 0 else center - reach
    high = 1.0 if rate == 1 else center + reach
    return Interval(low, high)


def _difference_interval(
    mean: float, limits: Interval, control: float, control_limits: Interval
) -> Interval:
    lift = mean - control
    return Interval(
        lift - math.hypot(mean - limits.low, control_limits.high - control),
        lift + math.hypot(limits.high - mean, control - control_limits.low),
    )


def _ratio_interval(
    mean: float, limits: Interval, control: float, control_limits: Interval
) -> Interval | None:
    """Return the interval of a ratio, which is where a lower limit of its divisor is above 0."""
    if control_limits.low <= 0:
        return None
    low = _ratio_limit(mean, limits.low, control, control_limits.high, -1)
    high = _ratio_limit(mean, limits.high, control, control_limits.low, 1)
    return Interval(low, high)


def _ratio_limit(
    mean: float, limit: float, control: float, control_limit: float, side: int
) -> float:
    """Return the ratio r where mean - r control is as far from 0 as its limits are from it."""
    squared = control_limit * (2 * control - control_limit)
    half = mean * control
    constant = limit * (2 * mean - limit)
    root = math.sqrt(max(half**2 - squared * constant, 0.0))
    if side * half >= 0 and squared > 0:
        return (half + side * root) / squared
    # The same root, written so that it holds where the square's factor is about nothing.
    divisor = half - side * root
    return constant / divisor if divisor else 0.0
