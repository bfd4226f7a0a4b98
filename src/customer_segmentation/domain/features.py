"""The shipped schema, for rooms that are not given one yet."""

import tomllib
from pathlib import Path

from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.domain.schema import Schema, make_schema


def _read_shipped() -> Schema:
    path = Path(__file__).parents[1] / "schema.toml"
    return make_schema(tomllib.loads(path.read_text(encoding="utf-8")))


SHIPPED = _read_shipped()
"""The schema of the shipped data set."""

CUSTOMERS = CustomerTable(SHIPPED)
"""Its rules for requests."""

CUSTOMER_ID = SHIPPED.id
FEATURES = SHIPPED.attributes
COLUMNS = SHIPPED.columns
FEATURE_NAMES = SHIPPED.names
FEATURE_BY_NAME = SHIPPED.by_name
