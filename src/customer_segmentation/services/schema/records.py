"""A schema made from a table of transactions: recency, frequency and monetary value of customers.

Source: Hughes (1994), "Strategic Database Marketing", on RFM.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import (
    Aggregate,
    Attribute,
    Derivation,
    Id,
    IdType,
    Missing,
    Transform,
)
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    MAX_DECIMALS,
    TransactionSchema,
    UnknownCustomer,
)
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.transactions.records import find_columns
from customer_segmentation.services.schema.counting import ColumnCount
from customer_segmentation.services.schema.looking import TableLook
from customer_segmentation.services.schema.quantities import Quantity, as_date, as_number

_ANYBODY = Schema(Id("customer_id", "customer id", "customer id", "", 1, IdType.INTEGER), ())
_SEVERAL = 0.2
"""The share of customers, at least, of whom a table of transactions has several rows."""

_FEWEST = 20
"""Fewer are kinds of something rather than customers."""


@dataclass(frozen=True, eq=False, slots=True)
class Records:
    """What is found of a table of transactions.

    Attributes:
        places: by field, the place of its column.
        amount: how amounts are read.
        time: how dates are read.
    """

    places: dict[str, int]
    amount: Quantity
    time: Quantity


def find_records(table: TableLook) -> Records | None:
    """Return what is found of a table if it is one of transactions, else None.

    It is one where a customer comes in several rows, each with a date and an amount.
    """
    names = [column.name for column in table.columns]
    try:
        columns = find_columns(names, _ANYBODY, {})
    except DataFileError:
        return None
    places = {field: names.index(column) for field, column in columns.items()}
    if "amount" not in places:
        return None
    customers = table.columns[places["customer_id"]].distinct
    if customers.repeated < _SEVERAL or customers.number < _FEWEST:
        return None
    time = table.columns[places["time"]]
    read = as_date(time.texts.drop_null(), time.name)
    amount = as_number(table.columns[places["amount"]].texts.drop_null())
    if read is None or amount is None:
        return None
    is_key = "transaction_id" in places and _is_unique(table, places["transaction_id"])
    if not is_key:
        places.pop("transaction_id", None)
    return Records(places, amount, read)


def _is_unique(table: TableLook, place: int) -> bool:
    distinct = table.columns[place].distinct
    return distinct.repeated == 0 and not table.columns[place].texts.null_count


def make_rfm(
    table: TableLook, records: Records, id_: Id, counts: Sequence[ColumnCount]
) -> tuple[Schema, RecordRules]:
    """Return a schema of the customers whose transactions a table holds, and how it is read.

    Args:
        table: what a first look showed.
        records: what was found of it.
        id_: the key of a customer.
        counts: of each column, over the whole table.
    """
    known = records.amount.values[np.isfinite(records.amount.values)]
    is_signed = bool((known < 0).any())
    key = records.places.get("transaction_id")
    is_integer = key is not None and counts[key].are_integers
    declared = TransactionSchema(
        id_type=IdType.INTEGER if is_integer else IdType.TEXT,
        decimals=_decimals(known),
        unknown_customer=UnknownCustomer.ADDED,
    )
    attributes = (
        _follows("recency", "Days since the last transaction", Aggregate.DAYS_SINCE_LAST, "days"),
        _follows("frequency", "Number of transactions", Aggregate.COUNT, "transactions"),
        _follows("monetary", "Sum of all amounts", Aggregate.SUM, "", is_signed=is_signed),
    )
    columns = {
        id_.name if field == "customer_id" else field: table.columns[place].name
        for field, place in records.places.items()
    }
    style = records.amount.source.style
    rules = RecordRules(columns, records.time.source.date or None, style)
    return Schema(id_, attributes, transactions=declared), rules


def _follows(
    name: str, description: str, aggregate: Aggregate, unit: str, *, is_signed: bool = False
) -> Attribute:
    derivation = Derivation(aggregate)
    log = Transform.SYMLOG if is_signed else Transform.LOG
    return Attribute(
        name=name,
        record_name=name,
        title=name,
        description=description,
        example=10,
        kind=derivation.kind,
        unit=unit,
        minimum=None if is_signed else 0,
        missing=Missing.REFUSED if derivation.is_known_of_none else Missing.ALLOWED,
        default=0 if derivation.is_known_of_none else None,
        transform=log,
        derivation=derivation,
    )


def _decimals(amounts: FloatArray) -> int:
    """Return the fewest decimals that amounts need; two at least, where any has a fraction."""
    for decimals in range(MAX_DECIMALS + 1):
        if np.allclose(amounts, amounts.round(decimals), rtol=0, atol=1e-9):
            return decimals if decimals == 0 else max(2, decimals)
    return MAX_DECIMALS
