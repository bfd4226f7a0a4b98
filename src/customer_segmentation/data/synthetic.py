"""Synthetic customers of a bank, drawn from a seeded model of four behavioural groups.

A customer's group is drawn first, then, given the group:

- age from a normal distribution cut to 18-90; gender from a fair coin; education from the age
  and the group's mean level;
- income as a log-normal amount that rises with education and peaks in middle age;
- balance as a log-normal multiple of income, now and then overdrawn;
- transactions as 1 + a Poisson count whose rate varies between customers (a gamma mixture);
- withdrawals and deposits as log-normal amounts that rise with income and transactions; customers
  of few transactions may have only one kind of them;
- the loyalty score as a normal around the group's mean; half a per cent are not scored yet (0);
- contacts with ads as coin flips that depend on age; a loan as one that depends on income.

The groups overlap in every attribute, and nothing tells them. Two customers are not drawn: 56 and
7287 are the ones that the API's documentation shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray

SEED = 2026
SHIPPED_CUSTOMERS = 20_000

_CHUNK = 20_000

EXAMPLES: dict[int, tuple[float, ...]] = {
    56: (29, 0, 8074, 2488, 725, 0, 0, 1, 1, 0, 31789, 13472.29, 3, 1),
    7287: (53, 1, 12770, 112, 489, 1, 1, 1, 1, 1, 1068.94, 1240.5, 2, 1),
}
"""Customers of the API's documentation, in the schema's order. The documented update of
7287 sets its deposits to 9876 and its transactions to 3."""


@dataclass(frozen=True)
class Group:
    """How one behavioural group lives and banks.

    Attributes:
        share: of all customers.
        age: mean, in years.
        education: mean level, 0 to 3.
        income: median per month.
        balance: median, as a multiple of monthly income.
        transactions: mean number.
        flow: median of each flow (withdrawals, deposits), as a multiple of monthly income.
        loyalty: mean score.
    """

    share: float
    age: float
    education: float
    income: float
    balance: float
    transactions: float
    flow: float
    loyalty: float


GROUPS = (
    # High-Value Power Users: frequent, large flows, loyal.
    Group(0.24, 40, 1.5, 8_500, 0.8, 7.0, 1.5, 650),
    # Value-Driven Frequent Users: frequent or price-led, disloyal.
    Group(0.27, 36, 1.5, 8_000, 1.0, 3.2, 0.3, 140),
    # Affluent Inactives: much money, few transactions.
    Group(0.22, 52, 2.0, 21_000, 3.2, 1.5, 0.12, 560),
    # Budget-Conscious Occasionals: modest income and flows.
    Group(0.27, 43, 1.0, 5_200, 0.06, 2.6, 0.3, 480),
)


def draw_customers(random: np.random.Generator, count: int) -> FloatArray:
    """Draw customers: (count, 14), in the schema's order."""
    group = random.choice(len(GROUPS), count, p=[g.share for g in GROUPS])

    def of_group(attribute: str) -> FloatArray:
        return np.array([getattr(g, attribute) for g in GROUPS], dtype=np.float64)[group]

    age = _within(random, of_group("age"), 13.0, 18.0, 90.0).round()
    gender = random.integers(0, 2, count).astype(np.float64)
    level = of_group("education") + 0.006 * (age - 43.0) + random.normal(0.0, 0.8, count)
    education = level.round().clip(0, 3)
    prime = 1.0 - ((age - 50.0) / 90.0) ** 2
    income = (
        of_group("income") * prime * np.exp(0.08 * (education - 1.5) + _noise(random, 0.32, count))
    ).round()
    balance = income * of_group("balance") * np.exp(_noise(random, 0.75, count))
    overdrawn = (random.random(count) < 0.02) & (of_group("balance") < 0.5)
    balance = np.where(overdrawn, -0.1 * balance, balance)
    rate = (of_group("transactions") - 1.0) * random.gamma(6.0, 1.0 / 6.0, count)
    transactions = 1.0 + random.poisson(rate)
    busy = np.sqrt(transactions / of_group("transactions"))
    common = _noise(random, 0.45, count)
    flow = income**0.7 * 9_000**0.3 * of_group("flow") * busy * np.exp(common)
    withdrawals = flow * np.exp(_noise(random, 0.55, count))
    deposits = flow * np.exp(_noise(random, 0.55, count))
    one_kind = random.random(count) < 0.35 * (transactions == 1.0)
    only_deposits = random.random(count) < 0.5
    withdrawals = np.where(one_kind & only_deposits, 0.0, withdrawals)
    deposits = np.where(one_kind & ~only_deposits, 0.0, deposits)
    loyalty = _within(random, of_group("loyalty"), 110.0, 1.0, 1000.0).round()
    loyalty = np.where(random.random(count) < 0.005, 0.0, loyalty)
    young = 1.0 / (1.0 + np.exp((age - 45.0) / 12.0))
    facebook, twitter, email, instagram = (
        (random.random(count) < base + slope * young).astype(np.float64)
        for base, slope in ((0.40, 0.25), (0.20, 0.30), (0.55, -0.15), (0.15, 0.55))
    )
    loan = (random.random(count) < 0.45 - 0.2 * (income > 15_000)).astype(np.float64)
    return np.column_stack(
        [
            age,
            gender,
            income,
            balance.round(2),
            loyalty,
            education,
            facebook,
            twitter,
            email,
            instagram,
            withdrawals.round(2),
            deposits.round(2),
            transactions,
            loan,
        ]
    )


def draw_bank(count: int, seed: int = SEED) -> Iterator[FloatArray]:
    """Yield the customers 1 to count of a bank, chunk after chunk, each (n, 14).

    Each chunk has a random stream of its own, so memory stays the same however many there are,
    and the customers of a small bank are the first ones of a big bank with the same seed. The
    first 20,000 with the seed 2026 are the shipped data set.
    """
    for start in range(0, count, _CHUNK):
        customers = draw_customers(np.random.default_rng([seed, start // _CHUNK]), _CHUNK)
        if start == 0:
            for customer_id, attributes in EXAMPLES.items():
                customers[customer_id - 1] = attributes
        yield customers[: count - start]


def _noise(random: np.random.Generator, deviation: float, count: int) -> FloatArray:
    return random.normal(0.0, deviation, count)


def _within(
    random: np.random.Generator, mean: FloatArray, deviation: float, low: float, high: float
) -> FloatArray:
    """Draw from normal distributions, again and again those that fall outside [low, high]."""
    drawn = random.normal(mean, deviation)
    while (outside := (drawn < low) | (drawn > high)).any():
        drawn[outside] = random.normal(mean[outside], deviation)
    return drawn
