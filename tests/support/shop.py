"""A shop's table of customers, whose ids are texts, as a database holds it after a first start."""

from typing import Any

import numpy as np

from customer_segmentation.files.schema_file import parse_schema
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.beginning import begin_with

SCHEMA = """
[id]
name = "customer_id"
record_name = "Customer"
type = "{type}"
example = {example}

[[attributes]]
name = "spent"
record_name = "Spent"
kind = "amount"
minimum = 0
example = 40

[[attributes]]
name = "visits"
kind = "count"
minimum = 0
example = 3

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["Basic", "Plus"]
example = "Basic"
missing = "allowed"

[segments]
number = 2
"""
TEXT = SCHEMA.format(type="text", example='"C-10001"')
INTEGER = SCHEMA.format(type="integer", example=10_001)

FIRST = 60
"""How many customers there are."""


def attributes(**changed: object) -> dict[str, Any]:
    """Return all attributes of a customer, some of them as they are given."""
    return {"spent": 40, "visits": 3, "plan": "Basic", **changed}


def first_ids(*, text: bool = True) -> list[Any]:
    """Return the ids of the first customers, in the order of the table."""
    return [f"F-{FIRST - place:04}" if text else place + 1 for place in range(FIRST)]


def open_shop(database_url: str, schema: str = TEXT) -> UnitsOfWork:
    """Fill an empty database with a shop's customers, in two groups."""
    random = np.random.default_rng(1)
    values = np.column_stack(
        [random.normal(40, 5, FIRST), random.integers(1, 5, FIRST), random.integers(0, 2, FIRST)]
    )
    values[::2, 0] += 500
    is_text = parse_schema(schema, "the shop's").id.is_text
    ids = np.array(first_ids(text=is_text), dtype=object if is_text else np.int64)
    return begin_with(database_url, schema, ids, values)
