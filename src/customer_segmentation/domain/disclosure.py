"""Statistical disclosure control: counts so small that they could tell of a person are hidden.

Source: Hundepool et al. 2012, "Statistical Disclosure Control", ch. 4 (primary and secondary cell
suppression), doi:10.1002/9781118348239.
"""

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, IntArray

_ZERO = 1e-9


def hide_small(counts: IntArray, least: int, also: BoolArray | None = None) -> BoolArray:
    """Return which counts of a list or a table must not be told where its totals are.

    A count from 1 to `least` - 1 is hidden. So that it does not follow from the totals and the
    other counts, more are hidden with it: as few and as small ones as a plain search finds.

    Args:
        counts: (n,) whose total is known, or (n, m) whose rows' and columns' totals are known.
        least: the smallest count that may be told; 0 hides nothing.
        also: of the counts' shape, which are hidden for another reason.

    Returns:
        of the counts' shape.
    """
    flat = counts.ravel()
    totals = _totals(counts.shape)
    hidden: BoolArray = (flat > 0) & (flat < least)
    if also is not None:
        hidden |= also.ravel()
    # Nobody in a cell is told only where nobody else must be hidden behind it.
    order = np.lexsort((flat, flat == 0))
    while True:
        exposed = hidden & _exposed(flat, totals, hidden, least)
        beside = (totals[:, exposed].any(axis=1) @ totals) & ~hidden
        candidates = order[beside[order]]
        if not exposed.any() or len(candidates) == 0:
            return hidden.reshape(counts.shape)
        hidden[candidates[0]] = True


def _totals(shape: tuple[int, ...]) -> BoolArray:
    """Return which cells each known total adds up, (totals, cells)."""
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    groups = [cells.ravel()] if len(shape) == 1 else [*cells, *cells.T]
    return np.array([np.isin(cells.ravel(), group) for group in groups])


def _exposed(flat: IntArray, totals: BoolArray, hidden: BoolArray, least: int) -> BoolArray:
    """Return which cells follow from the totals, or are in a total of too few hidden people."""
    equations = totals[:, hidden].astype(np.float64)
    _, singular, basis = np.linalg.svd(equations)
    free = basis[int((singular > _ZERO).sum()) :]
    exposed = np.zeros_like(hidden)
    # What no solution of the equations leaves open is known.
    exposed[hidden] = (np.abs(free) < _ZERO).all(axis=0)
    behind = totals.astype(np.int64) @ np.where(hidden, flat, 0)
    crowded = (behind > 0) & (behind < least)
    return exposed | (hidden & totals[crowded].any(axis=0))
