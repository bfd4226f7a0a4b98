"""What an effect is worth in money."""

from dataclasses import dataclass

from customer_segmentation.model.experiments.effects import Effect
from customer_segmentation.model.experiments.groups import Interval


@dataclass(frozen=True, slots=True)
class Worth:
    """What an arm brought and cost, in money where nothing else is said.

    Attributes:
        incremental: outcomes that would not have been without the arm: customers for a rate,
            otherwise the outcome's unit.
        incremental_interval: of that.
        value: of the incremental outcomes.
        value_interval: of that.
        cost: of the arm.
        net: the value less the cost.
        net_interval: of that.
        net_per_customer: for each customer of the arm, as drawn.
    """

    incremental: float
    incremental_interval: Interval
    value: float
    value_interval: Interval
    cost: float
    net: float
    net_interval: Interval
    net_per_customer: float


def worth(effect: Effect, unit_value: float, cost: float) -> Worth:
    """Return what an arm brought to all of its customers, as drawn.

    Args:
        effect: of the arm.
        unit_value: what one more outcome is worth: a renewal, or each unit of revenue, of which
            only the margin is won.
        cost: of the arm in all: of everybody who was really addressed, and what is fixed.
    """
    size = effect.arm.size
    incremental, interval = effect.lift * size, effect.interval.times(size)
    value, value_interval = incremental * unit_value, interval.times(unit_value)
    return Worth(
        incremental,
        interval,
        value,
        value_interval,
        cost,
        value - cost,
        value_interval.plus(-cost),
        (value - cost) / size,
    )
