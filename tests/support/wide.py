"""A table with many attributes of every kind, whose ids are integers."""

import numpy as np

from customer_segmentation.domain.attributes import (
    Attribute,
    Id,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.schema_file import write_schema
from tests.support.beginning import begin_with
from tests.support.drawn import draw_customers

_COUNT = 300
_EACH = 8
"""How many attributes there are of each form."""


def wide_schema() -> Schema:
    """Return the schema: forty attributes."""
    return Schema(
        Id("account", "Account", "account", "", 900_001, IdType.INTEGER),
        tuple(attribute for place in range(_EACH) for attribute in _of_each_form(place)),
        segments=4,
    )


def _of_each_form(place: int) -> tuple[Attribute, ...]:
    missing = Missing.ALLOWED if place % 2 else Missing.REFUSED
    return (
        Attribute(
            name=f"spent_{place}",
            record_name=f"Spent on {place}",
            title=f"spent on {place}",
            description="",
            example=12.5,
            kind=Kind.AMOUNT,
            minimum=-100 if place % 3 else None,
            transform=Transform.LOG if place % 2 else Transform.LINEAR,
        ),
        Attribute(
            name=f"visits_{place}",
            record_name=f"visits_{place}",
            title=f"visits to {place}",
            description="",
            example=3,
            kind=Kind.COUNT,
            minimum=0,
            maximum=1_000 * place or None,
            missing=missing,
            default=0,
            used=place > 1,
            bands=((0, 9), (10, 99)),
            protected=place == 3,
        ),
        Attribute(
            name=f"grade_{place}",
            record_name=f"Grade {place}",
            title=f"grade {place}",
            description="",
            example=-1,
            kind=Kind.ORDINAL,
            minimum=-1,
            maximum=7,
            codes={-1: "none yet", 2: "low", 7: "high"},
            weight=place / 2,
        ),
        Attribute(
            name=f"region_{place}",
            record_name=f"Region {place}",
            title=f"region {place}",
            description="",
            example="North",
            kind=Kind.NOMINAL,
            categories=("North", "Süd/Ost", "1", "other one"),
            unknown=Unknown.OTHER if place % 3 else Unknown.REFUSED,
            missing=missing,
        ),
        Attribute(
            name=f"agrees_{place}",
            record_name=f"Agrees {place}",
            title=f"agrees to {place}",
            description="",
            example=1,
            kind=Kind.BINARY,
            minimum=0,
            maximum=1,
            missing=missing,
            changeable=place > 2,
        ),
    )


def load_wide(url: str) -> None:
    """Fill a new database with such customers, whose ids begin with 1."""
    schema = wide_schema()
    values = draw_customers(schema, _COUNT, seed=1)
    begin_with(url, write_schema(schema), np.arange(1, _COUNT + 1), values).close()
