"""What is known of a group of a campaign: as much as every estimate needs, and no customer."""

import math
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np

from customer_segmentation.domain.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Rate:
    """A group whose outcome is yes or no for each customer.

    Attributes:
        size: customers, as drawn.
        successes: customers whose outcome is yes, from 0 to `size`.
    """

    size: int
    successes: int

    @property
    def mean(self) -> float:
        """The share of customers whose outcome is yes, from 0 to 1."""
        return self.successes / self.size

    @property
    def variance_of_mean(self) -> float:
        """The square of the rate's standard error, by the binomial distribution."""
        return self.mean * (1 - self.mean) / self.size

    @property
    def informative(self) -> int:
        """How many customers have the rarer outcome."""
        return min(self.successes, self.size - self.successes)


@dataclass(frozen=True, slots=True)
class Average:
    """A group whose outcome is an amount or a count for each customer.

    Attributes:
        size: customers, as drawn; those without an outcome count with 0.
        mean: of the outcomes, in their unit.
        variance: of the outcomes, by n - 1.
        third: the mean of the cubes of their differences from the mean.
        nonzero: customers whose outcome is not 0, such as those who bought at all.
    """

    size: int
    mean: float
    variance: float
    third: float
    nonzero: int

    @property
    def variance_of_mean(self) -> float:
        """The square of the mean's standard error."""
        return self.variance / self.size

    @property
    def informative(self) -> int:
        """How many customers have an outcome other than 0."""
        return self.nonzero

    @classmethod
    def of(cls, outcomes: FloatArray) -> Self:
        """Summarise outcomes, (n,), n >= 2."""
        return cls(
            len(outcomes),
            float(outcomes.mean()),
            float(outcomes.var(ddof=1)),
            float(((outcomes - outcomes.mean()) ** 3).mean()),
            int(np.count_nonzero(outcomes)),
        )


Group: TypeAlias = Rate | Average


@dataclass(frozen=True, slots=True)
class Interval:
    """A range that covers the true value with the confidence that was asked for.

    Attributes:
        low: its lower limit.
        high: its upper limit.
    """

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        """Return whether a value is within."""
        return self.low <= value <= self.high

    def times(self, factor: float) -> "Interval":
        """Return it in a unit of which there are so many to one of this."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(low, high)

    def plus(self, shift: float) -> "Interval":
        """Return it moved."""
        return Interval(self.low + shift, self.high + shift)


def degrees_of_freedom(one: Group, other: Group) -> float:
    """Return those of the difference of two means with unequal variances.

    Source: Welch 1938, doi:10.1093/biomet/29.3-4.350.
    """
    parts = [(group.variance_of_mean, group.size - 1) for group in (one, other)]
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(variance**2 / degrees for variance, degrees in parts)


def common_skewness(one: Average, other: Average) -> float:
    """Return the skewness of the outcomes of both groups, each about its own mean.

    That of all customers depends less than that of a small control group on who is in it.
    """
    groups = (one, other)
    size = one.size + other.size
    variance = sum(group.size * group.variance for group in groups) / size
    third = sum(group.size * group.third for group in groups) / size
    return third / variance**1.5


def standard_error(one: Group, other: Group) -> float:
    """Return that of the difference of two groups' means."""
    return math.sqrt(one.variance_of_mean + other.variance_of_mean)
