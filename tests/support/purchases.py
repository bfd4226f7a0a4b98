"""A shop whose customers' attributes follow from their purchases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from customer_segmentation.domain.transactions import Transaction, day_of, to_microseconds
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.beginning import begin_with

SCHEMA = """
[id]
name = "customer_id"
type = "integer"
example = 10001

[[attributes]]
name = "recency"
kind = "count"
missing = "allowed"
from = "transactions"
aggregate = "days_since_last"

[[attributes]]
name = "tenure"
kind = "count"
missing = "allowed"
from = "transactions"
aggregate = "days_since_first"

[[attributes]]
name = "frequency"
kind = "count"
default = 0
from = "transactions"
aggregate = "count"

[[attributes]]
name = "monetary"
kind = "amount"
default = 0
from = "transactions"
aggregate = "sum"

[[attributes]]
name = "average"
kind = "amount"
missing = "allowed"
from = "transactions"
aggregate = "mean"

[[attributes]]
name = "largest"
kind = "amount"
missing = "allowed"
from = "transactions"
aggregate = "maximum"

[[attributes]]
name = "smallest_lately"
kind = "amount"
missing = "allowed"
from = "transactions"
aggregate = "minimum"
window = "30d"

[[attributes]]
name = "spent_lately"
kind = "amount"
default = 0
from = "transactions"
aggregate = "sum"
where = {{ kind = ["sale"] }}
window = "90d"

[[attributes]]
name = "bought_lately"
kind = "count"
default = 0
from = "transactions"
aggregate = "count"
window = "7d"

[[attributes]]
name = "shelves"
kind = "count"
default = 0
from = "transactions"
aggregate = "distinct"
of = "shelf"

[[attributes]]
name = "shelves_lately"
kind = "count"
default = 0
from = "transactions"
aggregate = "distinct"
of = "shelf"
window = "30d"

[[attributes]]
name = "mean_lately"
kind = "amount"
missing = "allowed"
from = "transactions"
aggregate = "mean"
window = "30d"

[[attributes]]
name = "points"
kind = "count"
default = 0

[transactions]
unknown_customer = "{unknown}"

[[transactions.fields]]
name = "shelf"

[segments]
number = 2
"""
FIRST = 40
"""How many customers there are, numbered from 1."""


def open_purchases(database_url: str, unknown: str = "refused") -> UnitsOfWork:
    """Fill an empty database with a shop's customers: some bought lately, and others did not."""
    random = np.random.default_rng(1)
    values = np.zeros((FIRST, 13))
    values[:, [1, 4, 5, 6, 11]] = np.nan
    values[:, 0] = random.integers(0, 9, FIRST)
    values[::2, 0] += 400
    values[:, 2] = random.integers(0, 3, FIRST)
    return begin_with(database_url, SCHEMA.format(unknown=unknown), np.arange(1, FIRST + 1), values)


def purchase(number: int, customer_id: int, days_ago: float = 0, **others: object) -> Transaction:
    """Return a purchase."""
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    told: dict[str, Any] = {"amount": 1_000, "kind": "sale", "fields": {}}
    return Transaction(f"T{number}", customer_id, to_microseconds(moment), **{**told, **others})


def today() -> int:
    """Return the day, in days since 1970."""
    return day_of(datetime.now(UTC))
