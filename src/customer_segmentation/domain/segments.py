"""Segments, and the rules that name the very first model's clusters.

Only the first model is named by profile. Every later model inherits number, name and strategy by
matching its clusters to the segments that serve (see `model/align.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Segment:
    """A group of customers that keeps its identity over every retrain.

    Attributes:
        number: its number, shown as `cluster_num`.
        name: what marketers call it.
        strategy: the main business strategy for its customers.
    """

    number: int
    name: str
    strategy: str

    @property
    def label(self) -> str:
        """Number and name, such as "Cluster 0: High-Value Power Users"."""
        return f"Cluster {self.number}: {self.name}"


@dataclass(frozen=True, slots=True)
class Profile:
    """A name, its strategy, and the behaviour that earns it.

    Attributes:
        name: the segment's name.
        strategy: its business strategy.
        rule: by attribute, how strongly a high (positive) or low (negative) average speaks for
            this name. A cluster's score is the sum of rule times the cluster's average in standard
            deviations from everybody's.
    """

    name: str
    strategy: str
    rule: Mapping[str, float] = field(default_factory=dict)


PROFILES: tuple[Profile, ...] = (
    Profile(
        name="High-Value Power Users",
        strategy="Upsell bank products to increase profits",
        rule={
            "transaction_count": 1.0,
            "total_withdrawal_amount": 1.0,
            "total_deposit_amount": 1.0,
            "loyalty_score": 1.0,
        },
    ),
    Profile(
        name="Value-Driven Frequent Users",
        strategy="Build loyalty to reduce churn",
        rule={"transaction_count": 0.5, "loyalty_score": -1.5},
    ),
    Profile(
        name="Affluent Inactives",
        strategy="Increase engagement to reduce churn",
        rule={"monthly_income": 1.0, "account_balance": 1.0, "transaction_count": -1.0},
    ),
    Profile(
        name="Budget-Conscious Occasionals",
        strategy="Provide incentives like discounts to increase profits",
        rule={
            "monthly_income": -1.0,
            "account_balance": -1.0,
            "total_withdrawal_amount": -0.5,
            "total_deposit_amount": -0.5,
            "transaction_count": -0.5,
        },
    ),
)
"""In the order of the segment numbers that the first model gives them."""
