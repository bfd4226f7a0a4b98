"""Subscribers of a telephone company: customers of another schema than the shipped one.

Ids and some attributes are texts, most may be not known, none bears a name of the shipped schema,
and no segment has a strategy that somebody wrote.
"""

import csv
from pathlib import Path

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.schema_file import parse_schema_file
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.settings import Settings

SCHEMA_TOML = """
channels = ["letter", "text message"]

[id]
name = "subscriber"
record_name = "Subscriber"
title = "subscriber"
type = "text"
example = "S-0301"

[[attributes]]
name = "contract"
record_name = "Contract"
description = "How long the contract runs"
kind = "ordinal"
categories = ["Month-to-month", "One year", "Two years"]
example = "One year"

[[attributes]]
name = "region"
record_name = "Region"
description = "Where the subscriber lives"
kind = "nominal"
categories = ["North", "South", "East & West"]
unknown = "other"
missing = "allowed"
changeable = false
protected = true
example = "South"

[[attributes]]
name = "age"
record_name = "Age"
kind = "count"
unit = "years"
minimum = 18
maximum = 99
missing = "allowed"
protected = true
changeable = false
bands = [[18, 39], [40, 64], [65, 99]]
example = 41

[[attributes]]
name = "tenure"
record_name = "Tenure"
title = "tenure"
description = "Months since the first contract"
kind = "count"
unit = "months"
minimum = 0
maximum = 1000
example = 30

[[attributes]]
name = "monthly_charges"
record_name = "MonthlyCharges"
description = "Sum of a month's bill"
kind = "amount"
unit = "USD"
minimum = 0
missing = "allowed"
example = 49.5

[[attributes]]
name = "satisfaction"
record_name = "Satisfaction"
description = "Answer to the yearly question"
kind = "ordinal"
minimum = 1
maximum = 5
missing = "allowed"
example = 4

[[attributes]]
name = "paperless"
record_name = "Paperless"
description = "Whether bills come without paper"
kind = "binary"
categories = ["No", "Yes"]
missing = "allowed"
example = "Yes"

[[attributes]]
name = "read_letters"
record_name = "ReadLetters"
title = "reads letters"
description = "Whether a letter was answered before"
kind = "binary"
channel = "letter"
example = 1

[segments]
number = 3
"""

_COUNT = 300
_LACKING = 0.1


def subscribers_schema() -> Schema:
    """Return the schema."""
    schema, _ = parse_schema_file(SCHEMA_TOML, "of subscribers")
    return schema


def draw_subscribers(schema: Schema) -> dict[str, FloatArray]:
    """Return attributes, (n,) each, of three kinds of subscribers, always the same."""
    generator = np.random.default_rng(17)
    kinds = np.arange(_COUNT) % 3

    def around(middles: list[float], spread: float) -> FloatArray:
        return generator.normal(np.array(middles)[kinds], spread)

    drawn = {
        "contract": kinds,
        "region": generator.choice(4, _COUNT, p=[0.4, 0.3, 0.25, 0.05]),
        "age": around([30, 45, 60], 8).round().clip(18, 99),
        "tenure": around([4, 30, 60], 4).round().clip(0),
        "monthly_charges": around([80, 50, 20], 6).round(2).clip(5),
        "satisfaction": around([1.5, 3.5, 4.5], 0.5).round().clip(1, 5),
        "paperless": generator.random(_COUNT) < np.array([0.9, 0.5, 0.2])[kinds],
        "read_letters": generator.random(_COUNT) < 0.4,
    }
    columns = {name: np.array(drawn[name], dtype=np.float64) for name in schema.names}
    for attribute in schema.attributes:
        if attribute.missing is Missing.ALLOWED:
            columns[attribute.name][generator.random(_COUNT) < _LACKING] = np.nan
    return columns


def load_subscribers(url: str, directory: Path) -> None:
    """Fill a new database with them, as a first start does.

    Args:
        url: of the database.
        directory: where the schema's file and the table are put.
    """
    path, table, schema = (
        directory / "schema.toml",
        directory / "subscribers.csv",
        subscribers_schema(),
    )
    path.write_text(SCHEMA_TOML, encoding="utf-8")
    columns = draw_subscribers(schema)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(column.record_name for column in schema.columns)
        for row in range(_COUNT):
            values = [_written(a, float(columns[a.name][row])) for a in schema.attributes]
            writer.writerow([f"S-{row + 1:04}", *values])
    settings = Settings(database_url=url, schema_file=path, data=table)
    loading = begin_start(settings)
    assert loading is not None
    finish_start(settings, loading)


def _written(attribute: Attribute, value: float) -> str:
    if np.isnan(value):
        return ""
    return str(attribute.labels[int(value)]) if attribute.categories else f"{value:g}"
