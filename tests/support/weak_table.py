"""A bank table of weak structure: every attribute drawn by itself, as in many real ones.

Margins as in a real table of 20,000 customers: skewed amounts, coin-flip channels, a rare loan.
"""

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray


def weak_table(customers: int = 20_000, seed: int = 1) -> tuple[IntArray, FloatArray]:
    """Return ids (n,) and attributes (n, 14) that are nearly independent of one another."""
    random = np.random.default_rng(seed)
    count = 1 + random.poisson(random.gamma(0.7, 4.0, customers))
    size = np.exp(random.normal(6.5, 1.0, customers))
    columns = [
        random.integers(18, 90, customers),
        random.random(customers) < 0.5,
        np.exp(random.normal(8.5, 0.8, customers)).round(),
        np.exp(random.normal(7.0, 1.9, customers)).round(2),
        random.integers(1, 1001, customers),
        random.choice(4, customers, p=[0.2, 0.4, 0.3, 0.1]),
        *(random.random(customers) < share for share in (0.5, 0.4, 0.6, 0.3)),
        (size * count * random.gamma(1.0, 1.0, customers)).round(2),
        (size * count * random.gamma(1.0, 1.0, customers)).round(2),
        count,
        random.random(customers) < 0.05,
    ]
    return np.arange(1, customers + 1), np.column_stack(columns).astype(np.float64)
