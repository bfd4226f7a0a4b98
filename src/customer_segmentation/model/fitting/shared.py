"""Customers that two clusterings share, by the group of the one and the group of the other."""

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray


def count_shared(rows: IntArray, k: int, columns: IntArray, m: int) -> IntArray:
    """Count customers by the places of their groups in two clusterings.

    Args:
        rows: (n,), the place of each customer's group in the one, below k.
        k: how many groups the one has.
        columns: (n,), the place of its group in the other, below m.
        m: how many groups the other has.

    Returns:
        (k, m).
    """
    return np.bincount(rows * m + columns, minlength=k * m).reshape(k, m)


def adjusted_rand_index(pairs: IntArray) -> float:
    """Return how far two segmentations agree, adjusted for chance, from their pair counts (k, m).

    1 is the same segmentation and 0 what chance gives.

    Source: Hubert and Arabie 1985, doi:10.1007/BF01908075.
    """
    together = float(_pairs_of(pairs).sum())
    rows = float(_pairs_of(pairs.sum(axis=1)).sum())
    columns = float(_pairs_of(pairs.sum(axis=0)).sum())
    everyone = float(_pairs_of(pairs.sum()))
    by_chance = rows * columns / everyone if everyone else 0.0
    most = (rows + columns) / 2.0
    return 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)


def _pairs_of(sizes: IntArray) -> FloatArray:
    """Return how many pairs groups of these sizes hold."""
    return sizes * (sizes - 1.0) / 2.0
