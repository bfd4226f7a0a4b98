"""Which figures of a read-out are hidden, as they could tell of a person."""

from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, IntArray
from customer_segmentation.domain.disclosure import hide_small


@dataclass(frozen=True, eq=False, slots=True)
class Hidden:
    """What must not be shown of g groups, the control group and the arms, in s segments.

    An effect is shown where the outcomes of its arm and of its control group are.

    Attributes:
        totals: (g,), sizes of the groups.
        total_outcomes: (g,), outcomes of the groups.
        sizes: (s, g), sizes of the groups within segments.
        outcomes: (s, g), outcomes of the groups within segments.
    """

    totals: BoolArray
    total_outcomes: BoolArray
    sizes: BoolArray
    outcomes: BoolArray


def find_hidden(sizes: IntArray, successes: IntArray, least: int) -> Hidden:
    """Return what to hide so that no count from 1 to `least` - 1 is shown or follows.

    A rate of a group whose size is shown tells how many customers had either outcome, so it is
    hidden where these are few, and others with it; so is a mean where few customers make it up.

    Args:
        sizes: (s, g), customers by segment and group, whose totals are the groups and segments.
        successes: (s, g), those of them with the outcome, or with one other than 0.
        least: the smallest count that may be shown; 0 hides nothing.
    """
    outcomes = np.stack([successes, sizes - successes], axis=2)
    totals = hide_small(sizes.sum(axis=0), least)
    total_outcomes = totals | _hide_rows(outcomes.sum(axis=0), least)
    hidden = hide_small(sizes, least, also=np.broadcast_to(totals, sizes.shape))
    within = [
        _hide_within(outcomes[:, group], hidden[:, group] | total_outcomes[group], least)
        for group in range(sizes.shape[1])
    ]
    return Hidden(totals, total_outcomes, hidden, np.stack(within, axis=1))


def _hide_rows(outcomes: IntArray, least: int) -> BoolArray:
    """Return which rows have a small part, (n,)."""
    small: BoolArray = (outcomes > 0) & (outcomes < least)
    return np.asarray(small.any(axis=1))


def _hide_within(outcomes: IntArray, also: BoolArray, least: int) -> BoolArray:
    """Return which segments' outcomes to hide, (s,), where those of all together are known.

    Args:
        outcomes: (s, 2), customers by segment and outcome.
        also: (s,), which are hidden anyway.
        least: the smallest count that may be shown.
    """
    hidden = also | _hide_rows(outcomes, least)
    while True:
        # Who knows a segment's size and one outcome knows the other, so both are hidden together.
        more = hide_small(outcomes[:, 0], least, also=hidden)
        more = hide_small(outcomes[:, 1], least, also=more)
        if not (more & ~hidden).any():
            return hidden
        hidden = more
